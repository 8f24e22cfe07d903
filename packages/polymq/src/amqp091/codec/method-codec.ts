import { unreachable } from "../../base/assert.ts";
import { copyOf } from "../../bytes/copy.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { invalid, notImplemented, syntaxError, tooLarge } from "./failures.ts";
import { decodeTable } from "./field-table-decoder.ts";
import { encodeTable } from "./field-table-encoder.ts";
import type { FieldTable } from "./field-value.ts";
import { FRAME_END, FRAME_OVERHEAD_BYTES, FrameType, writeFrameHead } from "./frame.ts";
import { readSafeU64, write64 } from "./integers.ts";
import type { Method, MethodName, MethodRow, WireType } from "./method-types.ts";
import { METHODS } from "./methods.ts";
import { readLongText, readShortString, writeLongString, writeShortString } from "./strings.ts";

/*
 * Method payload (§4.2.4):  u16 class, u16 method, arguments; adjacent bits share an octet, lowest bit first (§4.2.5.2)
 */

const ROWS: Readonly<Record<MethodName, MethodRow>> = METHODS;

const NAMES: ReadonlyMap<number, MethodName> = new Map(
  (Object.keys(METHODS) as MethodName[]).map((name) => [METHODS[name].id[0] * 0x1_0000 + METHODS[name].id[1], name]),
);

/** The row of a method. */
export function methodRow(name: MethodName): MethodRow {
  return ROWS[name];
}

/** The name of a method, or undefined for numbers of no meaning. */
export function methodName(classId: number, methodId: number): MethodName | undefined {
  return NAMES.get(classId * 0x1_0000 + methodId);
}

/** The same of a method's payload; undefined also when it is cut short. */
export function peekMethodName(buffer: Uint8Array, start: number, end: number): MethodName | undefined {
  if (end - start < 4) return undefined;
  const classId = ((buffer[start] as number) << 8) | (buffer[start + 1] as number);
  return methodName(classId, ((buffer[start + 2] as number) << 8) | (buffer[start + 3] as number));
}

/**
 * Writes a method as a whole frame, or nothing: `ERR_INVALID_ARGUMENT` for an argument that the wire cannot hold or that is
 * missing, `ERR_PACKET_TOO_LARGE` when the frame would have more than `frameBytesMax` bytes.
 */
export function encodeMethod(w: ByteWriter, channel: number, method: Method, frameBytesMax: number): void {
  const scratch = new ByteWriter(w.text, 128);
  writeMethod(scratch, method);
  const total = scratch.at + FRAME_OVERHEAD_BYTES;
  if (total > frameBytesMax)
    throw tooLarge(`${method.method} of ${total} bytes, the peer takes frames of ${frameBytesMax}`);
  w.reserve(total);
  writeFrameHead(w, FrameType.Method, channel, scratch.at);
  w.bytes(scratch.buffer.subarray(0, scratch.at));
  w.u8(FRAME_END);
}

function writeMethod(w: ByteWriter, method: Method): void {
  const row = ROWS[method.method];
  if (row === undefined) throw invalid(`no method ${String(method.method)}`);
  w.u16(row.id[0]);
  w.u16(row.id[1]);
  const values = method as unknown as Readonly<Record<string, unknown>>;
  let bits = 0;
  let mask = 1;
  for (const [name, wire] of row.fields) {
    if (wire === "bit") {
      if (mask > 0x80) throw new TypeError("more than eight bits in a row");
      if (bitOf(values[name], name)) bits |= mask;
      mask <<= 1;
      continue;
    }
    if (mask > 1) writeBits(w, bits);
    bits = 0;
    mask = 1;
    writeArgument(w, wire, reserved(name) ? ZERO[wire] : values[name], name);
  }
  if (mask > 1) writeBits(w, bits);
}

const ZERO = { octet: 0, short: 0, long: 0, longlong: 0, shortstr: "", longstr: "", longbytes: "", table: {} } as const;

function reserved(name: string): boolean {
  return name.startsWith("reserved");
}

function bitOf(value: unknown, name: string): boolean {
  if (reserved(name)) return false;
  if (typeof value !== "boolean") throw invalid(`${name} must be a boolean`);
  return value;
}

function writeBits(w: ByteWriter, bits: number): void {
  w.reserve(1);
  w.u8(bits);
}

function writeArgument(w: ByteWriter, wire: Exclude<WireType, "bit">, value: unknown, name: string): void {
  w.reserve(8);
  switch (wire) {
    case "octet":
      return w.u8(integer(value, 0xff, name));
    case "short":
      return w.u16(integer(value, 0xffff, name));
    case "long":
      return w.u32(integer(value, 0xffff_ffff, name));
    case "longlong":
      return write64(w, integer(value, Number.MAX_SAFE_INTEGER, name));
    case "shortstr":
      return writeShortString(w, value, name);
    case "longstr":
    case "longbytes":
      return writeLongString(w, value, name);
    case "table":
      return encodeTable(w, value as FieldTable);
    default:
      unreachable(wire);
  }
}

function integer(value: unknown, max: number, name: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max) return value as number;
  throw invalid(`${name} must be an integer from 0 to ${max}`);
}

/**
 * Reads a method that fills the reader's window, which is a method frame's payload. Byte strings are copies. `ERR_UNKNOWN_METHOD`
 * (540) for numbers of no meaning, `ERR_MALFORMED_PACKET` (502) for anything cut short, left over or ill-formed.
 */
export function decodeMethod(r: ByteReader): Method {
  const classId = r.u16();
  const methodId = r.u16();
  const name = methodName(classId, methodId);
  if (name === undefined) throw notImplemented(`no method ${methodId} in a class ${classId}`);
  const method = { method: name } as Record<string, unknown>;
  let bits = 0;
  let mask = 0;
  for (const [field, wire] of ROWS[name].fields) {
    let value: unknown;
    if (wire === "bit") {
      if (mask === 0) {
        bits = r.u8();
        mask = 1;
      }
      value = (bits & mask) !== 0;
      mask <<= 1;
    } else {
      mask = 0;
      value = readArgument(r, wire);
    }
    if (!reserved(field)) method[field] = value;
  }
  if (r.at < r.end) throw syntaxError(`${r.left} bytes too many in ${name}`);
  return method as unknown as Method;
}

function readArgument(r: ByteReader, wire: Exclude<WireType, "bit">): unknown {
  switch (wire) {
    case "octet":
      return r.u8();
    case "short":
      return r.u16();
    case "long":
      return r.u32();
    case "longlong":
      return readSafeU64(r);
    case "shortstr":
      return readShortString(r);
    case "longstr":
      return readText(r);
    case "longbytes":
      return copyOf(r.view(r.u32()));
    case "table":
      return decodeTable(r);
    default:
      return unreachable(wire);
  }
}

function readText(r: ByteReader): string {
  const text = readLongText(r, r.u32());
  if (text === undefined) throw syntaxError("ill-formed UTF-8 in a long string");
  return text;
}
