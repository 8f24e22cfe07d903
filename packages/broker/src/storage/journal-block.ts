// Hot path: runs per block of a small commit. No closure, promise, spread, iterator or regex in `frameRecord`.
import { crc32 } from "node:zlib";
import { getU32, getU64, putU32, putU64 } from "./layout.ts";
import { corruptFile } from "./lmdb-format.ts";

/*
 * The journal is a row of blocks of one sector, which a disk writes whole or not at all:
 *   crc u32 (of all that follows) · number u64 · index u16 of the block in its record · flags u8 · 0 · left u32 · bytes
 * `left` counts the record's bytes from this block on; the last block is filled up with zeros. Numbers rise by one per block and never come
 * again within a file, so a block left over from an earlier round is known by its number. A block of zeros was never written.
 */

/** Bytes of a block. */
export const BLOCK_BYTES = 512;

const HEAD_BYTES = 20;
const ROOM_BYTES: number = BLOCK_BYTES - HEAD_BYTES;

/** Set in blocks of a record before which everything had been synced when it was written. */
const SYNCED_BEFORE = 1;

/** Blocks that a record of so many bytes takes. */
export function blocksOf(bytes: number): number {
  return Math.ceil(bytes / ROOM_BYTES);
}

/** Lays a record out in blocks from `into[0]` on; the first has `number`. Returns the bytes of all blocks. */
export function frameRecord(record: Uint8Array, number: number, isSynced: boolean, into: Uint8Array): number {
  const count = blocksOf(record.length);
  for (let index = 0; index < count; index++) {
    const start = index * BLOCK_BYTES;
    const from = index * ROOM_BYTES;
    const part = record.subarray(from, from + ROOM_BYTES);
    putU64(into, start + 4, number + index);
    into[start + 12] = index >>> 8;
    into[start + 13] = index;
    into[start + 14] = isSynced ? SYNCED_BEFORE : 0;
    into[start + 15] = 0;
    putU32(into, start + 16, record.length - from);
    into.set(part, start + HEAD_BYTES);
    const end = start + BLOCK_BYTES;
    if (part.length < ROOM_BYTES) into.fill(0, start + HEAD_BYTES + part.length, end);
    putU32(into, start, crc32(into.subarray(start + 4, end)));
  }
  return count * BLOCK_BYTES;
}

/**
 * The whole records of a journal whose first block has the number `base`, in their order. A record that was not written to its end is left out,
 * with all after it: nobody was told that it is stored.
 * @throws {MessagingError} ERR_STORE_CORRUPT for a damaged block, and for one that is missing although it had been synced
 */
export function readRecords(journal: Uint8Array, base: number): Uint8Array[] {
  const records: Uint8Array[] = [];
  const count = Math.floor(journal.length / BLOCK_BYTES);
  let at = 0;
  while (at < count) {
    const record = recordAt(journal, at, base + at);
    if (record === null) break;
    records.push(record);
    at += blocksOf(record.length);
  }
  for (let later = at; later < count; later++) checkLost(journal, later, base + at);
  return records;
}

/** The record whose first block lies at a place and has a number; null when it is not whole. */
function recordAt(journal: Uint8Array, at: number, number: number): Uint8Array | null {
  const first = at * BLOCK_BYTES;
  if (!isBlock(journal, at, number, 0)) return null;
  const length = getU32(journal, first + 16);
  const count = blocksOf(length);
  if (count === 0 || (at + count) * BLOCK_BYTES > journal.length) throw damaged(at);
  const record = new Uint8Array(length);
  for (let index = 0; index < count; index++) {
    if (!isBlock(journal, at + index, number + index, index)) return null;
    const start = (at + index) * BLOCK_BYTES + HEAD_BYTES;
    const from = index * ROOM_BYTES;
    record.set(journal.subarray(start, start + Math.min(ROOM_BYTES, length - from)), from);
  }
  return record;
}

/** Whether the block at a place is the expected one; one that is older, or was never written, is not. */
function isBlock(journal: Uint8Array, at: number, number: number, index: number): boolean {
  const start = at * BLOCK_BYTES;
  const block = journal.subarray(start, start + BLOCK_BYTES);
  if (!isIntact(block)) {
    if (block.every(isZero)) return false;
    throw damaged(at);
  }
  return getU64(block, 4) === number && indexOf(block) === index;
}

/** A block that says that everything before its record was synced, while `expected` is not there, tells of a loss. */
function checkLost(journal: Uint8Array, at: number, expected: number): void {
  const start = at * BLOCK_BYTES;
  const block = journal.subarray(start, start + BLOCK_BYTES);
  if (!isIntact(block) || ((block[14] ?? 0) & SYNCED_BEFORE) === 0) return;
  if (getU64(block, 4) - indexOf(block) > expected) throw corruptFile(`journal block ${expected} is missing`);
}

function isIntact(block: Uint8Array): boolean {
  return getU32(block, 0) === crc32(block.subarray(4));
}

function indexOf(block: Uint8Array): number {
  return ((block[12] ?? 0) << 8) | (block[13] ?? 0);
}

function isZero(byte: number): boolean {
  return byte === 0;
}

function damaged(at: number): Error {
  return corruptFile(`journal block at ${at * BLOCK_BYTES}`);
}
