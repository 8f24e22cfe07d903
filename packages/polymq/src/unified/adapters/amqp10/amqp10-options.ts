import type { AmqpQueueMessage } from "../../../amqp10/client/queues/queue-message.ts";
import type {
  AmqpQueueCursor,
  AmqpQueuePublishOptions,
  AmqpQueueSubscribeOptions,
} from "../../../amqp10/client/queues/queue-options.ts";
import type { MessageInput } from "../../../amqp10/codec/message.ts";
import { MessagingError } from "../../../base/errors.ts";
import { copyOf } from "../../../bytes/copy.ts";
import type { AnyPublishOptions, ConsumeCall } from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import type { QueuePublishOptions, StreamFrom } from "../../options.ts";
import { flagOf, splitProperties } from "../../properties.ts";

/** Refuses what AMQP 1.0 has not. @throws {MessagingError} ERR_UNSUPPORTED, ERR_INVALID_QOS */
export function checkTopicOptions(options: AnyPublishOptions): void {
  const { qos = 0, retain, exchange, routingKey, mandatory } = options;
  if (retain === true) throw unsupported("kept messages (retain)");
  if (exchange !== undefined || routingKey !== undefined || mandatory !== undefined) throw unsupported("exchanges");
  if (qos === 2) throw unsupported("QoS 2");
  if (qos !== 0 && qos !== 1) throw new MessagingError("ERR_INVALID_QOS", "qos must be 0 or 1");
}

/** True for options of which nothing is said in the message and that end no waiting. */
export function isBare({ contentType, expiresAfterMs, properties, signal }: AnyPublishOptions): boolean {
  return contentType === undefined && expiresAfterMs === undefined && properties === undefined && signal === undefined;
}

/** The bytes of a payload, the caller's own or new ones. @throws {MessagingError} ERR_INVALID_MESSAGE */
export function dataOf(payload: string | Uint8Array): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (typeof payload === "string") return new TextEncoder().encode(payload);
  throw new MessagingError("ERR_INVALID_MESSAGE", "a payload is text or bytes");
}

/** A message with one data section, which has bytes of its own: it is written a moment later. @throws {MessagingError} ERR_INVALID_MESSAGE, ERR_INVALID_ARGUMENT */
export function messageOf(
  payload: string | Uint8Array,
  options: Omit<QueuePublishOptions, "signal"> | undefined,
): MessageInput {
  const given = dataOf(payload);
  const data = given === payload ? copyOf(given) : given;
  const body = { type: "data", data } as const;
  if (options === undefined) return { header: DURABLE, body };
  const { contentType, expiresAfterMs, priority } = options;
  const own = ownProperties(options.properties);
  return {
    header: {
      durable: true,
      ...(expiresAfterMs === undefined ? {} : { ttl: milliseconds(expiresAfterMs) }),
      ...(priority === undefined ? {} : { priority }),
    },
    ...(contentType === undefined ? {} : { properties: { contentType } }),
    ...(Object.keys(own).length === 0 ? {} : { applicationProperties: own }),
    body,
  };
}

const DURABLE: NonNullable<MessageInput["header"]> = Object.freeze({ durable: true });

/** Application properties. @throws {MessagingError} ERR_INVALID_MESSAGE; ERR_UNSUPPORTED for keys that name an exchange, which AMQP 0-9-1 alone has */
function ownProperties(properties: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const { own, words } = splitProperties(properties, "amqp");
  if (words["exchange"] !== undefined || words["routing_key"] !== undefined) throw unsupported("exchanges");
  if (flagOf(words, "mandatory") === true || flagOf(words, "immediate") === true) {
    throw unsupported("mandatory and immediate publishes");
  }
  return own;
}

/** Options of a publish below `$queue/`. @throws {MessagingError} ERR_INVALID_MESSAGE */
export function queuePublishOptions(options: QueuePublishOptions): AmqpQueuePublishOptions {
  const { routingKey, priority, deliverAfterMs, contentType, expiresAfterMs, signal } = options;
  const own = ownProperties(options.properties);
  return {
    ...(Object.keys(own).length === 0 ? {} : { properties: own }),
    ...(routingKey === undefined ? {} : { routingKey }),
    ...(priority === undefined ? {} : { priority }),
    ...(deliverAfterMs === undefined ? {} : { deliverAfterMs }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresAfterMs === undefined ? {} : { messageExpiryMs: milliseconds(expiresAfterMs) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** How messages of a queue are consumed. */
export function subscribeOptions(
  call: ConsumeCall,
  wrap: (message: AmqpQueueMessage) => Delivery,
): AmqpQueueSubscribeOptions {
  const { deliver, filter, prefetch, concurrency, ack, whenHandlerFails, signal } = call;
  return {
    ack,
    whenHandlerFails,
    ...(deliver === null ? {} : { handler: (message: AmqpQueueMessage) => deliver(wrap(message)) }),
    ...(filter === "" ? {} : { filter }),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Where reading begins, in the words of the protocol client; null for where the group stands. */
export function cursorOf(from: StreamFrom): AmqpQueueCursor | null {
  if (from === "resume") return null;
  if (from === "first") return "earliest";
  if (from === "next") return "latest";
  if (from === "last") return "last";
  if (typeof from !== "object" || from === null) throw invalidStart();
  const { offset, timestamp } = from as { readonly offset?: unknown; readonly timestamp?: unknown };
  if (typeof offset === "number") return offset;
  if (typeof timestamp === "number") return { timestamp };
  throw invalidStart();
}

function invalidStart(): MessagingError {
  const what = "from must be first, last, next, resume, { offset } or { timestamp }";
  return new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", what);
}

function milliseconds(ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 0 && ms <= 0xffff_ffff) return ms;
  throw new MessagingError("ERR_INVALID_ARGUMENT", "expiresAfterMs must be a whole number of ms, 0 to 2^32 - 1");
}
