// Hot path: `encode` runs per queued message. No closure, promise, spread, iterator or regex here.
import { ByteReader, ByteWriter, isMessagingError, MessagingError, type TextCodec } from "polymq/internal";
import type { MessageView } from "../message.ts";
import { corrupt } from "../records.ts";
import { type DeadLetterFacts, type DeadLetterReason, type DeathCount, QueueMessage } from "./queue-message.ts";

/*
 * A message in a queue's log, numbers big-endian, texts as u16 length and UTF-8:
 *   u8  flags: 1 properties, 2 dead letter, 4 expires, 8 came by an exchange, 16 dead letter with its deaths
 *   u8  priority
 *   u16 where the routing key begins in the topic, in UTF-16 units
 *   u32 encoding of the properties
 *   u64 appended at, milliseconds since 1970
 *   u64 bytes of the log up to and including this record
 *   [u64 expires at]
 *   topic, publisher id, origin, external id
 *   [exchange, routing key]
 *   [u8 reason, u8 replayed, u64 offset, u32 deliveries, u64 first death, queue, group, detail]
 *   [u8 count of deaths; of each: u8 reason, u32 count, u64 first time, queue, exchange, u8 count of keys, keys]
 *   [u32 length of the properties, properties]
 *   payload
 */

/** Where a message goes and what it becomes there. */
export interface Placement {
  offset: number;
  /** Bytes of the log before it. */
  startBytes: number;
  keyStart: number;
  priority: number;
  createdAtMs: number;
  expiresAtMs: number;
  deadLetter: DeadLetterFacts | null;
}

/** What is read of a message that is to be queued: a publisher's view, or a message out of another queue. */
export type Enqueued = Pick<
  MessageView,
  "topic" | "exchange" | "routingKey" | "payload" | "properties" | "encoding" | "publisherId" | "origin" | "externalId"
>;

/** Writes and reads the records of queues' logs. */
export class QueueRecordCodec {
  readonly #writer: ByteWriter;
  readonly #reader: ByteReader;
  readonly #text: TextCodec;
  #slab: Uint8Array = new Uint8Array(SLAB_BYTES);
  #slabAt = 0;

  constructor(text: TextCodec) {
    this.#text = text;
    this.#writer = new ByteWriter(text, 4096);
    this.#reader = new ByteReader(text);
  }

  /** The message as it stands in a queue, its bytes copied once. */
  encode(message: Enqueued, place: Placement): QueueMessage {
    const { payload, properties } = message;
    this.#writeHead(message, place);
    const writer = this.#writer;
    const propertiesStart = writer.at;
    const payloadStart = propertiesStart + (properties === null ? 0 : properties.length);
    const record = this.#allocate(payloadStart + payload.length);
    // The count of bytes is known only now; it lies at a fixed place.
    const endBytes = place.startBytes + record.length;
    writer.at = END_BYTES_AT;
    putTime(writer, endBytes);
    copy(writer.buffer, propertiesStart, record);
    if (properties !== null) record.set(properties, propertiesStart);
    record.set(payload, payloadStart);
    return new QueueMessage({
      offset: place.offset,
      topic: message.topic,
      exchange: message.exchange,
      routingKey: message.routingKey,
      keyStart: place.keyStart,
      priority: place.priority,
      encoding: message.encoding,
      publisherId: message.publisherId,
      origin: message.origin,
      externalId: message.externalId,
      createdAtMs: place.createdAtMs,
      expiresAtMs: place.expiresAtMs,
      endBytes,
      deadLetter: place.deadLetter,
      record,
      propertiesStart,
      payloadStart,
    });
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decode(offset: number, record: Uint8Array): QueueMessage {
    const r = this.#reader;
    r.reset(record, 0, record.length);
    try {
      return this.#read(offset, record, r);
    } catch (cause) {
      if (isMessagingError(cause) && cause.code === "ERR_STORE_CORRUPT") throw cause;
      throw new MessagingError("ERR_STORE_CORRUPT", "a queued message cannot be read", { cause });
    }
  }

  #writeHead(message: Enqueued, place: Placement): void {
    const w = this.#writer;
    const { properties, exchange } = message;
    const { deadLetter, expiresAtMs } = place;
    const expires = expiresAtMs !== Number.POSITIVE_INFINITY;
    w.at = 0;
    w.reserve(64);
    w.u8(
      (properties === null ? 0 : PROPERTIES) |
        (deadLetter === null ? 0 : DEAD | DEATHS) |
        (expires ? EXPIRES : 0) |
        (exchange === null ? 0 : ROUTED),
    );
    w.u8(place.priority);
    w.u16(place.keyStart);
    w.u32(message.encoding);
    putTime(w, place.createdAtMs);
    putTime(w, 0);
    if (expires) putTime(w, expiresAtMs);
    this.#putText(message.topic);
    this.#putText(message.publisherId);
    this.#putText(message.origin);
    this.#putText(message.externalId);
    if (exchange !== null) {
      this.#putText(exchange);
      this.#putText(message.routingKey);
    }
    if (deadLetter !== null) this.#writeDeadLetter(deadLetter);
    w.reserve(4);
    if (properties !== null) w.u32(properties.length);
  }

