/** The MQTT engines of both roles, for tool makers and the broker: bytes in, bytes and calls out, no I/O. */

export { REQUEST_CODEC, type RequestCodec } from "../codec/request-codec.ts";
export { ClientEngine, type ClientEngineOptions, type ClientHandler } from "./client-engine.ts";
export type { ClientLevel } from "./client-level.ts";
export { CLIENT_LEVEL_4 } from "./client-level-4.ts";
export { CLIENT_LEVEL_5 } from "./client-level-5.ts";
export { Endpoint } from "./endpoint.ts";
export type { EndpointAgreement, EndpointHandler, EndpointOptions } from "./endpoint-contract.ts";
export { type AckSink, Arrival, InboundFlow } from "./inbound-flow.ts";
export { OutboundFlow, Phase } from "./outbound-flow.ts";
export { NO_TICKET, Receiver, type ReceiverHandler, type ReceiverParts } from "./receiver.ts";
export type { Receiving, ReceivingEndpoint, Reception } from "./reception.ts";
export { type Acceptance, ServerEngine, type ServerEngineOptions, type ServerHandler } from "./server-engine.ts";
export { SessionState } from "./session-state.ts";
