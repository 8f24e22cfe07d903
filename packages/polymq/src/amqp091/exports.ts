/** What `polymq/amqp091` exports on every runtime. */
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
export { AmqpClientBase } from "./client/amqp-client.ts";
export { AmqpChannel } from "./client/channel.ts";
export type { ExchangeOptions, QueueFacts, QueueOptions } from "./client/channel-options.ts";
export { type AmqpConsumeOptions, AmqpConsumer, type AmqpHandler } from "./client/consumer.ts";
export type { AmqpDialect } from "./client/dialect.ts";
export type { AmqpClientEvent, AmqpClientEvents, AmqpClientState } from "./client/events.ts";
export { AmqpMessage, AmqpReturned, UnroutableError } from "./client/message.ts";
export type { AmqpClientOptions, AmqpCredentials, AmqpReconnectOptions } from "./client/options.ts";
export type { AmqpPublishOptions } from "./client/publisher.ts";
export type { AmqpDelivery } from "./client/queues/delivery.ts";
export type { AmqpQueueMessage } from "./client/queues/queue-message.ts";
export type {
  AmqpQueuePublishOptions,
  AmqpQueueSubscribeOptions,
  AmqpStreamOffset,
  AmqpStreamQueueOptions,
  AmqpStreamSubscribeOptions,
  AmqpSubscribeOptions,
} from "./client/queues/queue-options.ts";
export type { AmqpSubscription } from "./client/queues/subscription.ts";
export type { AmqpTopicMessage } from "./client/queues/topic-message.ts";
export type { AmqpAnswer, AmqpRequestOptions, AmqpResponder } from "./client/requester.ts";
export { type FieldTable, type FieldValue, TypedField } from "./codec/field-value.ts";
export type { BasicProperties } from "./codec/properties.ts";
export type { Tuning as AmqpTuning } from "./engine/tuning.ts";
