/**
 * Values to bytes (§1.6), each in its shortest form. In arrays all elements share one form, the narrowest that holds them all; the forms
 * without data (uint0, ulong0, list0, true, false) stand alone only, for peers exist that do not read them in arrays.
 *
 * A writer that is an outbox must have been given room for the whole value before ({@link valueBytesMax}).
 */
import type { MessagingError } from "../../base/errors.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { Code } from "./format-codes.ts";
import { VALUE_DEPTH_MAX } from "./value-reader.ts";
import { AmqpArray, type AmqpInput, AmqpMap, Described, Typed, type TypeName } from "./values.ts";
import {
  FIXED_MAX,
  invalid,
  narrowest,
  STRING_HEAD,
  writeBinary,
  writeFixed,
  writeNumber,
  writeString,
  writeSymbol,
  writeTyped,
} from "./write-scalar.ts";

/** Turns the text keys of a map into symbols where the specification wants symbols (fields, annotations, filters); not those of an `AmqpMap`. */
export type MapKeys = "as they are" | "symbols";

/**
 * Writes `value` with its constructor. @throws {MessagingError} ERR_INVALID_ARGUMENT for what no AMQP type can hold: a number out of its
 * type's range, a lone surrogate, nesting deeper than {@link VALUE_DEPTH_MAX}; the writer is then where it was
 */
export function writeValue(w: ByteWriter, value: AmqpInput): void {
  const start = w.at;
  try {
    writeAny(w, value, 0);
  } catch (error) {
    w.at = start;
    throw error;
  }
}

/** Writes a map; see {@link writeValue}. */
export function writeMap(w: ByteWriter, map: AmqpInput, keys: MapKeys): void {
  const start = w.at;
  try {
    writeMapAt(w, flatOf(map, keys), 0);
  } catch (error) {
    w.at = start;
    throw error;
  }
}

/** A bound of the bytes that {@link writeValue} and {@link writeMap} need for `value`, found without encoding it. */
export function valueBytesMax(value: AmqpInput, depth = 0): number {
  if (typeof value === "string") return STRING_HEAD + 3 * value.length;
  if (value === null || typeof value !== "object") return FIXED_MAX;
  if (value instanceof Uint8Array) return STRING_HEAD + value.length;
  if (value instanceof Typed) return typeof value.value === "string" ? STRING_HEAD + value.value.length * 3 : FIXED_MAX;
  if (isDate(value)) return FIXED_MAX;
  if (depth > VALUE_DEPTH_MAX) throw tooDeep();
  if (value instanceof Described) {
    return 1 + valueBytesMax(value.descriptor, depth + 1) + valueBytesMax(value.value, depth + 1);
  }
  if (value instanceof AmqpArray) {
    return COMPOUND_HEAD + sumOf(value.items, depth) + sumOf(value.descriptors, depth) + value.descriptors.length;
  }
  return COMPOUND_HEAD + sumOf(Array.isArray(value) ? value : flatOf(value, "as they are"), depth);
}

function sumOf(items: readonly AmqpInput[], depth: number): number {
  let bytes = 0;
  for (let i = 0; i < items.length; i++) bytes += valueBytesMax(items[i] as AmqpInput, depth + 1);
  return bytes;
}

/** Constructor, size, count, and the constructor of an array's elements, with as much again while it is being moved. */
const COMPOUND_HEAD = 20;

function writeAny(w: ByteWriter, value: AmqpInput, depth: number): void {
  switch (typeof value) {
    case "string":
      return writeString(w, value);
    case "boolean":
      w.reserve(1);
      return w.u8(value ? Code.true : Code.false);
    case "number":
      return writeNumber(w, value);
    case "bigint":
      return writeTyped(w, value >= -(1n << 63n) && value < 1n << 63n ? "long" : "ulong", value, null);
    case "object":
      return writeObject(w, value, depth);
    default:
      throw invalid(`a ${typeof value} has no AMQP type`);
  }
}

