import type { Endpoint, EndpointAccess, ResponseRule } from "./endpoint.ts";
import { ERROR } from "./schemas.ts";

/** Who may call, in OpenAPI's words. */
const SECURITY: Readonly<Record<EndpointAccess, readonly Readonly<Record<string, readonly string[]>>[]>> = {
  open: [],
  token: [{ token: [] }],
  publisher: [{ token: [] }, { credentials: [] }],
};

/** The endpoints as an OpenAPI 3.1 document. */
export function openApiDocument(endpoints: readonly Endpoint[], version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    // OpenAPI has no parameters of several segments.
    const path = endpoint.path.replace("...}", "}");
    const operations = paths[path] ?? {};
    operations[endpoint.method.toLowerCase()] = operationOf(endpoint);
    paths[path] = operations;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "polymq broker",
      version,
      description: "Publish, look at and look after an embedded broker.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { Error: ERROR },
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "The token that the broker was given, or printed when it started",
        },
        credentials: { type: "http", scheme: "basic", description: "A client's name and password" },
      },
    },
  };
}

function operationOf(endpoint: Endpoint): Readonly<Record<string, unknown>> {
  const { id, summary, tag, access, parameters, body, takesBytes, responses } = endpoint;
  return {
    operationId: id,
    summary,
    tags: [tag],
    security: SECURITY[access],
    ...(parameters === undefined
      ? {}
      : { parameters: parameters.map((each) => ({ ...each, required: each.in === "path" })) }),
    ...(takesBytes === true ? { requestBody: { content: { "*/*": { schema: {} } } } } : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(responses).map(([status, rule]) => [status, responseOf(rule)])),
      default: {
        description: "What is wrong",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function responseOf({ description, mediaType = "application/json", schema }: ResponseRule): object {
  return schema === undefined ? { description } : { description, content: { [mediaType]: { schema } } };
}
