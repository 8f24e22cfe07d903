// Hot path: delivery tags go through here. No closure, promise, spread, iterator or regex here.
import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { syntaxError } from "./failures.ts";

/*
 * 64-bit integers: a number within plus or minus 2^53 - 1, a bigint beyond it. Only what lies beyond costs a BigInt.
 */

const TWO_32 = 0x1_0000_0000;
/** High words below it make safe integers. */
const SAFE_HIGH = 0x20_0000;

/** The largest unsigned 64-bit integer. */
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** Reads an unsigned 64-bit integer. */
export function readU64(r: ByteReader): number | bigint {
  const high = r.u32();
  const low = r.u32();
  return high < SAFE_HIGH ? high * TWO_32 + low : (BigInt(high) << 32n) | BigInt(low);
}

/** Reads a signed 64-bit integer. */
export function readI64(r: ByteReader): number | bigint {
  const high = r.u32() | 0;
  const low = r.u32();
  if (high >= -SAFE_HIGH && high < SAFE_HIGH && (high !== -SAFE_HIGH || low !== 0)) return high * TWO_32 + low;
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Reads a delivery tag or body size: unsigned, and `ERR_MALFORMED_PACKET` above 2^53 - 1, which nobody reaches. */
export function readSafeU64(r: ByteReader): number {
  const high = r.u32();
  const low = r.u32();
  if (high >= SAFE_HIGH) throw syntaxError("a 64-bit number above 2^53 - 1");
  return high * TWO_32 + low;
}

/** The same at `at` of a buffer whose bounds the caller has checked. */
export function safeU64At(buffer: Uint8Array, at: number): number {
  const high =
    (((buffer[at] as number) << 24) |
      ((buffer[at + 1] as number) << 16) |
      ((buffer[at + 2] as number) << 8) |
      (buffer[at + 3] as number)) >>>
    0;
  if (high >= SAFE_HIGH) throw syntaxError("a 64-bit number above 2^53 - 1");
  const low =
    (((buffer[at + 4] as number) << 24) |
      ((buffer[at + 5] as number) << 16) |
      ((buffer[at + 6] as number) << 8) |
      (buffer[at + 7] as number)) >>>
    0;
  return high * TWO_32 + low;
}

/** Writes a safe integer as 64 bits, two's complement; the caller has made room. */
export function write64(w: ByteWriter, value: number): void {
  const high = Math.floor(value / TWO_32);
  w.u32(high);
  w.u32(value - high * TWO_32);
}

/** Writes a bigint as 64 bits, two's complement; the caller has made room and checked its range. */
export function writeBig64(w: ByteWriter, value: bigint): void {
  w.u32(Number((value >> 32n) & 0xffff_ffffn));
  w.u32(Number(value & 0xffff_ffffn));
}
