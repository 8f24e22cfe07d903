// Hot path: one object per message of a queue; what it says of itself is read from the properties when asked for.
import { MessagingError } from "../../../base/errors.ts";
import { NO_BYTES } from "../../../bytes/no-bytes.ts";
import { Condition } from "../../codec/conditions.ts";
import type { MessageView } from "../../codec/message-view.ts";
import { type AmqpMap, plain, typed } from "../../codec/values.ts";
import type { AmqpDelivery } from "../delivery.ts";
import { QUEUE_PREFIX } from "./queue-address.ts";
import { DELIVERY_DELAY, type QueueServer } from "./queue-options.ts";

/** What a message asks of the subscription that it came to. @internal */
export interface QueueSource {
  readonly queue: string;
  readonly server: QueueServer;
  /** The message is settled. */
  settled(message: AmqpQueueMessage): void;
}

/** Why a message is in a dead-letter queue. */
export interface AmqpDeadLetterFacts {
  /** `rejected`, `expired`, `delivery-limit` or `maxlen`. */
  readonly reason: string;
  /** The queue it comes from, its offset there, and how many times it had been delivered. */
  readonly queue: string;
  readonly offset: number;
  readonly count: number;
  /** When it first became a dead letter, in ms since 1970. */
  readonly firstDeathMs: number;
}

/** A message of a queue. It is settled once: by one of `ack`, `nack` and `reject`, or by the subscription when its handler is done. */
export class AmqpQueueMessage {
  /** The message as it came. */
  readonly delivery: AmqpDelivery;
  readonly #source: QueueSource;
  #open = true;
  #data: Uint8Array | null = null;
  #properties: AmqpMap | null | undefined;

  /** @internal */
  constructor(delivery: AmqpDelivery, source: QueueSource) {
    this.delivery = delivery;
    this.#source = source;
  }

  /** The sections of the message. */
  get message(): MessageView {
    return this.delivery.message;
  }

  /** Its data, a view of what was received. */
  get payload(): Uint8Array {
    this.#data ??= this.message.data ?? NO_BYTES;
    return this.#data;
  }

  /** The address it was delivered on: `$queue/<queue>[/<routing key>]`. */
  get address(): string {
    const to = this.message.properties?.to;
    return typeof to === "string" ? to : QUEUE_PREFIX + this.queue;
  }

  /** The queue's name. */
  get queue(): string {
    return this.#text("queue") ?? this.#source.queue;
  }

  /** What follows the queue in `address`, or "". */
  get routingKey(): string {
    return this.address.slice(QUEUE_PREFIX.length + this.queue.length + 1);
  }

