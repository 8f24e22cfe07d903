// Hot path: one object per received queue message; what it says of itself is read from the user properties when asked for.
import { MessagingError } from "../../../base/errors.ts";
import type { PublishProperties, UserProperties } from "../../codec/packets.ts";
import type { MqttMessage } from "../message.ts";
import { QUEUE_PREFIX } from "./queue-address.ts";

/** What a consumer can say about a message. */
export type SettleVerb = "ack" | "nack" | "reject";

/** Options of `ack`, `nack` and `reject`. */
export interface QueueSettleOptions {
  /** Gives up waiting with `ERR_ABORTED`; the server may have taken the settlement all the same. */
  readonly signal?: AbortSignal;
}

/** Options of `nack`. */
export interface QueueNackOptions extends QueueSettleOptions {
  /** Delivered again after this many ms at the earliest; a server other than polymq's broker decides by itself. Default 0. */
  readonly delayMs?: number;
}

/** Why a message is in a dead-letter queue. */
export interface DeadLetterFacts {
  /** `rejected`, `expired`, `delivery-limit` or `maxlen`. */
  readonly reason: string;
  /** The queue it comes from, its offset there, and how many times it had been delivered. */
  readonly queue: string;
  readonly offset: number;
  readonly count: number;
  /** When it first became a dead letter, in ms since 1970. */
  readonly firstDeathMs: number;
}

/** Where a message's settlement goes. @internal */
export interface QueueSettler {
  readonly queue: string;
  settle(
    message: MqttQueueMessage,
    verb: SettleVerb,
    extra: UserProperties,
    signal: AbortSignal | undefined,
  ): Promise<void>;
}

/**
 * A message of a queue or stream. It is settled once: by one of `ack`, `nack` and `reject`, or by the subscription when its handler
 * is done. `payload` is a view, as that of {@link MqttMessage}.
 */
export class MqttQueueMessage {
  /** The message as MQTT delivered it. Its own `ack`, `reject` and `withhold` are not for queue messages. */
  readonly message: MqttMessage;
  /** @internal */
  readonly settler: QueueSettler;
  /** @internal */
  settlement: "open" | "settling" | "settled" = "open";

  /** @internal */
  constructor(message: MqttMessage, settler: QueueSettler) {
    this.message = message;
    this.settler = settler;
  }

  get payload(): Uint8Array {
    return this.message.payload;
  }

  /** The topic it was delivered on: `$queue/<queue>[/<routing key>]`. */
  get topic(): string {
    return this.message.topic;
  }

  /** The queue's name. */
  get queue(): string {
    return this.#get("queue") ?? this.settler.queue;
  }

  /** What follows the queue in `topic`, or "". */
  get routingKey(): string {
    return this.topic.slice(QUEUE_PREFIX.length + this.queue.length + 1);
  }

  /** `<queue>:<offset>`; "" with MQTT 3.1.1, which cannot say it. */
  get messageId(): string {
    return this.#get("message-id") ?? "";
  }

  /** The group that it was delivered to, as the server names it (`group` or `group@filter`); "" with MQTT 3.1.1. */
  get groupId(): string {
    return this.#get("group-id") ?? "";
  }

  /** Its place in the queue, from 0; -1 when the server did not say. @throws {MessagingError} ERR_INVALID_MESSAGE above 2^53 - 1 */
  get offset(): number {
    return this.#number("offset") ?? this.#number("sequence") ?? -1;
  }

  /** Earlier deliveries to the group: 0 the first time. Servers that do not count say 1 of a repeated message. */
  get deliveryCount(): number {
    return this.#number("delivery-count") ?? Number(this.message.dup);
  }

  /** The topic as it was published to, or null when the server did not say. */
  get sourceTopic(): string | null {
    return this.#get("x-source-topic");
  }

  /** Of a stream: the offset; null on a work queue. */
  get streamOffset(): number | null {
    // On a work queue a property of this name is the publisher's own.
    return this.#get("x-stream-offset") === this.#get("offset") ? this.#number("x-stream-offset") : null;
  }

  /** Of a stream: when the message was appended, in ms since 1970. */
  get streamTimestampMs(): number | null {
    return this.streamOffset === null ? null : this.#number("x-stream-timestamp");
  }

  /** Of a stream with a primary group: the next offset that this group has not settled. */
  get workCommittedOffset(): number | null {
    return this.streamOffset === null ? null : this.#number("x-work-committed-offset");
  }

