// Hot path: `encodeBatch` runs per change of a small commit. No closure, promise, spread, iterator or regex there.
import type { StoreBatch, StoreOp } from "./batch.ts";
import { getU32, getU64, putU32, putU64 } from "./layout.ts";
import { corruptFile } from "./lmdb-format.ts";

/*
 * A batch in the journal, its changes one after the other, numbers big-endian:
 *   1 put        length of the key u16 · length of the value u32 · key · value
 *   2 delete     length of the key u16 · key
 *   3 append     log u32 · offset u64 · length u32 · bytes
 *   4 truncate   log u32 · first u64
 *   5 drop       log u32
 */

const PUT = 1;
const DELETE = 2;
const APPEND = 3;
const TRUNCATE = 4;
const DROP = 5;

/** The most that a change has besides its key and value. */
const OP_BYTES = 17;

/** Bytes that a batch takes in the journal at most. */
export function journalBytesOf(batch: StoreBatch): number {
  return batch.bytes + batch.ops.length * OP_BYTES;
}

/** Writes a batch; `into` has room for {@link journalBytesOf} it. Returns where it ends. */
export function encodeBatch(batch: StoreBatch, into: Uint8Array): number {
  const { ops } = batch;
  let at = 0;
  for (let i = 0; i < ops.length; i++) at = encodeOp(ops[i] as StoreOp, into, at);
  return at;
}

function encodeOp(op: StoreOp, into: Uint8Array, at: number): number {
  switch (op.is) {
    case "put": {
      const { key, value } = op;
      into[at] = PUT;
      putU32(into, at + 3, value.length);
      const end = putKey(key, into, at, 7);
      into.set(value, end);
      return end + value.length;
    }
    case "delete":
      into[at] = DELETE;
      return putKey(op.key, into, at, 3);
    case "append":
      into[at] = APPEND;
      putU32(into, at + 1, op.log);
      putU64(into, at + 5, op.offset);
      putU32(into, at + 13, op.value.length);
      into.set(op.value, at + OP_BYTES);
      return at + OP_BYTES + op.value.length;
    case "truncate":
      into[at] = TRUNCATE;
      putU32(into, at + 1, op.log);
      putU64(into, at + 5, op.first);
      return at + 13;
    case "drop":
      into[at] = DROP;
      putU32(into, at + 1, op.log);
      return at + 5;
  }
}

/** Writes the length of a key behind the kind of its change at `at`, and the key at `at + offset`. */
function putKey(key: Uint8Array, into: Uint8Array, at: number, offset: number): number {
  into[at + 1] = key.length >>> 8;
  into[at + 2] = key.length;
  into.set(key, at + offset);
  return at + offset + key.length;
}

/** Adds what a record of the journal holds to a batch. @throws {MessagingError} ERR_STORE_CORRUPT */
export function decodeBatch(record: Uint8Array, into: StoreBatch): void {
  let at = 0;
  while (at < record.length) at = decodeOp(record, at, into);
  if (at !== record.length) throw corruptFile("a journal record is cut off");
}

function decodeOp(from: Uint8Array, at: number, into: StoreBatch): number {
  const log = getU32(from, at + 1);
  const offset = getU64(from, at + 5);
  const keyLength = ((from[at + 1] ?? 0) << 8) | (from[at + 2] ?? 0);
  switch (from[at]) {
    case PUT: {
      const valueStart = at + 7 + keyLength;
      const end = valueStart + getU32(from, at + 3);
      into.put(from.subarray(at + 7, valueStart), from.subarray(valueStart, end));
      return end;
    }
    case DELETE:
      into.delete(from.subarray(at + 3, at + 3 + keyLength));
      return at + 3 + keyLength;
    case APPEND: {
      const end = at + OP_BYTES + getU32(from, at + 13);
      into.append(log, offset, from.subarray(at + OP_BYTES, end));
      return end;
    }
    case TRUNCATE:
      into.truncate(log, offset);
      return at + 13;
    case DROP:
      into.drop(log);
      return at + 5;
    default:
      throw corruptFile("an unknown change in the journal");
  }
}
