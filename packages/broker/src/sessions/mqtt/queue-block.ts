// Hot path: `write` runs per delivery of a queue. No closure, promise, spread, iterator or regex here.
import { ByteWriter, MessagingError, type TextCodec } from "polymq/internal";
import { PROPERTY_COUNT_MAX } from "polymq/mqtt/codec";
import { deliveredAddress } from "../../core/queues/delivered-address.ts";
import type { DeadLetterFacts, QueueMessage } from "../../core/queues/queue-message.ts";
import type { QueueDelivery, StreamFacts } from "../../core/queues/queue-port.ts";
import { DEAD_LETTER_NAMES, STAMP_NAMES } from "../delivery-names.ts";
import { namesByLength } from "../names-by-length.ts";
import { MQTT_ENCODING, propertyBytes } from "./property-block.ts";
import { isNamed, USER_PROPERTY } from "./queue-properties.ts";

/**
 * User properties that the broker writes. Those that a publisher gives are left out, on whatever queue the message lands: nobody but the broker
 * says what a delivery is.
 */
const OWN = [
  ...STAMP_NAMES,
  ...DEAD_LETTER_NAMES,
  "message-id",
  "delivery-count",
  "x-stream-offset",
  "x-queue-forward-targets",
];

/** Names that begin so are nobody's but the broker's. */
const RESERVED_PREFIX = "_flux.";

const OWN_BY_LENGTH: readonly (readonly string[] | undefined)[] = namesByLength(OWN);

/** Most properties that the broker adds to one delivery. */
const ADDED_MAX = 24;

/** Bytes of what is written besides user properties. */
const FIXED_BYTES_MAX = 16;

/** Bytes that a UTF-16 unit can take. */
const UTF8_BYTES_MAX = 3;

const EXPIRY = 0x02;
const SUBSCRIPTION_IDENTIFIER = 0x0b;
const EXPIRY_SECONDS_MAX = 0xffff_ffff;

/** Writes the property blocks of deliveries of queues, one after the other into the same bytes. */
export class QueueBlockWriter {
  readonly #w: ByteWriter;

  constructor(text: TextCodec) {
    this.#w = new ByteWriter(text, 512);
  }

  /**
   * The publisher's properties without those that only the broker writes, then the broker's own; valid until the next call.
   * @param identifier the subscription's, or 0
   * @param block the publisher's properties, turned over where they came by another protocol
   * @throws {MessagingError} ERR_PACKET_TOO_LARGE with more properties than one packet may have, or a text that no property can hold
   */
  write(
    delivery: QueueDelivery,
    identifier: number,
    epochMs: number,
    block: Uint8Array | null = ownBlock(delivery.message),
  ): Uint8Array {
    const { message, queue, offset } = delivery;
    const w = this.#w;
    w.at = 0;
    w.reserve((block?.length ?? 0) + FIXED_BYTES_MAX);
    if (block !== null) this.#publishersOwn(block);
    if (message.expiresAtMs !== Number.POSITIVE_INFINITY) {
      w.u8(EXPIRY);
      w.u32(Math.min(EXPIRY_SECONDS_MAX, Math.max(0, Math.ceil((message.expiresAtMs - epochMs) / 1000))));
    }
    if (identifier !== 0) {
      w.u8(SUBSCRIPTION_IDENTIFIER);
      w.varint(identifier);
    }
    const digits = String(offset);
    this.#add("message-id", `${queue}:${digits}`);
    this.#add("group-id", delivery.group);
    this.#add("queue", queue);
    this.#add("offset", digits);
    this.#add("x-source-topic", sayable(message.topic));
    this.#add("delivery-count", String(delivery.deliveryCount));
    if (delivery.stream !== null) this.#addStream(delivery.stream, digits, offset);
    if (message.publisherId !== "") this.#add("client_id", sayable(message.publisherId));
    if (message.origin !== "") this.#add("protocol", message.origin);
    if (message.externalId !== "") this.#add("external_id", sayable(message.externalId));
    if (message.deadLetter !== null) this.#addDeath(message.deadLetter);
    return w.buffer.subarray(0, w.at);
  }

  #publishersOwn(block: Uint8Array): void {
    let count = ADDED_MAX;
    for (let at = 0; at < block.length; ) {
      const end = at + propertyBytes(block, at);
      if (block[at] !== USER_PROPERTY || !isReserved(block, at)) {
        if (++count > PROPERTY_COUNT_MAX) throw tooLarge("too many properties");
        this.#w.bytes(block.subarray(at, end));
      }
      at = end;
    }
  }

  #addStream(stream: StreamFacts, digits: string, offset: number): void {
    this.#add("x-stream-offset", digits);
    this.#add("x-stream-timestamp", String(stream.timestampMs));
    if (stream.work === null) return;
    this.#add("x-work-committed-offset", String(stream.work.committed));
    this.#add("x-work-acked", offset < stream.work.committed ? "true" : "false");
    this.#add("x-work-group", stream.work.group);
  }

  #addDeath(death: DeadLetterFacts): void {
    this.#add("x-dead-letter-reason", death.reason);
    this.#add("x-dead-letter-queue", death.queue);
    this.#add("x-dead-letter-offset", String(death.offset));
    this.#add("x-dead-letter-count", String(death.count));
    this.#add("x-first-death-ms", String(death.firstDeathMs));
    if (death.detail !== "") this.#add("x-dead-letter-detail", sayable(death.detail));
  }

  #add(name: string, text: string): void {
    const w = this.#w;
    w.reserve(5 + name.length + UTF8_BYTES_MAX * text.length);
    w.u8(USER_PROPERTY);
    w.string16(name);
    w.string16(text);
  }
}

/** A text of another protocol as MQTT can say it: over U+0000 a client would end its connection, whenever the message comes [MQTT-1.5.4-2]. */
function sayable(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
}

function ownBlock(message: QueueMessage): Uint8Array | null {
  return message.encoding === MQTT_ENCODING ? message.properties : null;
}

/** Whether the user property at `at` is one that only the broker writes. */
function isReserved(block: Uint8Array, at: number): boolean {
  const length = ((block[at + 1] as number) << 8) | (block[at + 2] as number);
  const names = OWN_BY_LENGTH[length];
  if (names !== undefined)
    for (let i = 0; i < names.length; i++) if (isNamed(block, at, names[i] as string)) return true;
  if (length < RESERVED_PREFIX.length) return false;
  for (let i = 0; i < RESERVED_PREFIX.length; i++) {
    if (block[at + 3 + i] !== RESERVED_PREFIX.charCodeAt(i)) return false;
  }
  return true;
}

function tooLarge(what: string): MessagingError {
  return new MessagingError("ERR_PACKET_TOO_LARGE", what);
}

/** The topic on which a queue's message is delivered, as {@link deliveredAddress}; keys of other protocols that no topic can hold are left out. */
export function deliveredTopic(message: QueueMessage, queue: string): string {
  const { topic } = message;
  if (topic.includes("#") || topic.includes("+") || topic.includes("\0")) return `$queue/${queue}`;
  return deliveredAddress(message, queue);
}
