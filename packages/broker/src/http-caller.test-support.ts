/** Calls of a broker's HTTP side, each answer held against what the OpenAPI document says of it. */
import Ajv2020 from "ajv/dist/2020.js";
import { expect } from "vitest";
import type { Broker } from "./broker.ts";
import { ENDPOINTS } from "./http/all-endpoints.ts";
import { PathTable } from "./http/path-table.ts";
import { ERROR, TEXT } from "./http/schemas.ts";

/** How a call is made. */
export interface CallOptions {
  readonly body?: unknown;
  /** Default: the broker's token. */
  readonly authorization?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What tests read of bodies, whichever of it is there. */
export interface Body {
  readonly error: { readonly code: string };
  readonly items: readonly {
    readonly id: string;
    readonly name: string;
    readonly filter: string;
    readonly protocol: string;
    readonly deadLetter: unknown;
  }[];
  readonly nextPageToken: string | null;
  readonly status: string;
  readonly paths: object;
}

/** An answer that is as it should be. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it came. */
  readonly text: string;
  /** The body when it is JSON. */
  readonly body: Body;
}

const ajv = new Ajv2020.default({
  strict: true,
  strictTypes: false,
  allowUnionTypes: true,
});
const paths = new PathTable(ENDPOINTS);

/** The URL of a broker's HTTP side. */
export function httpUrl(broker: Broker): string {
  return broker.addresses.flatMap(({ urls }) => urls).find((url) => url.startsWith("http")) ?? "";
}

/** Makes a call, and expects of the answer that it has the form that is promised. */
export async function call(broker: Broker, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { body, authorization = `Bearer ${broker.httpToken}`, headers = {} } = options;
  const response = await fetch(`${httpUrl(broker)}${path}`, {
    method,
    headers: {
      ...(authorization === null ? {} : { authorization }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  const answer = {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Body,
  };
  expectPromised(method, path, answer);
  return answer;
}

function expectPromised(method: string, path: string, { status, body, text }: Answer): void {
  const rule = status >= 400 && status !== 503 ? undefined : ruleOf(method, path, status);
  const schema = rule?.schema ?? (status >= 400 ? ERROR : undefined);
  if (schema === undefined) throw new Error(`nothing is promised for ${method} ${path} with ${status}`);
  ajv.validate(schema, schema === TEXT ? text : body);
  expect(ajv.errors, `${method} ${path}: ${JSON.stringify(body)}`).toBe(null);
}

function ruleOf(method: string, path: string, status: number): { readonly schema?: object } | undefined {
  return paths.find(method, path.split("?", 1)[0] ?? "")?.endpoint.responses[status];
}
