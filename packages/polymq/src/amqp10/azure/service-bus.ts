import { MessagingError } from "../../base/errors.ts";
import { webText } from "../../bytes/text.ts";
import type { AmqpDelivery } from "../client/delivery.ts";
import { type LinkFilter, linkFilter, selectorFilter } from "../client/filters.ts";
import type { AmqpReceiver } from "../client/receiver.ts";
import { encodeMessage, type MessageInput } from "../codec/message.ts";
import { type AmqpInput, type MapInput, plain, uuidText } from "../codec/values.ts";

/** `wss://...` of a namespace, for networks that let only HTTPS out; connect with `webSocket: { protocols: ["AMQPWSB10"] }` or `amqp`. */
export function azureWebSocketUrl(host: string): string {
  return `wss://${host}:443/$servicebus/websocket`;
}

/** Asks for a session of a queue with sessions: that of an id, or the next free one (see {@link sessionIdOf}). */
export function sessionFilter(sessionId: string | null): LinkFilter {
  return linkFilter("com.microsoft:session-filter", sessionId, 0x0013_7000_000c);
}

/** The session that a receiver got. */
export function sessionIdOf(receiver: AmqpReceiver): string | null {
  const id = plain(receiver.filters?.get("com.microsoft:session-filter") ?? null);
  return id === null ? null : String(id);
}

/** Where reading a partition of an event hub begins. */
export type EventPosition =
  | { readonly offset: string; readonly inclusive?: boolean }
  | { readonly sequenceNumber: number | bigint; readonly inclusive?: boolean }
  /** Ms since 1970. */
  | { readonly enqueuedAtMs: number };

/** The filter of an event hub's position. */
export function eventPositionFilter(position: EventPosition): LinkFilter {
  if ("enqueuedAtMs" in position)
    return selectorFilter(`amqp.annotation.x-opt-enqueued-time > '${position.enqueuedAtMs}'`);
  const sign = position.inclusive === true ? ">=" : ">";
  if ("offset" in position)
    return selectorFilter(`amqp.annotation.x-opt-offset ${sign} '${position.offset.replaceAll("'", "''")}'`);
  return selectorFilter(`amqp.annotation.x-opt-sequence-number ${sign} '${position.sequenceNumber}'`);
}

/** The message is done with. @throws {MessagingError} as `AmqpDelivery.accept`, here and below */
export function complete(delivery: AmqpDelivery): Promise<void> {
  return delivery.accept();
}

/** Gives the message back, to be delivered again. @param properties application properties to be set on it */
export function abandon(delivery: AmqpDelivery, properties?: MapInput): Promise<void> {
  return delivery.modify(properties === undefined ? {} : { messageAnnotations: properties });
}

/** Sets the message aside; it can be had by its sequence number only. */
export function defer(delivery: AmqpDelivery, properties?: MapInput): Promise<void> {
  const annotations = properties === undefined ? {} : { messageAnnotations: properties };
  return delivery.modify({ undeliverableHere: true, ...annotations });
}

/** Moves the message to the dead-letter queue. */
export function deadLetter(
  delivery: AmqpDelivery,
  why: { readonly reason?: string; readonly description?: string } = {},
): Promise<void> {
  const info = new Map<AmqpInput, AmqpInput>();
  if (why.reason !== undefined) info.set("DeadLetterReason", why.reason);
  if (why.description !== undefined) info.set("DeadLetterErrorDescription", why.description);
  return delivery.reject({ condition: "com.microsoft:dead-letter", info });
}

/** The lock token of a message, from its delivery tag. @throws {MessagingError} ERR_INVALID_MESSAGE for a tag that is none */
export function lockTokenOf(delivery: AmqpDelivery): string {
  const tag = delivery.deliveryTag;
  if (tag.length !== 16) throw new MessagingError("ERR_INVALID_MESSAGE", "the delivery tag is no lock token");
  // .NET writes the first three parts of a GUID with their lowest byte first.
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return uuidText(Uint8Array.from(order, (from) => tag[from] as number));
}

/** The message format of a batch. */
export const BATCH_FORMAT = 0x80013700;

/** Several messages as one: send it with `messageFormat: BATCH_FORMAT`. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function batchOf(messages: readonly MessageInput[]): MessageInput {
  const text = webText();
  return { body: { type: "data", data: messages.map((message) => encodeMessage(text, message)) } };
}
