/** The MQTT engines of both roles, for tool makers and the broker: bytes in, bytes and calls out, no I/O. */
export { ClientEngine, type ClientEngineOptions, type ClientHandler } from "./client-engine.ts";
export type { ClientLevel } from "./client-level.ts";
export { CLIENT_LEVEL_4 } from "./client-level-4.ts";
export { CLIENT_LEVEL_5 } from "./client-level-5.ts";
export { Endpoint, NO_TICKET } from "./endpoint.ts";
export type { EndpointAgreement, EndpointHandler, EndpointOptions } from "./endpoint-contract.ts";
export { type AckSink, Arrival, InboundFlow } from "./inbound-flow.ts";
export { OutboundFlow, Phase } from "./outbound-flow.ts";
export { type Acceptance, ServerEngine, type ServerEngineOptions, type ServerHandler } from "./server-engine.ts";
export { SessionState } from "./session-state.ts";
