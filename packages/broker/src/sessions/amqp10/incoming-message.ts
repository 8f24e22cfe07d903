// Hot path: `read` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import {
  AmqpMap,
  type AmqpValue,
  Condition,
  decodeFields,
  type Header,
  type Properties,
  plain,
  Section,
  Typed,
  ValueReader,
} from "polymq/amqp10/codec";
import { malformed, type TextCodec } from "polymq/internal";
import { Refused } from "./refused.ts";
import {
  APPLICATION_PROPERTIES,
  DATA,
  DELIVERY_ANNOTATIONS,
  FOOTER,
  HEADER,
  MESSAGE_ANNOTATIONS,
  PROPERTIES,
  SEQUENCE,
  Sections,
  VALUE,
} from "./sections.ts";

/** Annotation: deliver the message so many ms later. */
export const DELIVERY_DELAY = "x-opt-delivery-delay";

/**
 * A message as it came: what the broker looks at, and what it stores. The stored properties are the sections but for delivery annotations, which are for this
 * hop alone, and for a body of one data section, whose bytes are the payload. With any other body they are the whole message, and the payload is what
 * other protocols see of that. Used again for every message.
 */
export class IncomingMessage {
  payload: Uint8Array = NOTHING;
  /** Null for none. */
  properties: Uint8Array | null = null;
  header: Header | null = null;
  messageAnnotations: AmqpMap | null = null;
  messageProperties: Properties | null = null;
  applicationProperties: AmqpMap | null = null;
  readonly #text: TextCodec;
  readonly #reader: ValueReader;
  readonly #sections = new Sections();
  #bytes: Uint8Array = NOTHING;

  constructor(text: TextCodec) {
    this.#text = text;
    this.#reader = new ValueReader(text);
  }

  /**
   * Reads all of a message, so that nothing malformed goes on to others.
   * @throws {MessagingError} ERR_MALFORMED_PACKET
   * @throws {Refused} for a message without a body
   */
  read(payload: Uint8Array | readonly Uint8Array[]): void {
    const bytes = payload instanceof Uint8Array ? payload : joined(payload);
    this.#bytes = bytes;
    this.header = null;
    this.messageAnnotations = null;
    this.messageProperties = null;
    this.applicationProperties = null;
    const sections = this.#sections;
    sections.read(this.#reader, bytes);
    if (sections.dataCount === 1 && sections.starts[DATA] === 0 && sections.ends[DATA] === bytes.length) {
      this.payload = this.#binary(DATA);
      this.properties = null;
      return;
    }
    this.#readSections();
    if (sections.dataCount === 1) this.#takeData();
    else this.#takeOther();
  }

  /** Lets go of the bytes. */
  end(): void {
    this.#bytes = NOTHING;
    this.payload = NOTHING;
    this.properties = null;
  }

  /**
   * True when whoever keeps payload and properties need not copy them: received bytes are not written again, and what is held with them, for they are views,
   * is little.
   */
  get isAlone(): boolean {
    const kept = this.payload.length + (this.properties === null ? 0 : this.properties.length);
    return nearlyFills(kept, this.#bytes);
  }

  /** The whole message in bytes that may be kept. */
  copy(): Uint8Array {
    const bytes = this.#bytes;
    return nearlyFills(bytes.length, bytes) ? bytes : bytes.slice();
  }

  /** Ms that the message is to be delivered later; 0 for none. */
  get delayMs(): number {
    const said = plain(this.messageAnnotations?.get(DELIVERY_DELAY) ?? null);
    const ms = Number(said ?? 0);
    return Number.isSafeInteger(ms) && ms > 0 ? ms : 0;
  }

  /** Ms since 1970 at which it expires, by its header's ttl and its absolute expiry time; Infinity for never. */
  expiresAtMs(epochMs: number): number {
    const ttl = this.header?.ttl ?? null;
    const byTtl = ttl === null ? Number.POSITIVE_INFINITY : epochMs + ttl;
    const absolute = this.messageProperties?.absoluteExpiryTime ?? null;
    // 0 is what clients send that mean none.
    const byTime = absolute === null || Number(absolute) <= 0 ? Number.POSITIVE_INFINITY : Number(absolute);
    return Math.min(byTtl, byTime);
  }

  #readSections(): void {
    const sections = this.#sections;
    if (sections.has(HEADER)) this.header = this.#composite(HEADER) as Header;
    if (sections.has(DELIVERY_ANNOTATIONS)) this.#map(DELIVERY_ANNOTATIONS);
    if (sections.has(MESSAGE_ANNOTATIONS)) this.messageAnnotations = this.#map(MESSAGE_ANNOTATIONS);
    if (sections.has(PROPERTIES)) this.messageProperties = this.#composite(PROPERTIES) as Properties;
    if (sections.has(APPLICATION_PROPERTIES)) this.applicationProperties = this.#map(APPLICATION_PROPERTIES);
    if (sections.has(FOOTER)) this.#map(FOOTER);
  }

  #takeData(): void {
    const sections = this.#sections;
    this.payload = this.#binary(DATA);
    const before = sections.starts[DATA] as number;
    const after = sections.ends[DATA] as number;
    if (!sections.has(DELIVERY_ANNOTATIONS) && after === this.#bytes.length) {
      this.properties = before === 0 ? null : this.#bytes.subarray(0, before);
      return;
    }
    this.properties = orNull(this.#without(before, after));
  }

  #takeOther(): void {
    const sections = this.#sections;
    if (!sections.hasBody) throw new Refused(Condition.notAllowed, "a message without a body");
    this.properties = sections.has(DELIVERY_ANNOTATIONS) ? this.#without(0, 0) : this.#bytes;
    if (sections.dataCount > 0) this.payload = joined(this.#values(DATA) as Uint8Array[]);
    else if (sections.has(SEQUENCE)) this.payload = this.#utf8(JSON.stringify(this.#values(SEQUENCE).map(json)));
    else this.payload = this.#rendered(this.#values(VALUE)[0] ?? null);
  }

  /** All bytes but the delivery annotations and those from `from` to `to`. */
  #without(from: number, to: number): Uint8Array {
    const sections = this.#sections;
    const bytes = this.#bytes;
    const has = sections.has(DELIVERY_ANNOTATIONS);
    const start = has ? (sections.starts[DELIVERY_ANNOTATIONS] as number) : 0;
    const end = has ? (sections.ends[DELIVERY_ANNOTATIONS] as number) : 0;
    const body = Math.max(from, end);
    return joined([bytes.subarray(0, start), bytes.subarray(end, body), bytes.subarray(Math.max(to, body))]);
  }

