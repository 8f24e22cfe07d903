import { type ByteReader, ByteWriter, MessagingError, type TextCodec } from "polymq/internal";
import { type Guarantee, Message } from "./message.ts";
import { RecordDecoder } from "./record-decoder.ts";
import type { SubscriptionTerms } from "./subscription.ts";

/*
 * Small records of the core in the store. Keys, numbers as u64 so that byte order is number order:
 *   m sequence            a message's body
 *   s session             a session
 *   b session number      one of its subscriptions
 *   d session number      one of its deliveries: what waits for it or is in flight
 *   i session id          an inbound id of an exactly-once publication under way
 *   r sequence            a message that is retained
 *   w number              a delayed publication
 * Those of queues are described in `queues/queue-keys.ts`, those of exchanges in `topology/topology-records.ts`.
 */

/** The kinds of records, as the first byte of their keys. */
export const KIND = {
  message: 0x6d,
  session: 0x73,
  subscription: 0x62,
  delivery: 0x64,
  inbound: 0x69,
  retained: 0x72,
  delayed: 0x77,
  queue: 0x51,
  queueGroup: 0x47,
  queuePage: 0x50,
  queueCount: 0x43,
  queueDelayed: 0x45,
  exchange: 0x58,
  binding: 0x42,
  declaration: 0x44,
} as const;

/** A kind of record. */
export type Kind = (typeof KIND)[keyof typeof KIND];

/** A key of one or two numbers behind its kind. */
export function recordKeyOf(kind: Kind, first: number, second?: number): Uint8Array {
  const key = new Uint8Array(second === undefined ? 9 : 17);
  key[0] = kind;
  putNumber(key, 1, first);
  if (second !== undefined) putNumber(key, 9, second);
  return key;
}

/** All keys of a kind. */
export function kindPrefix(kind: Kind): Uint8Array {
  return Uint8Array.of(kind);
}

/** The first number of a key. */
export function firstNumber(key: Uint8Array): number {
  return getNumber(key, 1);
}

/** The second number of a key. */
export function secondNumber(key: Uint8Array): number {
  return getNumber(key, 9);
}

/** What is stored of a session besides its id. */
export interface SessionFacts {
  /** How long it outlives its connection. Infinity: for ever. */
  readonly expiryMs: number;
  /** When it ends, in milliseconds since 1970; 0 while it is connected, Infinity for never. */
  readonly endsAtMs: number;
  /** The session layer's own data: whose session it is and what it must remember. */
  readonly state: Uint8Array;
}

/** A session as stored. */
export interface SessionRecord extends SessionFacts {
  readonly id: string;
}

/** A delayed publication as stored. */
export interface DelayedRecord {
  readonly owner: string;
  readonly dueAtMs: number;
  readonly sequence: number;
}

/** Writes and reads the values of records. */
export class RecordCodec {
  readonly #writer: RecordWriter;
  readonly #decoder: RecordDecoder;

  constructor(text: TextCodec) {
    this.#writer = new RecordWriter(text, 1024);
    this.#decoder = new RecordDecoder(text);
  }