  #writeDeadLetter(facts: DeadLetterFacts): void {
    const w = this.#writer;
    w.reserve(24);
    w.u8(REASONS.indexOf(facts.reason));
    w.u8(facts.isReplayed ? 1 : 0);
    putTime(w, facts.offset);
    w.u32(facts.count);
    putTime(w, facts.firstDeathMs);
    this.#putText(facts.queue);
    this.#putText(facts.group);
    this.#putText(facts.detail);
    w.reserve(1);
    w.u8(facts.deaths.length);
    for (const death of facts.deaths) this.#writeDeath(death);
  }

  #writeDeath(death: DeathCount): void {
    const w = this.#writer;
    w.reserve(13);
    w.u8(REASONS.indexOf(death.reason));
    w.u32(death.count);
    putTime(w, death.timeMs);
    this.#putText(death.queue);
    this.#putText(death.exchange);
    w.reserve(1);
    w.u8(death.keys.length);
    for (const key of death.keys) this.#putText(key);
  }

  #read(offset: number, record: Uint8Array, r: ByteReader): QueueMessage {
    const flags = r.u8();
    const priority = r.u8();
    const keyStart = r.u16();
    const encoding = r.u32();
    const createdAtMs = time(r);
    const endBytes = time(r);
    const expiresAtMs = (flags & EXPIRES) === 0 ? Number.POSITIVE_INFINITY : time(r);
    const topic = this.#takeText(r);
    const publisherId = this.#takeText(r);
    const origin = this.#takeText(r);
    const externalId = this.#takeText(r);
    const isRouted = (flags & ROUTED) !== 0;
    const exchange = isRouted ? this.#takeText(r) : null;
    const routingKey = isRouted ? this.#takeText(r) : "";
    const deadLetter = (flags & DEAD) === 0 ? null : this.#readDeadLetter(r, (flags & DEATHS) !== 0);
    const propertiesLength = (flags & PROPERTIES) === 0 ? 0 : r.u32();
    const propertiesStart = r.at;
    r.view(propertiesLength);
    const parts = {
      offset,
      topic,
      exchange,
      routingKey,
      keyStart,
      priority,
      encoding,
      publisherId,
      origin,
      externalId,
    };
    const stamps = { createdAtMs, expiresAtMs, endBytes, deadLetter };
    return new QueueMessage(Object.assign(parts, stamps, { record, propertiesStart, payloadStart: r.at }));
  }

  #readDeadLetter(r: ByteReader, hasDeaths: boolean): DeadLetterFacts {
    const reason = reasonOf(r.u8());
    const isReplayed = r.u8() === 1;
    const offset = time(r);
    const count = r.u32();
    const firstDeathMs = time(r);
    const queue = this.#takeText(r);
    const group = this.#takeText(r);
    const detail = this.#takeText(r);
    const deaths = hasDeaths ? Array.from({ length: r.u8() }, () => this.#readDeath(r)) : [];
    return { reason, isReplayed, offset, count, firstDeathMs, queue, group, detail, deaths };
  }

  #readDeath(r: ByteReader): DeathCount {
    const reason = reasonOf(r.u8());
    const count = r.u32();
    const timeMs = time(r);
    const queue = this.#takeText(r);
    const exchange = this.#takeText(r);
    const keys = Array.from({ length: r.u8() }, () => this.#takeText(r));
    return { queue, reason, count, timeMs, exchange, keys };
  }

  #putText(text: string): void {
    const w = this.#writer;
    w.reserve(2 + text.length * 3);
    w.string16(text);
  }

  #takeText(r: ByteReader): string {
    const length = r.u16();
    if (length === 0) return "";
    const start = r.at;
    r.view(length);
    return this.#text.utf8(r.buffer, start, start + length);
  }

  /** Small records share an allocation, which costs more than the bytes; one that stays alive keeps at most a slab. */
  #allocate(bytes: number): Uint8Array {
    if (bytes > SLAB_BYTES / 4) return new Uint8Array(bytes);
    if (this.#slabAt + bytes > SLAB_BYTES) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#slabAt = 0;
    }
    const start = this.#slabAt;
    this.#slabAt = start + bytes;
    return this.#slab.subarray(start, start + bytes);
  }
}

function reasonOf(index: number): DeadLetterReason {
  const reason = REASONS[index];
  if (reason === undefined) throw corrupt("an unknown reason of a dead letter");
  return reason;
}

function copy(from: Uint8Array, length: number, into: Uint8Array): void {
  for (let i = 0; i < length; i++) into[i] = from[i] as number;
}

function putTime(w: ByteWriter, value: number): void {
  w.u32(Math.floor(value / 0x1_0000_0000));
  w.u32(value >>> 0);
}

function time(r: ByteReader): number {
  const high = r.u32();
  return high * 0x1_0000_0000 + r.u32();
}

const SLAB_BYTES = 16_384;
const PROPERTIES = 1;
const DEAD = 2;
const EXPIRES = 4;
const ROUTED = 8;
const DEATHS = 16;
const END_BYTES_AT = 16;
const REASONS: readonly DeadLetterReason[] = ["rejected", "expired", "delivery-limit", "maxlen"];