  #at(kind: number): ValueReader {
    const reader = this.#reader;
    reader.reset(this.#bytes, this.#sections.values[kind] as number, this.#sections.ends[kind] as number);
    return reader;
  }

  #composite(kind: number): unknown {
    const reader = this.#at(kind);
    const composite = decodeFields(reader, Section.header + kind);
    if (reader.left > 0) throw malformed("bytes behind a section");
    return composite;
  }

  #map(kind: number): AmqpMap | null {
    const value = this.#at(kind).value();
    if (value === null || value instanceof AmqpMap) return value;
    throw malformed("a section that must hold a map does not");
  }

  #binary(kind: number): Uint8Array {
    const value = this.#at(kind).value();
    if (value instanceof Uint8Array) return value;
    throw malformed("a data section without binary data");
  }

  /** The values of all sections of one kind, which stand one behind the other. */
  #values(kind: number): AmqpValue[] {
    const values: AmqpValue[] = [];
    const reader = this.#at(kind);
    const end = reader.end;
    for (;;) {
      const value = reader.value();
      if (kind === DATA && !(value instanceof Uint8Array)) throw malformed("a data section without binary data");
      if (kind === SEQUENCE && !Array.isArray(value)) throw malformed("a sequence section without a list");
      values.push(value);
      if (reader.at >= end) return values;
      reader.u8();
      reader.value();
    }
  }

  /** A value as other protocols see it: text and binary as they are, nothing for null, all else as JSON. */
  #rendered(value: AmqpValue): Uint8Array {
    if (value === null) return NOTHING;
    if (value instanceof Uint8Array) return value;
    if (typeof value === "string") return this.#utf8(value);
    if (value instanceof Typed && value.type === "symbol") return this.#utf8(String(value.value));
    return this.#utf8(JSON.stringify(json(value)));
  }

  #utf8(value: string): Uint8Array {
    const bytes = new Uint8Array(this.#text.byteLength(value));
    this.#text.write(bytes, 0, value);
    return bytes;
  }
}

/** Memory may be so many times as large as what is kept of it. */
const ALONE_FACTOR = 1.125;

const NOTHING: Uint8Array = new Uint8Array(0);

function nearlyFills(count: number, view: Uint8Array): boolean {
  return view.buffer.byteLength <= count * ALONE_FACTOR;
}

function orNull(bytes: Uint8Array): Uint8Array | null {
  return bytes.length === 0 ? null : bytes;
}

function json(value: AmqpValue): unknown {
  return jsonOf(plain(value));
}

function jsonOf(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, item]) => [String(key), jsonOf(item)]));
  return Array.isArray(value) ? value.map(jsonOf) : value;
}

/** All parts in one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (let i = 0; i < parts.length; i++) length += (parts[i] as Uint8Array).length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    bytes.set(parts[i] as Uint8Array, at);
    at += (parts[i] as Uint8Array).length;
  }
  return bytes;
}
