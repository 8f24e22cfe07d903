/**
 * Values to bytes (§1.6), each in its shortest form. In arrays all elements share one form, the narrowest that holds them all; the forms
 * without data (uint0, ulong0, list0, true, false) stand alone only, for peers exist that do not read them in arrays.
 *
 * A writer that is an outbox must have been given room for the whole value before ({@link valueBytesMax}).
 */
import { MessagingError } from "../../base/errors.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { Code } from "./format-codes.ts";
import { VALUE_DEPTH_MAX } from "./value-reader.ts";
import { AmqpArray, type AmqpInput, AmqpMap, Described, Typed, type TypeName } from "./values.ts";

/** Turns the text keys of a map into symbols where the specification wants symbols (fields, annotations, filters). */
export type MapKeys = "as they are" | "symbols";

/** An `ERR_INVALID_ARGUMENT` to throw. */
export function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}

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

const STRING_HEAD = 5;
const FIXED_MAX = 17;
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

function writeNumber(w: ByteWriter, value: number): void {
  if (!Number.isInteger(value) || Object.is(value, -0)) return writeTyped(w, "double", value, null);
  if (value === (value | 0)) return writeTyped(w, "int", value, null);
  writeTyped(w, Number.isSafeInteger(value) ? "long" : "double", value, null);
}

/** Writes a string with its constructor. */
export function writeString(w: ByteWriter, value: string): void {
  if (!value.isWellFormed()) throw invalid("a string with a lone surrogate");
  writeText(w, value, Code.str8, Code.str32);
}

/** Writes a symbol with its constructor. */
export function writeSymbol(w: ByteWriter, value: string): void {
  checkSymbol(value);
  writeText(w, value, Code.sym8, Code.sym32);
}

function checkSymbol(value: string): void {
  if (typeof value !== "string") throw invalid("a symbol must be a string");
  for (let i = 0; i < value.length; i++) {
    if (value.charCodeAt(i) > 0x7f) throw invalid("a symbol must be ASCII");
  }
}

function writeText(w: ByteWriter, value: string, short: number, long: number): void {
  w.reserve(STRING_HEAD + 3 * value.length);
  const start = w.at;
  // A text of so many units surely needs the long form; of all others the length is known when they are written.
  w.at = start + (value.length > 0xff ? 5 : 2);
  let bytes = w.utf8(value);
  if (value.length <= 0xff && bytes > 0xff) {
    w.buffer.copyWithin(start + 5, start + 2, w.at);
    bytes = w.at - start - 2;
  }
  if (bytes <= 0xff) {
    w.buffer[start] = short;
    w.buffer[start + 1] = bytes;
    return;
  }
  w.at = start;
  w.u8(long);
  w.u32(bytes);
  w.at += bytes;
}

/** Writes binary data with its constructor. */
export function writeBinary(w: ByteWriter, value: Uint8Array): void {
  const length = value.length;
  w.reserve(STRING_HEAD + length);
  w.u8(length <= 0xff ? Code.vbin8 : Code.vbin32);
  if (length <= 0xff) w.u8(length);
  else w.u32(length);
  w.bytes(value);
}

/** Writes an unsigned 32-bit number in its shortest form. */
export function writeUint(w: ByteWriter, value: number): void {
  w.reserve(5);
  if (value === 0) return w.u8(Code.uint0);
  w.u8(value <= 0xff ? Code.smalluint : Code.uint);
  if (value <= 0xff) w.u8(value);
  else w.u32(value);
}

/** Writes a value of a type with a fixed width, or a symbol, with the narrowest constructor. */
export function writeTyped(w: ByteWriter, type: TypeName, value: unknown, bits: Uint8Array | null): void {
  if (type === "symbol") return writeSymbol(w, value as string);
  w.reserve(FIXED_MAX);
  const code = (type === "uint" || type === "ulong") && isZero(value) ? ZERO_CODES[type] : narrowest(type, value);
  w.u8(code);
  if (code !== Code.uint0 && code !== Code.ulong0) writeFixed(w, code, type, value, bits);
}

const ZERO_CODES = { uint: Code.uint0, ulong: Code.ulong0 } as const;

function isZero(value: unknown): boolean {
  return value === 0 || value === 0n;
}

/** The narrowest constructor with data that holds `value`; refuses a value that no form of its type holds. */
function narrowest(type: TypeName, value: unknown): number {
  const range = INTEGERS[type];
  if (range !== undefined) {
    if (!isWithin(value, range.least, range.most)) throw invalid(`${String(value)} is no ${type}`);
    if (range.small === 0) return range.code;
    return isWithin(value, range.least === 0n ? 0n : -128n, range.least === 0n ? 255n : 127n)
      ? range.small
      : range.code;
  }
  if (type === "float" || type === "double") {
    if (typeof value !== "number") throw invalid(`a ${type} must be a number`);
    return type === "float" ? Code.float : Code.double;
  }
  if (type === "boolean") return Code.boolean;
  if (type === "null") return Code.null;
  const raw = RAW[type];
  if (raw === undefined) throw invalid(`no AMQP type ${type}`);
  if (!(value instanceof Uint8Array) || value.length !== raw.bytes)
    throw invalid(`a ${type} must be ${raw.bytes} bytes`);
  return raw.code;
}

