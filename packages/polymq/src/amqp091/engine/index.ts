/** The AMQP 0-9-1 engines of both roles, for tool makers and the broker: bytes in, bytes and calls out, no I/O. */
export { AckRanges, type AckSink } from "./ack-ranges.ts";
export {
  Channel,
  type ChannelState,
  ClientChannel,
  type EngineTypes,
  type PendingRequest,
  ServerChannel,
} from "./channel.ts";
export {
  CLIENT_CAPABILITIES,
  ClientEngine,
  type ClientEngineOptions,
  type ClientHandler,
  refusalError,
  type ServerFacts,
} from "./client-engine.ts";
export { Endpoint } from "./endpoint.ts";
export type { CloseReason, EndpointHandler, EndpointOptions } from "./endpoint-options.ts";
export { shortReplyText } from "./reply-text.ts";
export { ServerEngine, type ServerEngineOptions, type ServerHandler } from "./server-engine.ts";
export { TagRing, type TagSink } from "./tag-ring.ts";
export { answerTune, checkTuneOk, TUNING_DEFAULT, type TuneArguments, type Tuning } from "./tuning.ts";