  encodeMessage(message: Message): Uint8Array {
    const w = this.#start();
    const { payload, properties } = message;
    w.room(64 + payload.length + (properties?.length ?? 0));
    const named = message.origin !== "" || message.externalId !== "";
    w.u8(
      message.guarantee | (message.retain ? RETAIN : 0) | (properties === null ? 0 : PROPERTIES) | (named ? NAMED : 0),
    );
    w.u32(message.encoding);
    w.time(message.createdAtMs);
    w.time(message.expiresAtMs);
    w.text32(message.topic);
    w.text32(message.publisherId);
    if (named) {
      w.text32(message.origin);
      w.text32(message.externalId);
    }
    if (properties !== null) w.bytes32(properties);
    w.room(payload.length);
    w.bytes(payload);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeMessage(sequence: number, value: Uint8Array): Message {
    return this.#decoder.decode(value, (r) => {
      const flags = r.u8();
      const encoding = r.u32();
      const createdAtMs = time(r);
      const expiresAtMs = time(r);
      const topic = this.#decoder.text(r, r.u32());
      const publisherId = this.#decoder.text(r, r.u32());
      const origin = (flags & NAMED) === 0 ? "" : this.#decoder.text(r, r.u32());
      const externalId = (flags & NAMED) === 0 ? "" : this.#decoder.text(r, r.u32());
      const properties = (flags & PROPERTIES) === 0 ? null : r.view(r.u32());
      const parts = {
        topic,
        exchange: null,
        routingKey: "",
        publisherId,
        origin,
        externalId,
        encoding,
        expiresAtMs,
        properties,
        payload: r.view(r.left),
      };
      const retain = (flags & RETAIN) !== 0;
      return new Message({ ...parts, guarantee: guarantee(flags), retain }, createdAtMs, sequence);
    });
  }

  encodeSession(record: SessionRecord): Uint8Array {
    const w = this.#start();
    w.room(24);
    w.time(record.expiryMs);
    w.time(record.endsAtMs);
    w.text32(record.id);
    w.bytes32(record.state);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeSession(value: Uint8Array): SessionRecord {
    return this.#decoder.decode(value, (r) => {
      const expiryMs = time(r);
      const endsAtMs = time(r);
      return { expiryMs, endsAtMs, id: this.#decoder.text(r, r.u32()), state: r.view(r.u32()) };
    });
  }

  encodeSubscription(terms: Required<SubscriptionTerms>): Uint8Array {
    const w = this.#start();
    w.room(8);
    const flags = (terms.noLocal ? NO_LOCAL : 0) | (terms.retainAsPublished ? AS_PUBLISHED : 0);
    w.u8(terms.guaranteeMax | flags | (terms.group === null ? 0 : GROUP));
    w.u32(terms.identifier);
    w.text32(terms.filter);
    if (terms.group !== null) w.text32(terms.group);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeSubscription(value: Uint8Array): Required<SubscriptionTerms> {
    return this.#decoder.decode(value, (r) => {
      const flags = r.u8();
      const identifier = r.u32();
      const filter = this.#decoder.text(r, r.u32());
      const group = (flags & GROUP) === 0 ? null : this.#decoder.text(r, r.u32());
      const noLocal = (flags & NO_LOCAL) !== 0;
      const retainAsPublished = (flags & AS_PUBLISHED) !== 0;
      return { filter, group, identifier, noLocal, retainAsPublished, guaranteeMax: guarantee(flags) };
    });
  }

  /** A delivery: the sequence of its message, then the session layer's record. */
  encodeDelivery(sequence: number, record: Uint8Array): Uint8Array {
    const value = new Uint8Array(8 + record.length);
    putNumber(value, 0, sequence);
    value.set(record, 8);
    return value;
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeDelivery(value: Uint8Array): { readonly sequence: number; readonly record: Uint8Array } {
    if (value.length < 8) throw corrupt("a delivery that is too short");
    return { sequence: getNumber(value, 0), record: value.subarray(8) };
  }

  encodeDelayed(record: DelayedRecord): Uint8Array {
    const w = this.#start();
    w.room(16);
    w.time(record.dueAtMs);
    w.time(record.sequence);
    w.text32(record.owner);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeDelayed(value: Uint8Array): DelayedRecord {
    return this.#decoder.decode(value, (r) => ({
      dueAtMs: time(r),
      sequence: time(r),
      owner: this.#decoder.text(r, r.u32()),
    }));
  }

  #start(): RecordWriter {
    this.#writer.at = 0;
    return this.#writer;
  }
}

/** An `ERR_STORE_CORRUPT` to throw. */
export function corrupt(what: string): MessagingError {
  return new MessagingError("ERR_STORE_CORRUPT", `damaged contents of the store: ${what}`);
}

class RecordWriter extends ByteWriter {
  room(bytes: number): void {
    this.reserve(bytes);
  }

  /** Milliseconds or a count as u64; Infinity as all ones. */
  time(value: number): void {
    const isEndless = value === Number.POSITIVE_INFINITY;
    this.u32(isEndless ? 0xffff_ffff : Math.floor(value / 0x1_0000_0000));
    this.u32(isEndless ? 0xffff_ffff : value >>> 0);
  }

  text32(text: string): void {
    const bytes = this.text.byteLength(text);
    this.reserve(4 + bytes);
    this.u32(bytes);
    this.utf8(text);
  }

  bytes32(bytes: Uint8Array): void {
    this.reserve(4 + bytes.length);
    this.u32(bytes.length);
    this.bytes(bytes);
  }
}

function time(r: ByteReader): number {
  const high = r.u32();
  const low = r.u32();
  return high === 0xffff_ffff ? Number.POSITIVE_INFINITY : high * 0x1_0000_0000 + low;
}

function guarantee(flags: number): Guarantee {
  const value = flags & 3;
  if (value === 3) throw corrupt("a guarantee of 3");
  return value as Guarantee;
}

function putNumber(into: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  for (let i = 0; i < 4; i++) {
    into[at + i] = high >>> (24 - 8 * i);
    into[at + 4 + i] = value >>> (24 - 8 * i);
  }
}

function getNumber(from: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) value = value * 256 + (from[i] ?? 0);
  return value;
}

const RETAIN = 0x04;
const PROPERTIES = 0x08;
const NAMED = 0x10;
const NO_LOCAL = 0x04;
const AS_PUBLISHED = 0x08;
const GROUP = 0x10;