  /** Of a stream with a primary group: true when this group has settled the message. */
  get workAcked(): boolean | null {
    const said = this.streamOffset === null ? null : this.#get("x-work-acked");
    return said === null ? null : said === "true";
  }

  /** Of a stream with a primary group: the group's name. */
  get workGroup(): string | null {
    return this.streamOffset === null ? null : this.#get("x-work-group");
  }

  /** Of a dead letter of polymq's broker: what happened to it; else null. */
  get deadLetter(): DeadLetterFacts | null {
    const reason = this.#get("x-dead-letter-reason");
    if (reason === null) return null;
    return {
      reason,
      queue: this.#get("x-dead-letter-queue") ?? "",
      offset: this.#number("x-dead-letter-offset") ?? -1,
      count: this.#number("x-dead-letter-count") ?? 0,
      firstDeathMs: this.#number("x-first-death-ms") ?? 0,
    };
  }

  /** MQTT 5.0 properties as received, or null; those of the publisher among them. */
  get properties(): PublishProperties | null {
    return this.message.properties;
  }

  /** User properties: the publisher's, then what the server says of the delivery. */
  get userProperties(): UserProperties {
    return this.message.userProperties;
  }

  /** The payload as UTF-8 text; ill-formed bytes become U+FFFD. */
  text(): string {
    return this.message.text();
  }

  /** The payload parsed as JSON. @throws {MessagingError} ERR_INVALID_MESSAGE when it is none */
  json(): unknown {
    return this.message.json();
  }

  /**
   * The message is done with. Resolves when the server has confirmed it: `$ack` at QoS 1, then the delivery's PUBACK. With MQTT 3.1.1, or
   * without a group, PUBACK alone says so, and nothing confirms it.
   * @throws {MessagingError} ERR_PUBLISH_REJECTED with the server's code (0x80: it was not pending any more), ERR_ALREADY_SETTLED,
   *   ERR_TIMEOUT, ERR_ABORTED, ERR_NOT_CONNECTED, ERR_CLIENT_CLOSED
   */
  ack(options: QueueSettleOptions = {}): Promise<void> {
    return this.settler.settle(this, "ack", [], options.signal);
  }

  /**
   * The message was not handled and is to be delivered again, to any member of the group. Resolves when the server has confirmed it. A server
   * other than polymq's broker keeps it until its visibility timeout: the delivery stays without its PUBACK and takes a place of the receive
   * maximum until then.
   * @throws {MessagingError} as `ack`; ERR_STALE_DELIVERY from polymq's broker when its connection is gone, with which it was given back already;
   *   ERR_QUEUE_ACK_REQUIRES_V5 with MQTT 3.1.1, ERR_QUEUE_ACK_MISSING_GROUP when the server named no group
   */
  async nack(options: QueueNackOptions = {}): Promise<void> {
    await this.settler.settle(this, "nack", nackProperties(options.delayMs), options.signal);
  }

  /**
   * The message cannot be handled: it goes to the dead-letter queue, where the server has one. Resolves when the server has confirmed it.
   * @throws {MessagingError} as `nack`
   */
  reject(reason?: string, options: QueueSettleOptions = {}): Promise<void> {
    return this.settler.settle(this, "reject", rejectProperties(reason), options.signal);
  }

  /** The last value of a name: the server writes after the publisher. */
  #get(name: string): string | null {
    const pairs = this.message.userProperties;
    for (let i = pairs.length - 1; i >= 0; i--) {
      const pair = pairs[i];
      if (pair !== undefined && pair[0] === name) return pair[1];
    }
    return null;
  }

  #number(name: string): number | null {
    const text = this.#get(name);
    if (text === null || !DIGITS.test(text)) return null;
    const value = Number(text);
    if (Number.isSafeInteger(value)) return value;
    throw new MessagingError("ERR_INVALID_MESSAGE", `${name} ${text} is above 2^53 - 1`);
  }
}

const DIGITS = /^\d+$/;

/** User properties of `$nack`. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function nackProperties(delayMs: number | undefined): UserProperties {
  if (delayMs === undefined || delayMs === 0) return [];
  if (Number.isSafeInteger(delayMs) && delayMs > 0) return [["delay-ms", String(delayMs)]];
  throw new MessagingError("ERR_INVALID_ARGUMENT", "delayMs must be a whole number of ms, 0 or more");
}

/** User properties of `$reject`. */
export function rejectProperties(reason: string | undefined): UserProperties {
  return reason === undefined || reason === "" ? [] : [["reason", reason]];
}