function writeObject(w: ByteWriter, value: AmqpInput & (object | null), depth: number): void {
  if (value === null) {
    w.reserve(1);
    return w.u8(Code.null);
  }
  if (value instanceof Typed) return writeTyped(w, value.type, value.value, value.bits);
  if (value instanceof Uint8Array) return writeBinary(w, value);
  if (isDate(value)) return writeTyped(w, "timestamp", value.getTime(), null);
  if (depth >= VALUE_DEPTH_MAX) throw tooDeep();
  if (value instanceof Described) {
    w.reserve(1);
    w.u8(Code.described);
    writeAny(w, value.descriptor, depth + 1);
    return writeAny(w, value.value, depth + 1);
  }
  if (value instanceof AmqpArray) return writeArray(w, value, depth);
  if (Array.isArray(value)) return writeList(w, value, depth);
  return writeMapAt(w, flatOf(value, "as they are"), depth);
}

/** A `Date`, also one of another realm. */
function isDate(value: object): value is Date {
  return "getTime" in value && typeof value.getTime === "function";
}

function writeList(w: ByteWriter, items: readonly AmqpInput[], depth: number): void {
  w.reserve(COMPOUND_HEAD);
  if (items.length === 0) return w.u8(Code.list0);
  const start = beginCompound(w);
  for (let i = 0; i < items.length; i++) writeAny(w, items[i] as AmqpInput, depth + 1);
  endCompound(w, start, items.length, Code.list8);
}

function writeMapAt(w: ByteWriter, flat: readonly AmqpInput[], depth: number): void {
  const start = beginCompound(w);
  for (let i = 0; i < flat.length; i++) writeAny(w, flat[i] as AmqpInput, depth + 1);
  endCompound(w, start, flat.length, Code.map8);
}

/** Leaves room for the short head of a list, map or array; {@link endCompound} writes it. */
export function beginCompound(w: ByteWriter): number {
  w.reserve(COMPOUND_HEAD);
  const start = w.at;
  w.at = start + 3;
  return start;
}

/** Writes the head of what was written since {@link beginCompound}, and moves it where it needs the long one. */
export function endCompound(w: ByteWriter, start: number, count: number, shortCode: number): void {
  const bytes = w.at - start - 3;
  if (bytes < 0xff && count <= 0xff) {
    w.buffer[start] = shortCode;
    w.buffer[start + 1] = bytes + 1;
    w.buffer[start + 2] = count;
    return;
  }
  w.reserve(6);
  w.buffer.copyWithin(start + 9, start + 3, w.at);
  w.at = start;
  w.u8(shortCode + 0x10);
  w.u32(bytes + 4);
  w.u32(count);
  w.at += bytes;
}

function writeArray(w: ByteWriter, array: AmqpArray, depth: number): void {
  const start = beginCompound(w);
  for (let i = 0; i < array.descriptors.length; i++) {
    w.reserve(1);
    w.u8(Code.described);
    writeAny(w, array.descriptors[i] as AmqpInput, depth + 1);
  }
  writeElements(w, array, depth);
  endCompound(w, start, array.items.length, Code.array8);
}

function writeElements(w: ByteWriter, array: AmqpArray, depth: number): void {
  const start = w.at;
  const short = VARIABLE[array.type];
  if (short === undefined) return writeFixedElements(w, array);
  for (let wide = 0; ; wide += 0x10) {
    w.reserve(1);
    w.u8(short + wide);
    if (array.items.every((item) => writeElement(w, array.type, item, short + wide, depth)) || wide > 0) return;
    w.at = start;
  }
}

const VARIABLE: Readonly<Partial<Record<TypeName, number>>> = {
  binary: Code.vbin8,
  string: Code.str8,
  symbol: Code.sym8,
  list: Code.list8,
  map: Code.map8,
  array: Code.array8,
};

function writeFixedElements(w: ByteWriter, array: AmqpArray): void {
  let code = narrowest(array.type, array.items.length === 0 ? EMPTY_ELEMENT[array.type] : bareOf(array, 0));
  for (let i = 1; i < array.items.length; i++) code = Math.max(code, narrowest(array.type, bareOf(array, i)));
  w.reserve(1);
  w.u8(code);
  for (let i = 0; i < array.items.length; i++) {
    const item = array.items[i];
    w.reserve(FIXED_MAX);
    writeFixed(w, code, array.type, bareOf(array, i), item instanceof Typed ? item.bits : null);
  }
}

