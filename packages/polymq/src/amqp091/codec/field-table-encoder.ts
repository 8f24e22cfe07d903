import { unreachable } from "../../base/assert.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./failures.ts";
import {
  type DecimalValue,
  FIELD_COUNT_MAX,
  FIELD_DEPTH_MAX,
  FIELD_TAGS,
  type FieldTable,
  type FieldTag,
  TypedField,
} from "./field-value.ts";
import { write64, writeBig64 } from "./integers.ts";
import { writeLongString, writeShortString } from "./strings.ts";

/*
 * Table (§4.2.5.5):  u32 bytes, then per field: short string name, u8 type octet, value
 * Array:             u32 bytes, then per item: u8 type octet, value
 */

/** How deep we are and how many values may still come. */
interface Walk {
  depth: number;
  left: number;
}

/**
 * Writes a field table behind its length into a writer that grows (no outbox: a table's length is known at its end).
 * `ERR_INVALID_ARGUMENT` for a value that no tag can hold, a key above 255 bytes, nesting above {@link FIELD_DEPTH_MAX} and more
 * than {@link FIELD_COUNT_MAX} values; the writer is then as it was.
 */
export function encodeTable(w: ByteWriter, table: FieldTable): void {
  const start = w.at;
  try {
    writeTable(w, table, { depth: 0, left: FIELD_COUNT_MAX });
  } catch (error) {
    w.at = start;
    throw error;
  }
}

function writeTable(w: ByteWriter, table: unknown, walk: Walk): void {
  if (typeof table !== "object" || table === null || !isTable(table)) throw invalid("a field table must be an object");
  const start = begin(w, walk);
  for (const key of Object.keys(table)) {
    const value = (table as FieldTable)[key];
    if (value === undefined) continue;
    writeShortString(w, key, "a field's name");
    writeField(w, value, walk, key);
  }
  finish(w, start, walk);
}

function writeArray(w: ByteWriter, array: unknown, walk: Walk, name: string): void {
  if (!Array.isArray(array)) throw wrong("A", name);
  const start = begin(w, walk);
  for (let i = 0; i < array.length; i++) writeField(w, array[i], walk, name);
  finish(w, start, walk);
}

function begin(w: ByteWriter, walk: Walk): number {
  if (++walk.depth > FIELD_DEPTH_MAX) throw invalid(`field tables nest deeper than ${FIELD_DEPTH_MAX}`);
  w.reserve(4);
  w.at += 4;
  return w.at;
}

function finish(w: ByteWriter, start: number, walk: Walk): void {
  walk.depth--;
  const end = w.at;
  w.at = start - 4;
  w.u32(end - start);
  w.at = end;
}

function writeField(w: ByteWriter, value: unknown, walk: Walk, name: string): void {
  if (--walk.left < 0) throw invalid(`more than ${FIELD_COUNT_MAX} values in a field table`);
  const typed = value instanceof TypedField;
  const tag = typed ? value.tag : tagOf(value, name);
  if (!FIELD_TAGS.includes(tag)) throw invalid(`${JSON.stringify(tag)} is no type octet`);
  w.reserve(1);
  w.u8(tag.charCodeAt(0));
  writeTagged(w, tag, typed ? value.value : value, walk, name);
}

function tagOf(value: unknown, name: string): FieldTag {
  switch (typeof value) {
    case "boolean":
      return "t";
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? "l" : "d";
    case "bigint":
      return "l";
    case "string":
      return "S";
    case "object":
      if (value === null) return "V";
      if (value instanceof Uint8Array) return "x";
      if (isDate(value)) return "T";
      if (Array.isArray(value)) return "A";
      if (isTable(value)) return "F";
      break;
  }
  throw invalid(`${name}: no field can hold such a value`);
}

