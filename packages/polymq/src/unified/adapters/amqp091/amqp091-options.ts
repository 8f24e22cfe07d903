import type { AmqpPublishOptions } from "../../../amqp091/client/publisher.ts";
import type { AmqpDelivery } from "../../../amqp091/client/queues/delivery.ts";
import type { AmqpQueuePublishOptions, AmqpSubscribeOptions } from "../../../amqp091/client/queues/queue-options.ts";
import type { BasicProperties } from "../../../amqp091/codec/properties.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { AnyPublishOptions, ConsumeCall } from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import type { CommonPublishOptions, QueuePublishOptions } from "../../options.ts";
import { flagOf, splitProperties } from "../../properties.ts";

/** A publish to a topic in the words of AMQP 0-9-1; `exchange` null for what stands for topics on the server. */
export interface TopicPublish {
  readonly exchange: string | null;
  readonly routingKey: string | null;
  readonly options: AmqpPublishOptions | undefined;
}

/** True when the options say nothing that would travel with the message. */
export function isPlain(options: AnyPublishOptions): boolean {
  return (
    options.properties === undefined &&
    options.contentType === undefined &&
    options.expiresAfterMs === undefined &&
    options.exchange === undefined &&
    options.routingKey === undefined &&
    options.mandatory === undefined
  );
}

/** Refuses what only MQTT can do. @throws {MessagingError} ERR_UNSUPPORTED, ERR_INVALID_QOS */
export function checkTopicOptions({ qos = 0, retain }: AnyPublishOptions): void {
  if (retain === true) throw unsupported("kept messages (retain)");
  if (qos === 2) throw unsupported("QoS 2");
  if (qos !== 0 && qos !== 1) throw new MessagingError("ERR_INVALID_QOS", "qos must be 0 or 1");
}

/** Translates a publish to a topic. @throws {MessagingError} ERR_UNSUPPORTED, ERR_INVALID_MESSAGE, ERR_INVALID_ARGUMENT */
export function topicPublish(options: AnyPublishOptions): TopicPublish {
  const { own, words } = splitProperties(options.properties, "amqp");
  if (flagOf(words, "immediate") === true) throw unsupported("immediate publishes");
  const mandatory = options.mandatory ?? flagOf(words, "mandatory");
  return {
    exchange: options.exchange ?? words["exchange"] ?? null,
    routingKey: options.routingKey ?? words["routing_key"] ?? null,
    options: { ...propertiesOf(own, options), ...(mandatory === undefined ? {} : { mandatory }) },
  };
}

/** Options of a publish into a queue. @throws {MessagingError} as {@link topicPublish} */
export function queuePublishOptions(options: QueuePublishOptions): AmqpQueuePublishOptions {
  const { routingKey, priority, deliverAfterMs } = options;
  const { own } = splitProperties(options.properties, "amqp");
  return {
    ...propertiesOf(own, options),
    ...(routingKey === undefined ? {} : { routingKey }),
    ...(priority === undefined ? {} : { priority }),
    ...(deliverAfterMs === undefined ? {} : { deliverAfterMs }),
  };
}

/** How messages are consumed, in the words of AMQP 0-9-1. */
export function subscribeOptions<M extends AmqpDelivery>(
  call: ConsumeCall,
  wrap: (message: M) => Delivery,
): AmqpSubscribeOptions<M> {
  const { deliver, prefetch, concurrency, ack, whenHandlerFails, signal } = call;
  return {
    ack,
    whenHandlerFails: whenHandlerFails === "nack" ? "requeue" : "reject",
    ...(deliver === null ? {} : { handler: (message: M) => deliver(wrap(message)) }),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Names of headers that are properties of every message, as FluxMQ's Go client has it. */
const BASIC: Readonly<Record<string, keyof BasicProperties>> = {
  "content-type": "contentType",
  "content-encoding": "contentEncoding",
  "correlation-id": "correlationId",
  "reply-to": "replyTo",
  "message-id": "messageId",
  type: "type",
  "app-id": "appId",
  expiration: "expiration",
};

/** What travels with a request or an answer. @throws {MessagingError} as {@link topicPublish} */
export function carried(options: CommonPublishOptions): AmqpPublishOptions {
  return propertiesOf(splitProperties(options.properties, "amqp").own, options);
}

function propertiesOf(own: Readonly<Record<string, string>>, options: CommonPublishOptions): AmqpPublishOptions {
  const headers: Record<string, string> = {};
  const basic: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    const property = Object.hasOwn(BASIC, name) ? BASIC[name] : undefined;
    if (property === undefined) headers[name] = value;
    else basic[property] = value;
  }
  const { contentType, expiresAfterMs, signal } = options;
  return {
    ...basic,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresAfterMs === undefined ? {} : { expiration: milliseconds(expiresAfterMs) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function milliseconds(ms: number): string {
  if (Number.isSafeInteger(ms) && ms >= 0) return String(ms);
  throw new MessagingError("ERR_INVALID_ARGUMENT", "expiresAfterMs must be a whole number of ms, 0 or more");
}