/** Stands for the elements of an empty array when its constructor is chosen. */
const EMPTY_ELEMENT: Readonly<Partial<Record<TypeName, unknown>>> = {
  ...{ ubyte: 0, ushort: 0, uint: 0, ulong: 0, byte: 0, short: 0, int: 0, long: 0, timestamp: 0, char: 0 },
  ...{ float: 0, double: 0, boolean: false, null: null },
  decimal32: new Uint8Array(4),
  decimal64: new Uint8Array(8),
  decimal128: new Uint8Array(16),
  uuid: new Uint8Array(16),
};

function bareOf(array: AmqpArray, index: number): unknown {
  const item = array.items[index];
  if (item instanceof Typed && item.type !== array.type) throw invalid(`a ${item.type} in an array of ${array.type}`);
  if (array.type === "boolean" && typeof item !== "boolean") throw invalid("an array of boolean holds booleans");
  if (array.type === "null" && item !== null) throw invalid("an array of null holds nulls");
  return item instanceof Typed ? item.value : item;
}

/** Writes one element of variable length without its constructor; false when the short form does not hold it. */
function writeElement(w: ByteWriter, type: TypeName, item: unknown, code: number, depth: number): boolean {
  const start = w.at;
  writeOfType(w, type, item, depth);
  const found = w.buffer[start] as number;
  if (found !== code && found !== Code.list0) {
    if (found > code) return false;
    widen(w, start, code);
  } else if (found === Code.list0) {
    w.at = start;
    w.reserve(9);
    w.u8(code);
    if (code === Code.list8) w.u16(0x0100);
    else {
      w.u32(4);
      w.u32(0);
    }
  }
  w.buffer.copyWithin(start, start + 1, w.at);
  w.at--;
  return true;
}

function writeOfType(w: ByteWriter, type: TypeName, item: unknown, depth: number): void {
  const bare = item instanceof Typed && item.type === type ? item.value : item;
  if (type === "symbol" && typeof bare === "string") return writeSymbol(w, bare);
  const fits =
    (type === "string" && typeof item === "string") ||
    (type === "binary" && item instanceof Uint8Array) ||
    (type === "list" && Array.isArray(item)) ||
    (type === "map" && item instanceof AmqpMap) ||
    (type === "array" && item instanceof AmqpArray);
  if (!fits) throw invalid(`an array of ${type} holds something else`);
  writeAny(w, item as AmqpInput, depth + 1);
}

/** Rewrites the short form at `start` as the long form `code`. */
function widen(w: ByteWriter, start: number, code: number): void {
  const compound = code >= Code.list32;
  const oldHead = compound ? 3 : 2;
  const newHead = compound ? 9 : 5;
  const count = w.buffer[start + 2] as number;
  const bytes = w.at - start - oldHead;
  w.reserve(newHead - oldHead);
  w.buffer.copyWithin(start + newHead, start + oldHead, w.at);
  w.at = start;
  w.u8(code);
  w.u32(compound ? bytes + 4 : bytes);
  if (compound) w.u32(count);
  w.at += bytes;
}

/** Keys and values in turn of anything that is encoded as a map. */
function flatOf(map: AmqpInput, keys: MapKeys): readonly AmqpInput[] {
  if (map === null || typeof map !== "object" || Array.isArray(map)) throw invalid("a map must be an object or a Map");
  // A map of wire values says itself what its keys are.
  if (map instanceof AmqpMap) return map.flat;
  const flat: AmqpInput[] = [];
  for (const [key, value] of map instanceof Map ? map : Object.entries(map)) {
    if (value === undefined) continue;
    flat.push(keys === "symbols" && typeof key === "string" ? new Typed("symbol", key) : key, value as AmqpInput);
  }
  return flat;
}

function tooDeep(): MessagingError {
  return invalid(`values nested deeper than ${VALUE_DEPTH_MAX}`);
}
