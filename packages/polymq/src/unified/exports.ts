/** What `polymq` exports on every runtime. */
export type { EventOf, EventStream } from "../base/emitter.ts";
export {
  type ErrorCode,
  type ErrorInfo,
  type ErrorRetry,
  type ErrorScope,
  isMessagingError,
  MessagingError,
  type PeerReason,
} from "../base/errors.ts";
export type { TlsMaterial, TlsOptions } from "../transport/platform.ts";
export type { Client, NativeClients, QueueHandleOptions, Responding } from "./client.ts";
export { bytes, type Codec, InvalidMessageError, json, text } from "./codec.ts";
export type { Connect } from "./connect.ts";
export type { Subscription } from "./consumer.ts";
export type { ClientEvent, ClientEvents, ClientState } from "./events.ts";
export type { Committable, DelayedNack, Message, NackOptions, RejectReason, StreamMessage } from "./message.ts";
export { MultiClient, type MultiClientConfig, type ProtocolOption } from "./multi-client.ts";
export type {
  ClientAnswer,
  ClientAnswerMessage,
  ClientCredentials,
  ClientOptions,
  ClientPublishOptions,
  ClientReconnectOptions,
  ClientRequestOptions,
  ClientSubscribeOptions,
  CommitOption,
  CommonPublishOptions,
  ConsumeOptions,
  ExactlyOnceOption,
  ExchangeOptions,
  QosOption,
  QueueConsumeOptions,
  QueuePublishOptions,
  RetainOption,
  StreamFrom,
  StreamReadOptions,
  TopicFilterOptions,
  WhenInvalid,
} from "./options.ts";
export type {
  Can,
  Capabilities,
  Capability,
  Dialect,
  Nothing,
  Protocol,
  ProtocolChoice,
  ProtocolFor,
  ProtocolOf,
  SchemeProtocols,
  Urls,
  WhenCan,
} from "./protocol.ts";
export type { Queue } from "./queue.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
export type { Stream, StreamCommits, StreamCore } from "./stream.ts";