function isWithin(value: unknown, least: bigint, most: bigint): boolean {
  if (typeof value === "bigint") return value >= least && value <= most;
  // -0 is the integer 0 here. A number above 2^53 is exact, too, but whoever made it from an integer may have lost one.
  return typeof value === "number" && Number.isSafeInteger(value) && value >= Number(least) && value <= Number(most);
}

interface IntegerForm {
  readonly least: bigint;
  readonly most: bigint;
  readonly code: number;
  /** The one-byte form, or 0. */
  readonly small: number;
}

const LONG_LEAST = -(1n << 63n);
const LONG_MOST = (1n << 63n) - 1n;
const INTEGERS: Readonly<Partial<Record<TypeName, IntegerForm>>> = {
  ubyte: { least: 0n, most: 0xffn, code: Code.ubyte, small: 0 },
  ushort: { least: 0n, most: 0xffffn, code: Code.ushort, small: 0 },
  uint: { least: 0n, most: 0xffff_ffffn, code: Code.uint, small: Code.smalluint },
  ulong: { least: 0n, most: (1n << 64n) - 1n, code: Code.ulong, small: Code.smallulong },
  byte: { least: -128n, most: 127n, code: Code.byte, small: 0 },
  short: { least: -0x8000n, most: 0x7fffn, code: Code.short, small: 0 },
  int: { least: -0x8000_0000n, most: 0x7fff_ffffn, code: Code.int, small: Code.smallint },
  long: { least: LONG_LEAST, most: LONG_MOST, code: Code.long, small: Code.smalllong },
  timestamp: { least: LONG_LEAST, most: LONG_MOST, code: Code.timestamp, small: 0 },
  char: { least: 0n, most: 0x10_ffffn, code: Code.char, small: 0 },
};

const RAW: Readonly<Partial<Record<TypeName, { readonly bytes: number; readonly code: number }>>> = {
  decimal32: { bytes: 4, code: Code.decimal32 },
  decimal64: { bytes: 8, code: Code.decimal64 },
  decimal128: { bytes: 16, code: Code.decimal128 },
  uuid: { bytes: 16, code: Code.uuid },
};

/** The data behind a constructor of fixed width. */
function writeFixed(w: ByteWriter, code: number, type: TypeName, value: unknown, bits: Uint8Array | null): void {
  if (value instanceof Uint8Array) return w.bytes(value);
  if (type === "boolean") return w.u8(value === true ? 1 : 0);
  if (type === "null") return;
  if (type === "float" || type === "double") return writeFloat(w, type, value as number, bits);
  const integer = value as number | bigint;
  if (type === "char" && integer >= 0xd800 && integer < 0xe000) throw invalid("a char that is half a surrogate pair");
  switch (code >> 4) {
    case 5:
      return w.u8(Number(integer));
    case 6:
      return w.u16(Number(integer));
    case 7:
      return w.u32(Number(integer));
    default:
      return write64(w, integer);
  }
}

function writeFloat(w: ByteWriter, type: "float" | "double", value: number, bits: Uint8Array | null): void {
  if (bits !== null) return w.bytes(bits);
  const bytes = type === "float" ? 4 : 8;
  const view = new DataView(w.buffer.buffer, w.buffer.byteOffset + w.at, bytes);
  if (Number.isNaN(value)) {
    // Whatever bits this NaN has inside, one form goes out.
    view.setUint32(0, type === "float" ? 0x7fc0_0000 : 0x7ff8_0000);
    if (type === "double") view.setUint32(4, 0);
  } else if (type === "float") view.setFloat32(0, value);
  else view.setFloat64(0, value);
  w.at += bytes;
}

/** Writes 64 bits in two's complement. */
function write64(w: ByteWriter, value: number | bigint): void {
  if (typeof value === "number") {
    const high = Math.floor(value / 0x1_0000_0000);
    w.u32(high);
    w.u32(value - high * 0x1_0000_0000);
    return;
  }
  w.u32(Number(BigInt.asUintN(32, value >> 32n)));
  w.u32(Number(BigInt.asUintN(32, value)));
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
  if (map instanceof AmqpMap && keys === "as they are") return map.flat;
  const flat: AmqpInput[] = [];
  for (const [key, value] of map instanceof AmqpMap || map instanceof Map ? map : Object.entries(map)) {
    if (value === undefined) continue;
    flat.push(keys === "symbols" && typeof key === "string" ? new Typed("symbol", key) : key, value as AmqpInput);
  }
  return flat;
}

function tooDeep(): MessagingError {
  return invalid(`values nested deeper than ${VALUE_DEPTH_MAX}`);
}
