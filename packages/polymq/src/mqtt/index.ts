/** `polymq/mqtt`: the MQTT 3.1.1 and 5.0 client, for Node, Bun and Deno. */
import { nodePlatform } from "../transport/node/platform.ts";
import { MqttClientBase } from "./client/mqtt-client.ts";
import type { MqttClientOptions } from "./client/options.ts";

/** An MQTT 3.1.1 and 5.0 client over TCP, TLS and WebSocket. See {@link MqttClientBase} for its methods. */
export class MqttClient extends MqttClientBase {
  /** Checks the options; nothing is connected yet. @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_OPTIONS */
  constructor(options: MqttClientOptions) {
    super(options, nodePlatform());
  }
}

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
export type { ServerCapabilities } from "./client/capabilities.ts";
export type { DropReason, MqttClientEvent, MqttClientEvents, MqttClientState } from "./client/events.ts";
export { MqttMessage } from "./client/message.ts";
export {
  type DisconnectOptions,
  MqttClientBase,
  type MqttPublishMessage,
  type Payload,
  type PublishOptions,
  type PublishPropertiesInput,
  type RequestOptions,
  type Responder,
  type SettleByIdOptions,
} from "./client/mqtt-client.ts";
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
export {
  type DeadLetterFacts,
  MqttQueueMessage,
  type QueueNackOptions,
  type QueueSettleOptions,
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
export { type MessageHandler, MqttSubscription, type Overflow, type SubscribedFilter } from "./client/subscription.ts";
export { type UserPropertiesInput, userPropertyValues } from "./client/user-properties.ts";
export type { PublishProperties, QoS, UserProperties } from "./codec/packets.ts";
export { ReasonCode } from "./codec/reason-codes.ts";
export { topicMatches } from "./codec/topic.ts";
