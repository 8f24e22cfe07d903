import { unreachable } from "../../base/assert.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { invalid, syntaxError } from "./failures.ts";
import { decodeTable, type FieldForm } from "./field-table-decoder.ts";
import { encodeTable } from "./field-table-encoder.ts";
import type { FieldTable } from "./field-value.ts";
import { readU64, U64_MAX, write64, writeBig64 } from "./integers.ts";
import { readShortString, writeShortString } from "./strings.ts";

/*
 * Property block of a content header (§4.2.6.1):
 *   u16     flags: bit 15 for the first property down to bit 2 for the fourteenth; bit 0 would say that more flags follow
 *   values  of the properties whose flag is set, in the table's order
 */

/** The properties of a message (class basic, §1.8). */
export interface BasicProperties {
  /** MIME type. */
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly headers?: FieldTable | undefined;
  /** 1: transient, 2: persistent. */
  readonly deliveryMode?: number | undefined;
  /** 0 to 9 by the specification, 0 to 255 on the wire. */
  readonly priority?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly replyTo?: string | undefined;
  /** Time to live; RabbitMQ wants milliseconds in decimal. */
  readonly expiration?: string | undefined;
  readonly messageId?: string | undefined;
  /** Seconds since 1970; a bigint only above 2^53 - 1. */
  readonly timestamp?: number | bigint | undefined;
  readonly type?: string | undefined;
  /** Servers check it against the connection's user. */
  readonly userId?: string | undefined;
  readonly appId?: string | undefined;
  /** Reserved by the specification. */
  readonly clusterId?: string | undefined;
}

/** A property's name. */
export type PropertyName = keyof BasicProperties;

/** Type of a property on the wire. */
export type PropertyWire = "shortstr" | "table" | "octet" | "timestamp";

/** The properties in the order of the wire; the first has bit 15. */
export const BASIC_PROPERTIES = [
  ["contentType", "shortstr"],
  ["contentEncoding", "shortstr"],
  ["headers", "table"],
  ["deliveryMode", "octet"],
  ["priority", "octet"],
  ["correlationId", "shortstr"],
  ["replyTo", "shortstr"],
  ["expiration", "shortstr"],
  ["messageId", "shortstr"],
  ["timestamp", "timestamp"],
  ["type", "shortstr"],
  ["userId", "shortstr"],
  ["appId", "shortstr"],
  ["clusterId", "shortstr"],
] as const;

/** Flags that no property has. */
export const UNUSED_FLAGS = 0x0003;

/** Bit of the property at `index` of {@link BASIC_PROPERTIES}. */
export function propertyFlag(index: number): number {
  return 0x8000 >>> index;
}

/** The block of a message without properties; it must not be changed. */
export const NO_PROPERTIES: Uint8Array = new Uint8Array(2);

/**
 * Encodes properties as the block that `writePublish` and `writeDeliver` take; undefined ones are left out.
 * @throws {MessagingError} ERR_INVALID_ARGUMENT for a value that the wire cannot hold
 */
export function encodeProperties(text: TextCodec, properties: BasicProperties | null): Uint8Array {
  if (properties === null) return NO_PROPERTIES;
  const w = new ByteWriter(text, 128);
  w.at = 2;
  let flags = 0;
  for (let i = 0; i < BASIC_PROPERTIES.length; i++) {
    const [name, wire] = BASIC_PROPERTIES[i] as (typeof BASIC_PROPERTIES)[number];
    const value = properties[name];
    if (value === undefined) continue;
    flags |= propertyFlag(i);
    writeProperty(w, wire, value, name);
  }
  if (flags === 0) return NO_PROPERTIES;
  w.buffer[0] = flags >>> 8;
  w.buffer[1] = flags;
  return w.copyFrom(0);
}

function writeProperty(w: ByteWriter, wire: PropertyWire, value: unknown, name: string): void {
  switch (wire) {
    case "shortstr":
      return writeShortString(w, value, name);
    case "table":
      return encodeTable(w, value as FieldTable);
    case "octet":
      if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xff) {
        throw invalid(`${name} must be an integer from 0 to 255`);
      }
      w.reserve(1);
      return w.u8(value as number);
    case "timestamp":
      return writeTimestamp(w, value, name);
    default:
      unreachable(wire);
  }
}

function writeTimestamp(w: ByteWriter, value: unknown, name: string): void {
  w.reserve(8);
  if (typeof value === "bigint" && value >= 0n && value <= U64_MAX) return writeBig64(w, value);
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw invalid(`${name} must be whole seconds from 1970 on`);
  write64(w, value as number);
}

/**
 * Reads a property block that fills the reader's window. `ERR_MALFORMED_PACKET` (502) for flags of no property, anything cut
 * short, left over or ill-formed.
 */
export function decodeProperties(r: ByteReader, form: FieldForm = "plain"): BasicProperties {
  const flags = r.u16();
  if ((flags & UNUSED_FLAGS) !== 0) throw syntaxError(`property flags ${flags.toString(16)} mean nothing`);
  const properties: { -readonly [Name in PropertyName]?: unknown } = {};
  for (let i = 0; i < BASIC_PROPERTIES.length; i++) {
    if ((flags & propertyFlag(i)) === 0) continue;
    const [name, wire] = BASIC_PROPERTIES[i] as (typeof BASIC_PROPERTIES)[number];
    properties[name] = readProperty(r, wire, form);
  }
  if (r.at < r.end) throw syntaxError(`${r.left} bytes too many in a property block`);
  return properties as BasicProperties;
}

function readProperty(r: ByteReader, wire: PropertyWire, form: FieldForm): unknown {
  switch (wire) {
    case "shortstr":
      return readShortString(r);
    case "table":
      return decodeTable(r, form);
    case "octet":
      return r.u8();
    case "timestamp":
      return readU64(r);
    default:
      return unreachable(wire);
  }
}
