// Hot path: runs per log entry. No closure, promise, spread, iterator or regex here.
import { crc32 } from "node:zlib";
import { corrupt, getU32, open, putU32, startKey } from "./layout.ts";

/*
 * A record holds neighbouring entries of one log that were committed together. Its key is the offset of the first (layout.ts); its value:
 *   crc u32 (of key and all that follows) · count u32 · count times: length u32, bytes
 */

const CRC_BYTES = 4;
const COUNT_BYTES = 4;
const LENGTH_BYTES = 4;

/**
 * Bytes that a record may have before another entry begins a new one; one larger entry is a record by itself. Eight pages of 4 KiB less
 * their header: a reader that wants one entry reads no more than that, and a log whose head lies within a record keeps no more than that too long.
 */
export const LOG_RECORD_BYTES: number = 8 * 4096 - 24;

/** One record, and where the next begins. */
export interface EncodedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Entries in it. */
  readonly count: number;
}

/**
 * Makes a record of as many entries as fit, from `values[at]` on, which has `offset`.
 * @param bytesMax how long it may get; it has one entry at least
 */
export function encodeLogRecord(
  log: number,
  offset: number,
  values: readonly Uint8Array[],
  at: number,
  bytesMax: number = LOG_RECORD_BYTES,
): EncodedRecord {
  let length = CRC_BYTES + COUNT_BYTES;
  let end = at;
  while (end < values.length) {
    const more = LENGTH_BYTES + (values[end] as Uint8Array).length;
    if (end > at && length + more > bytesMax) break;
    length += more;
    end++;
  }
  const key = startKey(log, offset);
  const value = new Uint8Array(length);
  putU32(value, CRC_BYTES, end - at);
  let position = CRC_BYTES + COUNT_BYTES;
  for (let i = at; i < end; i++) {
    const entry = values[i] as Uint8Array;
    putU32(value, position, entry.length);
    value.set(entry, position + LENGTH_BYTES);
    position += LENGTH_BYTES + entry.length;
  }
  putU32(value, 0, crc32(value.subarray(CRC_BYTES), crc32(key)));
  return { key, value, count: end - at };
}

/** Reads a record's entries in their order. */
export class LogRecordReader {
  /** Entries in it. */
  readonly count: number;
  readonly #key: Uint8Array;
  readonly #value: Uint8Array;
  #position = COUNT_BYTES;
  #left: number;

  /** @throws {MessagingError} ERR_STORE_CORRUPT for a damaged record */
  constructor(key: Uint8Array, sealed: Uint8Array) {
    this.#key = key;
    this.#value = open(key, sealed);
    this.count = this.#value.length < COUNT_BYTES ? 0 : getU32(this.#value, 0);
    this.#left = this.count;
    if (this.count === 0) throw corrupt(key);
  }

  /** Goes over entries. */
  skip(count: number): void {
    for (let i = 0; i < count; i++) this.#position += LENGTH_BYTES + this.#length();
  }

  /** The next entry: a copy, so that keeping it keeps no neighbour. */
  next(): Uint8Array {
    const start = this.#position + LENGTH_BYTES;
    const end = start + this.#length();
    this.#position = end;
    return this.count === 1 ? this.#value.subarray(start, end) : this.#value.slice(start, end);
  }

  #length(): number {
    if (this.#left-- <= 0 || this.#position + LENGTH_BYTES > this.#value.length) throw corrupt(this.#key);
    const length = getU32(this.#value, this.#position);
    if (this.#position + LENGTH_BYTES + length > this.#value.length) throw corrupt(this.#key);
    return length;
  }
}
