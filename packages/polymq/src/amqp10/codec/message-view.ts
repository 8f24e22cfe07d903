// Hot path: made per received message. No closure, promise, spread, iterator or regex here.
import { malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { decodeFields, readDescriptor } from "./composite.ts";
import { Code } from "./format-codes.ts";
import { Section } from "./message.ts";
import type { Composite, Header, Properties } from "./tables.ts";
import { ValueReader } from "./value-reader.ts";
import { AmqpMap, type AmqpValue } from "./values.ts";

/** Sections in one message. */
export const SECTIONS_MAX = 65_536;

/** A received body. */
export type Body =
  | { readonly type: "data"; readonly data: readonly Uint8Array[] }
  | { readonly type: "sequence"; readonly sequences: readonly (readonly AmqpValue[])[] }
  | { readonly type: "value"; readonly value: AmqpValue };

/**
 * A received message whose sections are read when they are asked for (§3.2). It refers to the received bytes: nothing is copied but a
 * message that came in several frames, and that not before something of it is asked for. What is malformed is `ERR_MALFORMED_PACKET`,
 * thrown by the getter that meets it; `check` reads everything at once.
 */
export class MessageView {
  readonly #text: TextCodec;
  #bytes: Uint8Array | null;
  #parts: readonly Uint8Array[] | null;
  /** For each descriptor from 0x70 to 0x78 where its first section's value starts, or -1; null before anything was asked for. */
  #starts: number[] | null = null;
  #bareStart = 0;
  #bareEnd = 0;

  /** @param payload what the delivery's transfers carried, one view per frame */
  constructor(text: TextCodec, payload: Uint8Array | readonly Uint8Array[]) {
    this.#text = text;
    this.#bytes = payload instanceof Uint8Array ? payload : null;
    this.#parts = payload instanceof Uint8Array ? null : payload;
  }

  /** The whole message; of several frames a copy, made once. */
  get bytes(): Uint8Array {
    if (this.#bytes === null) {
      this.#bytes = join(this.#parts ?? []);
      this.#parts = null;
    }
    return this.#bytes;
  }

  /** The only data section's content, or null when the body is anything else than one data section. A view. */
  get data(): Uint8Array | null {
    const { bytes } = this;
    // Nearly every message has one data section at its end; what that is preceded by need not be read.
    const isAlone =
      this.#starts === null && bytes[0] === 0 && bytes[1] === Code.smallulong && bytes[2] === Section.data;
    const at = lastBinary(bytes, isAlone ? 3 : this.#start(Section.data));
    if (at !== -1) return bytes.subarray(at);
    const { body } = this;
    return body?.type === "data" && body.data.length === 1 ? (body.data[0] as Uint8Array) : null;
  }

  get header(): Header | null {
    return this.#composite(Section.header) as Header | null;
  }

  get deliveryAnnotations(): AmqpMap | null {
    return this.#map(Section.deliveryAnnotations);
  }

  get messageAnnotations(): AmqpMap | null {
    return this.#map(Section.messageAnnotations);
  }

  get properties(): Properties | null {
    return this.#composite(Section.properties) as Properties | null;
  }

  get applicationProperties(): AmqpMap | null {
    return this.#map(Section.applicationProperties);
  }

  get footer(): AmqpMap | null {
    return this.#map(Section.footer);
  }

  /** The body, or null when the message has none. */
  get body(): Body | null {
    if (this.#start(Section.data) !== -1) return { type: "data", data: this.#all(Section.data) as Uint8Array[] };
    if (this.#start(Section.sequence) !== -1) {
      return { type: "sequence", sequences: this.#all(Section.sequence) as AmqpValue[][] };
    }
    const reader = this.#reader(Section.value);
    return reader === null ? null : { type: "value", value: reader.value() };
  }

  /** The body's value as a composite of the tables (a declare, a discharge), or null when it is none. */
  get bodyComposite(): Composite | null {
    const reader = this.#reader(Section.value);
    if (reader === null || reader.u8() !== Code.described) return null;
    return decodeFields(reader, readDescriptor(reader));
  }

  /** The bare message: properties, application-properties and body, as they were sent (§3.2). A view. */
  get bare(): Uint8Array {
    this.#index();
    return this.bytes.subarray(this.#bareStart, this.#bareEnd);
  }

  /** Reads all sections once. @throws {MessagingError} ERR_MALFORMED_PACKET */
  check(): void {
    void this.header;
    void this.deliveryAnnotations;
    void this.messageAnnotations;
    void this.properties;
    void this.applicationProperties;
    void this.body;
    void this.footer;
  }

  #start(code: number): number {
    return this.#index()[code - Section.header] as number;
  }

  #reader(code: number): ValueReader | null {
    const start = this.#start(code);
    if (start === -1) return null;
    const reader = new ValueReader(this.#text);
    reader.reset(this.bytes, start, this.bytes.length);
    return reader;
  }

  #map(code: number): AmqpMap | null {
    const value = this.#reader(code)?.value();
    if (value === undefined || value === null) return null;
    if (!(value instanceof AmqpMap)) throw malformed("a section that must hold a map does not");
    return value;
  }

  #composite(code: number): Composite | null {
    const reader = this.#reader(code);
    return reader === null ? null : decodeFields(reader, code);
  }

  /** The values of all sections of one kind, which stand one behind the other. */
  #all(code: number): AmqpValue[] {
    const values: AmqpValue[] = [];
    const reader = this.#reader(code);
    for (let more = reader !== null; more && reader !== null; ) {
      const value = reader.value();
      if (code === Section.data ? !(value instanceof Uint8Array) : !Array.isArray(value)) {
        throw malformed("a body section with a value of another type");
      }
      values.push(value);
      more = reader.left > 0 && reader.u8() === Code.described && readDescriptor(reader) === code;
    }
    return values;
  }

  /** Finds the sections without reading them; refuses unknown ones and any order but the specification's. */
  #index(): number[] {
    if (this.#starts !== null) return this.#starts;
    const starts = [-1, -1, -1, -1, -1, -1, -1, -1, -1];
    const bytes = this.bytes;
    const reader = new ValueReader(this.#text);
    reader.reset(bytes, 0, bytes.length);
    let last = 0;
    let bareEnd = -1;
    this.#bareStart = -1;
    for (let count = 0; reader.left > 0; count++) {
      if (count === SECTIONS_MAX) throw malformed(`more than ${SECTIONS_MAX} sections`);
      const at = reader.at;
      if (reader.u8() !== Code.described) throw malformed("a section that is not described");
      const code = readDescriptor(reader);
      if (code < Section.header || code > Section.footer) throw malformed("an unknown section");
      checkOrder(last, code);
      if (code >= Section.properties && code < Section.footer) {
        if (this.#bareStart === -1) this.#bareStart = at;
      }
      if (starts[code - Section.header] === -1) starts[code - Section.header] = reader.at;
      reader.skip();
      if (code >= Section.properties && code < Section.footer) bareEnd = reader.at;
      last = code;
    }
    if (bareEnd === -1) {
      this.#bareStart = 0;
      bareEnd = 0;
    }
    this.#bareEnd = bareEnd;
    this.#starts = starts;
    return starts;
  }
}

/** Each section once, in order; of the three kinds of body one, data and sequence repeated. */
function checkOrder(last: number, code: number): void {
  if (code > last && !(last >= Section.data && code < Section.footer)) return;
  if (code === last && (code === Section.data || code === Section.sequence)) return;
  throw malformed("message sections out of order");
}

/** Where the content begins of a binary value at `start` that is the last thing there is; -1 when it is something else. */
function lastBinary(bytes: Uint8Array, start: number): number {
  if (start === -1) return -1;
  const code = bytes[start];
  if (code === Code.vbin8) return start + 2 + (bytes[start + 1] as number) === bytes.length ? start + 2 : -1;
  if (code !== Code.vbin32) return -1;
  const high = ((bytes[start + 1] as number) << 8) | (bytes[start + 2] as number);
  const length = high * 0x1_0000 + (((bytes[start + 3] as number) << 8) | (bytes[start + 4] as number));
  return start + 5 + length === bytes.length ? start + 5 : -1;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
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