  /** `<queue>:<offset>`, or "" where the server says none. */
  get messageId(): string {
    // Of a request, the property is what its sender called it.
    const own = this.#text("queue") === null ? null : this.#text("message-id");
    const id = own ?? plain(this.message.properties?.messageId ?? null);
    return id === null ? (this.#text("message-id") ?? "") : String(id);
  }

  /** The group that it was delivered to, as the server names it (`group` or `group@filter`), or "". */
  get groupId(): string {
    return this.#text("group-id") ?? "";
  }

  /** Its place in the queue, from 0; -1 when the server did not say. @throws {MessagingError} ERR_INVALID_MESSAGE above 2^53 - 1 */
  get offset(): number {
    return this.#number("offset") ?? -1;
  }

  /** Earlier deliveries to the group: 0 the first time, and where the server does not count. */
  get deliveryCount(): number {
    return this.message.header?.deliveryCount ?? this.#number("delivery-count") ?? 0;
  }

  /** The topic as it was published to, or null when the server did not say. */
  get sourceTopic(): string | null {
    return this.#text("x-source-topic");
  }

  /** Of a stream: the offset; null on a work queue. */
  get streamOffset(): number | null {
    // On a work queue a property of this name is the publisher's own.
    return this.#text("x-stream-offset") === this.#text("offset") ? this.#number("x-stream-offset") : null;
  }

  /** Of a stream: when the message was appended, in ms since 1970. */
  get streamTimestampMs(): number | null {
    return this.streamOffset === null ? null : this.#number("x-stream-timestamp");
  }

  /** Of a dead letter of polymq's broker: what happened to it; else null. */
  get deadLetter(): AmqpDeadLetterFacts | null {
    const reason = this.#text("x-dead-letter-reason");
    if (reason === null) return null;
    return {
      reason,
      queue: this.#text("x-dead-letter-queue") ?? "",
      offset: this.#number("x-dead-letter-offset") ?? -1,
      count: this.#number("x-dead-letter-count") ?? 0,
      firstDeathMs: this.#number("x-first-death-ms") ?? 0,
    };
  }

  /** Application properties: the publisher's, and what the server says of the delivery. */
  get properties(): AmqpMap | null {
    this.#properties ??= this.message.applicationProperties;
    return this.#properties;
  }

  /** True from the first `ack`, `nack` or `reject` on. */
  get settled(): boolean {
    return !this.#open;
  }

  /** The payload as UTF-8 text; ill-formed bytes become U+FFFD. */
  text(): string {
    return new TextDecoder().decode(this.payload);
  }

  /** The payload parsed as JSON. @throws {MessagingError} ERR_INVALID_MESSAGE when it is none */
  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      throw new MessagingError("ERR_INVALID_MESSAGE", "the payload is no JSON", { cause });
    }
  }

  /**
   * The message is done with. Resolves when that is said to the server, which confirms nothing.
   * @throws {MessagingError} ERR_ALREADY_SETTLED, ERR_STALE_DELIVERY when its connection is gone: the server may deliver it again
   */
  ack(): Promise<void> {
    return this.#settle(() => this.delivery.accept());
  }

  /**
   * The message was not handled and is to be delivered again, to any member of the group.
   * @param options.delayMs at the earliest after so long (polymq's broker). Default 0
   * @throws {MessagingError} as `ack`; ERR_UNSUPPORTED for a delay on another server, ERR_INVALID_ARGUMENT
   */
  nack(options: { readonly delayMs?: number } = {}): Promise<void> {
    const { delayMs = 0 } = options;
    if (!Number.isSafeInteger(delayMs) || delayMs < 0) {
      return Promise.reject(new MessagingError("ERR_INVALID_ARGUMENT", "delayMs must be a whole number of ms"));
    }
    if (this.#source.server !== "polymq") {
      if (delayMs === 0) return this.#settle(() => this.delivery.release());
      return Promise.reject(new MessagingError("ERR_UNSUPPORTED", "this server cannot delay what is delivered again"));
    }
    // Only a delivery that failed is counted (§3.4.4), as it is on other protocols.
    if (delayMs === 0) return this.#settle(() => this.delivery.modify({ deliveryFailed: true }));
    const messageAnnotations = { [DELIVERY_DELAY]: typed("ulong", delayMs) };
    return this.#settle(() => this.delivery.modify({ deliveryFailed: true, messageAnnotations }));
  }

  /** The message cannot be handled: it goes to the dead-letter queue, where the server has one. @throws {MessagingError} as `ack` */
  reject(reason?: string): Promise<void> {
    const error = reason === undefined ? null : { condition: Condition.preconditionFailed, description: reason };
    return this.#settle(() => this.delivery.reject(error));
  }

  #settle(say: () => Promise<void>): Promise<void> {
    if (!this.#open) return Promise.reject(new MessagingError("ERR_ALREADY_SETTLED", "the message is settled already"));
    this.#open = false;
    const said = say();
    this.#source.settled(this);
    return said;
  }

  #text(name: string): string | null {
    const value = this.properties?.get(name);
    return value === undefined || value === null ? null : String(plain(value));
  }

  #number(name: string): number | null {
    const text = this.#text(name);
    if (text === null || !DIGITS.test(text)) return null;
    const value = Number(text);
    if (Number.isSafeInteger(value)) return value;
    throw new MessagingError("ERR_INVALID_MESSAGE", `${name} ${text} is above 2^53 - 1`);
  }
}

const DIGITS = /^\d+$/;