/** A plain object; a `Map`, a class instance or another buffer would silently be an empty table. */
function isTable(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

/** A `Date` of any realm; the name `Date` itself stays out of here, for it is a clock. */
function isDate(value: unknown): value is { getTime(): number } {
  return typeof value === "object" && value !== null && "getTime" in value && typeof value.getTime === "function";
}

function writeTagged(w: ByteWriter, tag: FieldTag, value: unknown, walk: Walk, name: string): void {
  switch (tag) {
    case "t":
      if (typeof value !== "boolean") throw wrong(tag, name);
      w.reserve(1);
      return w.u8(value ? 1 : 0);
    case "b":
      return writeSmall(w, value, 1, [-0x80, 0x7f], name);
    case "B":
      return writeSmall(w, value, 1, [0, 0xff], name);
    case "s":
    case "U":
      return writeSmall(w, value, 2, [-0x8000, 0x7fff], name);
    case "u":
      return writeSmall(w, value, 2, [0, 0xffff], name);
    case "I":
      return writeSmall(w, value, 4, [-0x8000_0000, 0x7fff_ffff], name);
    case "i":
      return writeSmall(w, value, 4, [0, 0xffff_ffff], name);
    case "l":
    case "L":
      return writeInt64(w, value, name);
    case "f":
    case "d":
      return writeFloat(w, value, tag, name);
    case "D":
      return writeDecimal(w, value, name);
    case "S":
      return writeLongString(w, value, name);
    case "x":
      if (!(value instanceof Uint8Array)) throw wrong(tag, name);
      return writeLongString(w, value, name);
    case "A":
      return writeArray(w, value, walk, name);
    case "F":
      return writeTable(w, value, walk);
    case "T":
      return writeTimestamp(w, value, name);
    case "V":
      if (value !== null) throw wrong(tag, name);
      return;
    default:
      unreachable(tag);
  }
}

function writeSmall(
  w: ByteWriter,
  value: unknown,
  bytes: 1 | 2 | 4,
  range: readonly [number, number],
  name: string,
): void {
  if (!Number.isInteger(value) || (value as number) < range[0] || (value as number) > range[1]) {
    throw invalid(`${name}: not an integer from ${range[0]} to ${range[1]}`);
  }
  w.reserve(bytes);
  if (bytes === 1) w.u8(value as number);
  else if (bytes === 2) w.u16(value as number);
  else w.u32(value as number);
}

function writeInt64(w: ByteWriter, value: unknown, name: string): void {
  w.reserve(8);
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return writeBig64(w, value);
  if (!Number.isSafeInteger(value)) throw invalid(`${name}: not a 64-bit integer`);
  write64(w, value as number);
}

function writeFloat(w: ByteWriter, value: unknown, tag: "f" | "d", name: string): void {
  if (typeof value !== "number") throw wrong(tag, name);
  const bytes = tag === "f" ? 4 : 8;
  w.reserve(bytes);
  const view = new DataView(w.buffer.buffer, w.buffer.byteOffset + w.at, bytes);
  if (tag === "f") view.setFloat32(0, value);
  else view.setFloat64(0, value);
  w.at += bytes;
}

function writeDecimal(w: ByteWriter, value: unknown, name: string): void {
  if (typeof value !== "object" || value === null || !("scale" in value) || !("unscaled" in value))
    throw wrong("D", name);
  const { scale, unscaled } = value as DecimalValue;
  writeSmall(w, scale, 1, [0, 0xff], name);
  writeSmall(w, unscaled, 4, [0, 0xffff_ffff], name);
}

/** Seconds since 1970 (§4.2.5.4). */
function writeTimestamp(w: ByteWriter, value: unknown, name: string): void {
  const seconds = isDate(value) ? Math.floor(value.getTime() / 1000) : value;
  w.reserve(8);
  if (typeof seconds === "bigint" && BigInt.asUintN(64, seconds) === seconds) return writeBig64(w, seconds);
  if (!Number.isSafeInteger(seconds) || (seconds as number) < 0) throw invalid(`${name}: not a timestamp from 1970 on`);
  write64(w, seconds as number);
}

function wrong(tag: FieldTag, name: string): Error {
  return invalid(`${name}: the value is not of type ${tag}`);
}
