import type { ByteReader } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./failures.ts";

/** The longest short string, in bytes (§4.2.5.3). */
export const SHORT_STRING_BYTES_MAX = 255;

/** Reads a short string: well-formed UTF-8 without U+0000 (§4.2.5.3), else `ERR_MALFORMED_PACKET`. */
export function readShortString(r: ByteReader): string {
  return r.utf8(r.u8());
}

/**
 * Writes a short string, making room for it. `ERR_INVALID_ARGUMENT` above 255 bytes and for what no short string may hold.
 * @param name what the message calls it
 */
export function writeShortString(w: ByteWriter, value: unknown, name: string): void {
  if (typeof value !== "string") throw invalid(`${name} must be a string`);
  if (value.length > SHORT_STRING_BYTES_MAX) throw tooLong(name);
  if (!value.isWellFormed() || value.includes("\0")) throw invalid(`${name} holds U+0000 or a lone surrogate`);
  w.reserve(1 + value.length * 3);
  const start = w.at;
  w.at = start + 1;
  const length = w.utf8(value);
  if (length > SHORT_STRING_BYTES_MAX) throw tooLong(name);
  w.buffer[start] = length;
}

/** A short string as bytes with its length octet, as `ContentWriter` takes consumer tags and reply texts. Refusals as `writeShortString`. */
export function shortStringBytes(text: TextCodec, value: string, name: string): Uint8Array {
  const w = new ByteWriter(text, 16);
  writeShortString(w, value, name);
  return w.copyFrom(0);
}

function tooLong(name: string): Error {
  return invalid(`${name} takes more than ${SHORT_STRING_BYTES_MAX} bytes`);
}

/** The longest long string that is encoded, in bytes: far more than any frame can carry, and safely below what a length can say. */
const LONG_STRING_BYTES_MAX = 0x7fff_ffff;

/** Writes a long string from text or bytes (§4.2.5.3), making room for it. `ERR_INVALID_ARGUMENT` for anything else. */
export function writeLongString(w: ByteWriter, value: unknown, name: string): void {
  if (value instanceof Uint8Array) {
    if (value.length > LONG_STRING_BYTES_MAX) throw invalid(`${name} is too long`);
    w.reserve(4 + value.length);
    w.u32(value.length);
    w.bytes(value);
    return;
  }
  if (typeof value !== "string" || !value.isWellFormed()) throw invalid(`${name} must be well-formed text or bytes`);
  w.reserve(4 + value.length * 3);
  const start = w.at;
  w.at = start + 4;
  const length = w.utf8(value);
  w.at = start;
  w.u32(length);
  w.at += length;
}

/** Reads a long string as text: U+0000 is fine there; undefined, with the reader behind it, when it is not well-formed UTF-8. */
export function readLongText(r: ByteReader, length: number): string | undefined {
  const start = r.at;
  r.view(length);
  try {
    return r.text.utf8(r.buffer, start, r.at);
  } catch {
    // Not an error: a long string may hold any octets (§4.2.5.3), and the caller takes the bytes then.
    return undefined;
  }
}
