/** Values that hold no others to bytes (§1.6), each in its shortest form. */
import { MessagingError } from "../../base/errors.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { Code } from "./format-codes.ts";
import type { TypeName } from "./values.ts";

/** An `ERR_INVALID_ARGUMENT` to throw. */
export function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}

/** Constructor and size of a string, symbol or binary value. */
export const STRING_HEAD = 5;

/** Bytes that a value of fixed width needs at most, with its constructor. */
export const FIXED_MAX = 17;

/** Writes a JavaScript number: an integer as int or long, every other as double. */
export function writeNumber(w: ByteWriter, value: number): void {
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
export function narrowest(type: TypeName, value: unknown): number {
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
export function writeFixed(w: ByteWriter, code: number, type: TypeName, value: unknown, bits: Uint8Array | null): void {
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
