/**
 * `polymq/amqp10/engine`: the state machines of AMQP 1.0 without I/O, the same for client and server: connection, sessions, links,
 * deliveries, and the SASL mechanisms.
 */
export { ReceivedDelivery, SentDelivery } from "./deliveries.ts";
export { type End, endError } from "./end.ts";
export { Engine } from "./engine.ts";
export { CHANNEL_MAX, type EngineOptions, FRAME_BYTES_MAX, HELD_BYTES_MAX } from "./engine-options.ts";
export type { AnyLink, EngineHandler, Owners } from "./handler.ts";
export type { AcceptFields, AttachFields, LinkState } from "./link.ts";
export { MESSAGE_BYTES_MAX, ReceiverLink } from "./receiver-link.ts";
export {
  oauthBearerResponse,
  plainResponse,
  preparedCredential,
  SCRAM_ITERATIONS_LEAST,
  SCRAM_ITERATIONS_MAX,
  ScramClient,
  type ScramCrypto,
  type ScramHash,
  type ScramOptions,
  xoauth2Response,
} from "./scram.ts";
export {
  type ScramKeyOptions,
  type ScramKeys,
  ScramServer,
  type ScramServerOptions,
  scramKeys,
} from "./scram-server.ts";
export { SenderLink, type SendOptions } from "./sender-link.ts";
export { Session, type SessionState } from "./session.ts";
export { HANDLE_MAX, INCOMING_WINDOW, type SessionOptions } from "./session-options.ts";
