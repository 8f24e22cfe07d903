// Hot path: `encode` runs per queued message. No closure, promise, spread, iterator or regex here.
import { ByteReader, ByteWriter, isMessagingError, MessagingError, type TextCodec } from "polymq/internal";
import { putU32, putU64 } from "../../storage/layout.ts";
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
  /** Where the record that was written last lies: from `start` on in `slab`. Nothing is written there again. */
  slab: Uint8Array = new Uint8Array(SLAB_BYTES);
  start = 0;
  #slabAt = 0;
  readonly #writer: ByteWriter;
  readonly #reader: ByteReader;
  readonly #text: TextCodec;
  readonly #lastWritten: Texts = new Texts();
  readonly #lastRead: Texts = new Texts();

  constructor(text: TextCodec) {
    this.#text = text;
    this.#writer = new ByteWriter(text, 4096);
    this.#reader = new ByteReader(text);
  }

  /**
   * Writes a message as it stands in a queue, its bytes copied once, to {@link slab} at {@link start}, and returns how many bytes that are.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for a text above 65,535 bytes
   */
  write(message: Enqueued, place: Placement): number {
    const { payload, properties } = message;
    const { deadLetter, expiresAtMs } = place;
    if (!this.#lastWritten.isOf(message)) this.#writeTexts(message);
    const texts = this.#lastWritten.bytes;
    const deathBytes = deadLetter === null ? 0 : this.#writeDeadLetter(deadLetter);
    const expires = expiresAtMs !== Number.POSITIVE_INFINITY;
    const textsStart = expires ? HEAD_BYTES + 8 : HEAD_BYTES;
    const deathStart = textsStart + texts.length;
    const propertiesStart = deathStart + deathBytes + (properties === null ? 0 : 4);
    const payloadStart = propertiesStart + (properties === null ? 0 : properties.length);
    const bytes = payloadStart + payload.length;
    this.#allocate(bytes);
    const { slab, start } = this;
    slab[start] =
      (properties === null ? 0 : PROPERTIES) |
      (deadLetter === null ? 0 : DEAD | DEATHS) |
      (expires ? EXPIRES : 0) |
      (message.exchange === null ? 0 : ROUTED);
    slab[start + 1] = place.priority;
    slab[start + 2] = place.keyStart >>> 8;
    slab[start + 3] = place.keyStart;
    putU32(slab, start + 4, message.encoding);
    putU64(slab, start + 8, place.createdAtMs);
    putU64(slab, start + 16, place.startBytes + bytes);
    if (expires) putU64(slab, start + HEAD_BYTES, expiresAtMs);
    copy(texts, texts.length, slab, start + textsStart);
    if (deathBytes > 0) copy(this.#writer.buffer, deathBytes, slab, start + deathStart);
    if (properties !== null) {
      putU32(slab, start + propertiesStart - 4, properties.length);
      slab.set(properties, start + propertiesStart);
    }
    slab.set(payload, start + payloadStart);
    return bytes;
  }

  /** The record of a message; it is not written again. @throws {MessagingError} ERR_INVALID_ARGUMENT for a text above 65,535 bytes */
  encode(message: Enqueued, place: Placement): Uint8Array {
    const bytes = this.write(message, place);
    return this.slab.subarray(this.start, this.start + bytes);
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

  /** Most messages have the texts of the one before. */
  #writeTexts(message: Enqueued): void {
    const w = this.#writer;
    w.at = 0;
    this.#putText(message.topic);
    this.#putText(message.publisherId);
    this.#putText(message.origin);
    this.#putText(message.externalId);
    if (message.exchange !== null) {
      this.#putText(message.exchange);
      this.#putText(message.routingKey);
    }
    this.#lastWritten.take(message, w.copyFrom(0));
  }

  /** Writes to the scratch buffer and returns how much. */
  #writeDeadLetter(facts: DeadLetterFacts): number {
    const w = this.#writer;
    w.at = 0;
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
    return w.at;
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
    const texts = this.#readTexts(record, r, (flags & ROUTED) !== 0);
    const deadLetter = (flags & DEAD) === 0 ? null : this.#readDeadLetter(r, (flags & DEATHS) !== 0);
    const propertiesLength = (flags & PROPERTIES) === 0 ? 0 : r.u32();
    const propertiesStart = r.at;
    if (propertiesLength > 0) r.view(propertiesLength);
    return new QueueMessage({
      offset,
      topic: texts.topic,
      exchange: texts.exchange,
      routingKey: texts.routingKey,
      keyStart,
      priority,
      encoding,
      publisherId: texts.publisherId,
      origin: texts.origin,
      externalId: texts.externalId,
      createdAtMs,
      expiresAtMs,
      endBytes,
      deadLetter,
      record,
      propertiesStart,
      payloadStart: r.at,
    });
  }

  /** Reads over the texts; where they are those of the message before, without making strings anew. */
  #readTexts(record: Uint8Array, r: ByteReader, isRouted: boolean): Texts {
    const last = this.#lastRead;
    const start = r.at;
    if (last.stand(record, start, isRouted)) {
      r.at = start + last.bytes.length;
      return last;
    }
    const topic = this.#takeText(r);
    const publisherId = this.#takeText(r);
    const origin = this.#takeText(r);
    const externalId = this.#takeText(r);
    const exchange = isRouted ? this.#takeText(r) : null;
    const routingKey = isRouted ? this.#takeText(r) : "";
    last.take({ topic, publisherId, origin, externalId, exchange, routingKey }, record.slice(start, r.at));
    return last;
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
  #allocate(bytes: number): void {
    if (this.#slabAt + bytes > SLAB_BYTES) {
      this.slab = new Uint8Array(bytes > SLAB_BYTES ? bytes : SLAB_BYTES);
      this.#slabAt = 0;
    }
    this.start = this.#slabAt;
    this.#slabAt += bytes;
  }
}

