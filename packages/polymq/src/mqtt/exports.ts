/** What `polymq/mqtt` exports on every runtime. */
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
export type {
  ClientPart,
  DisconnectOptions,
  MqttPublishMessage,
  Payload,
  PublishOptions,
  PublishPropertiesInput,
  RequestOptions,
  Responder,
  ResponderAnswer,
  SettleByIdOptions,
} from "./client/call-options.ts";
export type { ServerCapabilities } from "./client/capabilities.ts";
export type { DropReason, MqttClientEvent, MqttClientEvents, MqttClientState } from "./client/events.ts";
export type { MqttMessage } from "./client/message.ts";
export type {
  AuthChallenge,
  AuthenticationOptions,
  Credentials,
  MqttClientOptions,
  ReconnectOptions,
  WaitingLimits,
  WebSocketOptions,
  WhenOffline,
  WillOptions,
} from "./client/options.ts";
export type { PublishResult } from "./client/pending.ts";
export type {
  DeadLetterFacts,
  MqttQueueMessage,
  QueueNackOptions,
  QueueSettleOptions,
} from "./client/queues/queue-message.ts";
export type {
  QueueConsumeOptions,
  QueueMessageHandler,
  QueuePublishOptions,
  QueueSubscribeOptions,
  StreamStart,
  StreamSubscribeOptions,
} from "./client/queues/queue-options.ts";
export type { FilterOptions, SubscribeInput, SubscribeOptions } from "./client/subscribe-options.ts";
export type { MessageHandler, MqttSubscription, Overflow, SubscribedFilter } from "./client/subscription.ts";
export { type UserPropertiesInput, userPropertyValues } from "./client/user-properties.ts";
export type { PublishProperties, QoS, UserProperties } from "./codec/packets.ts";
export { ReasonCode } from "./codec/reason-codes.ts";
export { topicMatches } from "./codec/topic.ts";
