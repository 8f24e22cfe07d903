import type { Endpoint } from "./endpoint.ts";
import { CLIENT_ENDPOINTS } from "./endpoints/clients.ts";
import { DEAD_LETTER_ENDPOINTS } from "./endpoints/dead-letters.ts";
import { HEALTH_ENDPOINTS } from "./endpoints/health.ts";
import { METRICS_ENDPOINTS } from "./endpoints/metrics.ts";
import { OVERVIEW_ENDPOINTS } from "./endpoints/overview.ts";
import { PUBLISH_ENDPOINTS } from "./endpoints/publish.ts";
import { QUEUE_ENDPOINTS } from "./endpoints/queues.ts";
import { openApiDocument } from "./openapi.ts";
import { ok, openObject } from "./schemas.ts";

const DOCUMENT: Endpoint = {
  id: "getOpenApi",
  method: "GET",
  path: "/api/v1/openapi.json",
  summary: "This interface as an OpenAPI 3.1 document",
  tag: "broker",
  access: "open",
  responses: ok("The document", openObject("OpenAPI 3.1")),
  handle: (_call, { version }) => ({ status: 200, body: openApiDocument(ENDPOINTS, version) }),
};

/** Everything that is served over HTTP besides WebSocket. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...HEALTH_ENDPOINTS,
  ...METRICS_ENDPOINTS,
  ...PUBLISH_ENDPOINTS,
  DOCUMENT,
  ...OVERVIEW_ENDPOINTS,
  ...QUEUE_ENDPOINTS,
  ...DEAD_LETTER_ENDPOINTS,
  ...CLIENT_ENDPOINTS,
];