/** The texts of a message, and as they stand in its record. */
class Texts {
  topic = "";
  publisherId = "";
  origin = "";
  externalId = "";
  exchange: string | null = null;
  routingKey = "";
  /** Empty before the first. */
  bytes: Uint8Array = new Uint8Array(0);

  isOf(message: Named): boolean {
    return (
      this.topic === message.topic &&
      this.publisherId === message.publisherId &&
      this.origin === message.origin &&
      this.externalId === message.externalId &&
      this.exchange === message.exchange &&
      this.routingKey === message.routingKey &&
      this.bytes.length > 0
    );
  }

  /** Whether they stand at a place in a record. */
  stand(record: Uint8Array, start: number, isRouted: boolean): boolean {
    const { bytes } = this;
    const { length } = bytes;
    if (length === 0 || isRouted !== (this.exchange !== null) || start + length > record.length) return false;
    for (let i = 0; i < length; i++) if (record[start + i] !== bytes[i]) return false;
    return true;
  }

  take(of: Named, bytes: Uint8Array): void {
    this.topic = of.topic;
    this.publisherId = of.publisherId;
    this.origin = of.origin;
    this.externalId = of.externalId;
    this.exchange = of.exchange;
    this.routingKey = of.routingKey;
    this.bytes = bytes;
  }
}

type Named = Pick<Enqueued, "topic" | "publisherId" | "origin" | "externalId" | "exchange" | "routingKey">;

function reasonOf(index: number): DeadLetterReason {
  const reason = REASONS[index];
  if (reason === undefined) throw corrupt("an unknown reason of a dead letter");
  return reason;
}

function copy(from: Uint8Array, length: number, into: Uint8Array, at: number): void {
  for (let i = 0; i < length; i++) into[at + i] = from[i] as number;
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

/** Bytes of what every record has in front of its texts. */
const HEAD_BYTES = 24;
const REASONS: readonly DeadLetterReason[] = ["rejected", "expired", "delivery-limit", "maxlen"];
