/** The MQTT engines of both roles, for tool makers and the broker: bytes in, bytes and calls out, no I/O. */
export { ClientEngine, type ClientEngineOptions, type ClientHandler } from "./client-engine.ts";
export {
  Endpoint,
  type EndpointAgreement,
  type EndpointHandler,
  type EndpointOptions,
  NO_TICKET,
} from "./endpoint.ts";
export { type AckSink, Arrival, InboundFlow } from "./inbound-flow.ts";
export { OutboundFlow, Phase } from "./outbound-flow.ts";
export { type Acceptance, ServerEngine, type ServerEngineOptions, type ServerHandler } from "./server-engine.ts";
export { SessionState } from "./session-state.ts";
