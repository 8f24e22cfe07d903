import { copyOf } from "../../bytes/copy.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import { syntaxError } from "./failures.ts";
import {
  FIELD_COUNT_MAX,
  FIELD_DEPTH_MAX,
  type FieldTable,
  type FieldTag,
  type FieldValue,
  TypedField,
} from "./field-value.ts";
import { readI64, readU64 } from "./integers.ts";
import { readLongText, readShortString } from "./strings.ts";

/**
 * How fields come out. `plain`: integers and floats are numbers (bigint beyond 2^53 - 1), long strings text (bytes when ill-formed);
 * only decimals and timestamps (whole seconds since 1970) are `TypedField`. `typed`: every value that would be encoded under another
 * tag than it came with is a `TypedField`, so that a table encoded again has the same bytes.
 */
export type FieldForm = "plain" | "typed";

interface Walk {
  readonly form: FieldForm;
  depth: number;
  left: number;
}

/**
 * Reads a field table behind its length (§4.2.5.5). Bytes in it are copies. A key that stands twice keeps its last value. `ERR_MALFORMED_PACKET` (502) for a
 * length that does not fit, an unknown type octet, an ill-formed key, nesting above `FIELD_DEPTH_MAX` and more than
 * `FIELD_COUNT_MAX` values.
 */
export function decodeTable(r: ByteReader, form: FieldForm = "plain"): FieldTable {
  return readTable(r, { form, depth: 0, left: FIELD_COUNT_MAX });
}

function readTable(r: ByteReader, walk: Walk): FieldTable {
  // No prototype: "__proto__" and "constructor" are keys like any other.
  const table = Object.create(null) as Record<string, FieldValue>;
  const outer = enter(r, walk);
  while (r.at < r.end) {
    const key = readShortString(r);
    table[key] = readField(r, walk);
  }
  leave(r, walk, outer);
  return table;
}

function readArray(r: ByteReader, walk: Walk): FieldValue[] {
  const items: FieldValue[] = [];
  const outer = enter(r, walk);
  while (r.at < r.end) items.push(readField(r, walk));
  leave(r, walk, outer);
  return items;
}

/** Narrows the reader to what the length says; returns the end to go back to. */
function enter(r: ByteReader, walk: Walk): number {
  if (++walk.depth > FIELD_DEPTH_MAX) throw syntaxError(`field tables nest deeper than ${FIELD_DEPTH_MAX}`);
  const length = r.u32();
  if (length > r.left) throw syntaxError(`a field table of ${length} bytes where ${r.left} are left`);
  const outer = r.end;
  r.end = r.at + length;
  return outer;
}

function leave(r: ByteReader, walk: Walk, outer: number): void {
  walk.depth--;
  r.end = outer;
}

function readField(r: ByteReader, walk: Walk): FieldValue {
  if (--walk.left < 0) throw syntaxError(`more than ${FIELD_COUNT_MAX} values in a field table`);
  const octet = r.u8();
  const tag = String.fromCharCode(octet) as FieldTag;
  switch (tag) {
    case "t":
      return r.u8() !== 0;
    case "b":
      return typed(walk, tag, (r.u8() << 24) >> 24);
    case "B":
      return typed(walk, tag, r.u8());
    case "s":
    case "U":
      return typed(walk, tag, (r.u16() << 16) >> 16);
    case "u":
      return typed(walk, tag, r.u16());
    case "I":
      return typed(walk, tag, r.u32() | 0);
    case "i":
      return typed(walk, tag, r.u32());
    case "l":
      return readI64(r);
    case "L":
      return typed(walk, tag, readI64(r));
    case "f":
      return typed(walk, tag, floatView(r, 4).getFloat32(0));
    case "d":
      return readDouble(r, walk);
    case "D":
      return new TypedField(tag, { scale: r.u8(), unscaled: r.u32() });
    case "S":
      return readString(r, walk);
    case "x":
      return copyOf(r.view(r.u32()));
    case "A":
      return readArray(r, walk);
    case "F":
      return readTable(r, walk);
    case "T":
      return new TypedField(tag, readU64(r));
    case "V":
      return null;
    default:
      throw syntaxError(`unknown type octet ${octet} in a field table`);
  }
}

function typed(walk: Walk, tag: FieldTag, value: number | bigint): FieldValue {
  return walk.form === "plain" ? value : new TypedField(tag, value);
}

function floatView(r: ByteReader, bytes: number): DataView {
  const view = r.view(bytes);
  return new DataView(view.buffer, view.byteOffset, bytes);
}

function readDouble(r: ByteReader, walk: Walk): FieldValue {
  const value = floatView(r, 8).getFloat64(0);
  const plain = walk.form === "plain" || !Number.isSafeInteger(value) || Object.is(value, -0);
  return plain ? value : new TypedField("d", value);
}

function readString(r: ByteReader, walk: Walk): FieldValue {
  const length = r.u32();
  const start = r.at;
  const text = readLongText(r, length);
  if (text !== undefined) return text;
  const bytes = copyOf(r.buffer.subarray(start, r.at));
  return walk.form === "plain" ? bytes : new TypedField("S", bytes);
}
