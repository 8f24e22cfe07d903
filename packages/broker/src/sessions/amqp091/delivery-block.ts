// Hot path: `plain` and `stamped` run per delivery. No closure, promise, spread, iterator or regex on their usual way.
import { NO_PROPERTIES } from "polymq/amqp091/codec";
import { ByteWriter, type TextCodec } from "polymq/internal";
import type { DeadLetterFacts, DeathCount, QueueMessage } from "../../core/queues/queue-message.ts";
import type { QueueDelivery, StreamFacts } from "../../core/queues/queue-port.ts";
import { DEAD_LETTER_NAMES, STAMP_NAMES } from "../delivery-names.ts";
import { namesByLength } from "../names-by-length.ts";
import { Encoding } from "../translate/encodings.ts";
import type { PropertyTranslator } from "../translate/property-translator.ts";
import { BlockFields, Flag, fieldBytes, isNamed, Place } from "./block-fields.ts";

/** Headers that tell a consumer of a queue by its plain name of the delivery: one of the two is written. */
const PLAIN: readonly string[] = ["x-delivery-count", "x-stream-offset"];

/** Headers that dead letters have besides. */
const DEATH: readonly string[] = [
  ...DEAD_LETTER_NAMES,
  "x-death",
  "x-first-death-reason",
  "x-first-death-queue",
  "x-first-death-exchange",
  "x-last-death-reason",
  "x-last-death-queue",
  "x-last-death-exchange",
];

/** Names by their lengths. */
type Names = readonly (readonly string[] | undefined)[];

const PLAIN_NAMES: Names = namesByLength(PLAIN);
const DEAD_NAMES: Names = namesByLength([...PLAIN, ...DEATH]);
const STAMPED_NAMES: Names = namesByLength([...PLAIN, ...DEATH, ...STAMP_NAMES]);

/** Bytes that a UTF-16 unit can take. */
const UTF8_BYTES_MAX = 3;

const TWO_32 = 0x1_0000_0000;

/** The longest short string. */
const SHORT_BYTES_MAX = 255;

const TABLE = 0x46;
const ARRAY = 0x41;
const LONG_STRING = 0x53;
const INT64 = 0x6c;
const BOOLEAN = 0x74;
const TIMESTAMP = 0x54;

/**
 * Makes the property blocks of deliveries: the publisher's own, turned over where it spoke another protocol, with what the broker has to say about the
 * delivery among its headers. A block is valid until the next call.
 */
export class DeliveryBlocks {
  readonly #text: TextCodec;
  readonly #translator: PropertyTranslator;
  readonly #fields = new BlockFields();
  readonly #w: ByteWriter;
  readonly #headers: ByteWriter;

  constructor(text: TextCodec, translator: PropertyTranslator) {
    this.#text = text;
    this.#translator = translator;
    this.#w = new ByteWriter(text, 512);
    this.#headers = new ByteWriter(text, 512);
  }

  /** For consumers that know nothing of `$queue/`: as published, unless there is something to tell that AMQP servers tell. */
  plain(delivery: QueueDelivery, epochMs: number): Uint8Array {
    const { message, deliveryCount, stream } = delivery;
    const block = this.#publishers(message, epochMs);
    if (deliveryCount === 0 && stream === null && message.deadLetter === null) return block;
    this.#headers.at = 0;
    if (stream !== null) this.#int64("x-stream-offset", delivery.offset);
    else if (deliveryCount > 0) this.#int64("x-delivery-count", deliveryCount);
    if (message.deadLetter !== null) this.#deaths(message.deadLetter, block);
    const isDead = message.deadLetter !== null;
    return this.#spliced(block, null, isDead, isDead ? DEAD_NAMES : PLAIN_NAMES);
  }

  /** For consumers of `$queue/` addresses and named groups: with all that the broker knows of the delivery. */
  stamped(delivery: QueueDelivery, epochMs: number): Uint8Array {
    const { message, queue, offset, stream } = delivery;
    const block = this.#publishers(message, epochMs);
    this.#headers.at = 0;
    const digits = String(offset);
    this.#string("group-id", delivery.group);
    this.#string("queue", queue);
    this.#string("offset", digits);
    this.#string("x-source-topic", message.topic);
    if (stream !== null) this.#stream(stream, offset);
    else this.#int64("x-delivery-count", delivery.deliveryCount);
    if (message.publisherId !== "") this.#string("client_id", message.publisherId);
    if (message.origin !== "") this.#string("protocol", message.origin);
    if (message.externalId !== "") this.#string("external_id", message.externalId);
    if (message.deadLetter !== null) this.#deaths(message.deadLetter, block);
    return this.#spliced(block, `${queue}:${digits}`, message.deadLetter !== null, STAMPED_NAMES);
  }

  #publishers(message: QueueMessage, epochMs: number): Uint8Array {
    const { properties } = message;
    if (message.encoding === Encoding.Amqp091) return properties ?? NO_PROPERTIES;
    return this.#translator.toAmqp091(
      { properties, encoding: message.encoding, expiresAtMs: message.expiresAtMs },
      true,
      epochMs,
    );
  }

  #stream(stream: StreamFacts, offset: number): void {
    this.#int64("x-stream-offset", offset);
    this.#int64("x-stream-timestamp", stream.timestampMs);
    if (stream.work === null) return;
    this.#int64("x-work-committed-offset", stream.work.committed);
    this.#boolean("x-work-acked", offset < stream.work.committed);
    this.#string("x-work-group", stream.work.group);
  }

  #deaths(death: DeadLetterFacts, block: Uint8Array): void {
    this.#string("x-dead-letter-reason", death.reason);
    this.#string("x-dead-letter-queue", death.queue);
    this.#string("x-dead-letter-offset", String(death.offset));
    this.#int64("x-dead-letter-count", death.count);
    this.#int64("x-first-death-ms", death.firstDeathMs);
    if (death.detail !== "") this.#string("x-dead-letter-detail", death.detail);
    const { deaths } = death;
    const first = firstOf(deaths);
    const last = deaths[0];
    if (first === undefined || last === undefined) return;
    this.#death("x-first-death", first);
    this.#death("x-last-death", last);
    this.#history(deaths, first, block);
  }

  #death(prefix: string, death: DeathCount): void {
    this.#string(`${prefix}-reason`, wordOf(death.reason));
    this.#string(`${prefix}-queue`, death.queue);
    this.#string(`${prefix}-exchange`, death.exchange);
  }

  /** RabbitMQ's record of deaths: a list of tables, the latest first. */
  #history(deaths: readonly DeathCount[], first: DeathCount, block: Uint8Array): void {
    const list = this.#open("x-death", ARRAY);
    for (let i = 0; i < deaths.length; i++) this.#entry(deaths[i] as DeathCount, deaths[i] === first ? block : null);
    this.#fill(list);
  }

  /** @param block the properties with which the message died there, for its first death; later it has no expiration any more */
  #entry(death: DeathCount, block: Uint8Array | null): void {
    this.#headers.reserve(5);
    this.#headers.u8(TABLE);
    const table = this.#hole();
    this.#int64("count", death.count);
    this.#string("reason", wordOf(death.reason));
    this.#string("queue", death.queue);
    this.#name("time", TIMESTAMP, 8);
    this.#u64(Math.floor(death.timeMs / 1000));
    this.#string("exchange", death.exchange);
    const keys = this.#open("routing-keys", ARRAY);
    for (let i = 0; i < death.keys.length; i++) this.#value(death.keys[i] as string);
    this.#fill(keys);
    if (block !== null) this.#originalExpiration(block);
    this.#fill(table);
  }

  #originalExpiration(block: Uint8Array): void {
    const fields = this.#fields;
    fields.read(block, 0);
    if ((fields.flags & Flag.Expiration) === 0) return;
    const start = (fields.starts[Place.Expiration] as number) + 1;
    const end = fields.ends[Place.Expiration] as number;
    const w = this.#headers;
    this.#name("original-expiration", LONG_STRING, 4 + end - start);
    w.u32(end - start);
    w.bytes(block.subarray(start, end));
  }

  /**
   * The block with the gathered headers behind its own.
   * @param messageId takes the place of the publisher's, or null to leave that
   * @param isDead the time that the publisher gave the message is over and is left out, so that it is not applied again where the client sends it on
   * @param broker names of headers that are left out, for the broker alone writes them here
   */
  #spliced(block: Uint8Array, messageId: string | null, isDead: boolean, broker: Names): Uint8Array {
    const fields = this.#fields;
    const w = this.#w;
    const own = this.#headers;
    fields.read(block, 0);
    const id = messageId !== null && this.#text.byteLength(messageId) <= SHORT_BYTES_MAX ? messageId : null;
    w.at = 0;
    w.reserve(block.length + own.at + SHORT_BYTES_MAX + 16);
    if (isDead) fields.leaveOut(Place.Expiration, Flag.Expiration);
    w.u16(fields.flags | Flag.Headers | (id === null ? 0 : Flag.MessageId));
    for (let place = 0; place < fields.starts.length; place++) {
      const start = fields.starts[place] as number;
      if (place === Place.Headers) this.#writeHeaders(block, start, fields.ends[place] as number, broker);
      else if (place === Place.MessageId && id !== null) this.#writeShort(id);
      else if (start >= 0) w.bytes(block.subarray(start, fields.ends[place] as number));
    }
    return w.buffer.subarray(0, w.at);
  }

  #writeHeaders(block: Uint8Array, start: number, end: number, broker: Names): void {
    const w = this.#w;
    const from = w.at;
    w.u32(0);
    if (start >= 0) {
      for (let at = start + 4; at < end; ) {
        const value = at + 1 + (block[at] as number);
        const next = value + fieldBytes(block, value);
        if (!isOneOf(broker, block, at)) w.bytes(block.subarray(at, next));
        at = next;
      }
    }
    w.bytes(this.#headers.buffer.subarray(0, this.#headers.at));
    const till = w.at;
    w.at = from;
    w.u32(till - from - 4);
    w.at = till;
  }

  #writeShort(value: string): void {
    const w = this.#w;
    const start = w.at++;
    w.buffer[start] = w.utf8(value);
  }

  // Headers, one after the other

  #name(name: string, tag: number, more: number): void {
    const w = this.#headers;
    w.reserve(2 + name.length + more);
    w.u8(name.length);
    w.utf8(name);
    w.u8(tag);
  }

  #string(name: string, value: string): void {
    this.#name(name, LONG_STRING, 0);
    this.#long(value);
  }

  /** A long string as an element of a list. */
  #value(value: string): void {
    this.#headers.reserve(1);
    this.#headers.u8(LONG_STRING);
    this.#long(value);
  }

  #long(value: string): void {
    const w = this.#headers;
    w.reserve(4 + value.length * UTF8_BYTES_MAX);
    const hole = this.#hole();
    w.utf8(value);
    this.#fill(hole);
  }

  #int64(name: string, value: number): void {
    this.#name(name, INT64, 8);
    this.#u64(value);
  }

  #u64(value: number): void {
    this.#headers.u32(Math.floor(value / TWO_32));
    this.#headers.u32(value >>> 0);
  }

  #boolean(name: string, value: boolean): void {
    this.#name(name, BOOLEAN, 1);
    this.#headers.u8(value ? 1 : 0);
  }

  /** Begins a header whose length is not known yet. */
  #open(name: string, tag: number): number {
    this.#name(name, tag, 4);
    return this.#hole();
  }

  /** Leaves room for a length; {@link fill} writes it. */
  #hole(): number {
    const w = this.#headers;
    w.reserve(4);
    const at = w.at;
    w.u32(0);
    return at;
  }

  #fill(hole: number): void {
    const w = this.#headers;
    const till = w.at;
    w.at = hole;
    w.u32(till - hole - 4);
    w.at = till;
  }
}

/** The first of all deaths; the list has the last one first, but one that happened again moves to the front with the time of its first. */
function firstOf(deaths: readonly DeathCount[]): DeathCount | undefined {
  let first = deaths[deaths.length - 1];
  for (let i = deaths.length - 2; first !== undefined && i >= 0; i--) {
    const death = deaths[i] as DeathCount;
    if (death.timeMs < first.timeMs) first = death;
  }
  return first;
}

/** RabbitMQ's words for why a message died. */
function wordOf(reason: DeadLetterFacts["reason"]): string {
  return reason === "delivery-limit" ? "delivery_limit" : reason;
}

/** Whether the header at `at` has one of the names. */
function isOneOf(broker: Names, block: Uint8Array, at: number): boolean {
  const names = broker[block[at] as number];
  if (names === undefined) return false;
  for (let i = 0; i < names.length; i++) if (isNamed(block, at, names[i] as string)) return true;
  return false;
}
