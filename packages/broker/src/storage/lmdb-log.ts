import type * as lmdb from "lmdb";
import { corrupt, offsetOfStartKey, startKey } from "./layout.ts";
import { encodeLogRecord, LogRecordReader } from "./log-record.ts";
import type { LogChange } from "./plan.ts";
import type { EntryVisitor, LogRange } from "./store.ts";

/** The database that holds records. */
export type Database = lmdb.RootDatabase<Buffer, Buffer>;

/** The keys of the records that a change leaves without an entry. A record that it leaves one stays as it is. */
export function removedRecords(db: Database, change: LogChange): Buffer[] {
  const { log, before, removeBefore } = change;
  if (before.first === before.next || (removeBefore === before.first && change.fate === "kept")) return [];
  const removed: Buffer[] = [];
  let last: Buffer | null = null;
  // The keys of a log's records are all there is between these two.
  for (const key of db.getKeys({ start: keyOf(log, 0), end: keyOf(log, removeBefore + 1) })) {
    if (offsetOfStartKey(log, key) === null) throw corrupt(key);
    if (last !== null) removed.push(last);
    last = key;
  }
  if (last !== null && removeBefore === before.next) removed.push(last);
  return removed;
}

/** Writes what a change appended; to be called inside a batch of the database. */
export function putRecords(db: Database, change: LogChange, recordBytes: number): void {
  const { log, values, valuesFrom } = change;
  let offset = change.storeFrom;
  while (offset < change.next) {
    const record = encodeLogRecord(log, offset, values, offset - valuesFrom, recordBytes);
    // Inside a batch these promises are resolved ones; what became of the writes is told by the batch.
    void db.put(buffer(record.key), buffer(record.value));
    offset += record.count;
  }
}

/** Visits the entries of a log that has `range`, from `from` on, which lies in it. @throws {MessagingError} ERR_STORE_CORRUPT */
export function readRecords(db: Database, log: number, range: LogRange, from: number, visit: EntryVisitor): void {
  let expected = from;
  const start = floorKey(db, log, from);
  for (const { key, value } of db.getRange({ start, end: keyOf(log, range.next), snapshot: true })) {
    const first = offsetOfStartKey(log, key);
    const record = new LogRecordReader(key, plain(value));
    if (first === null) throw corrupt(key);
    const end = first + record.count;
    // The first record may begin before what is wanted; each further one begins where the last ended.
    if (expected >= end || end > range.next || (first !== expected && expected !== from)) throw corrupt(key);
    record.skip(expected - first);
    while (expected < end) if (!visit(expected++, record.next())) return;
  }
  if (expected < range.next) throw corrupt(startKey(log, expected));
}

/** The key of the record that holds `offset`. */
function floorKey(db: Database, log: number, offset: number): Buffer {
  for (const key of db.getKeys({ start: keyOf(log, offset), reverse: true, limit: 1 })) {
    if (offsetOfStartKey(log, key) !== null) return key;
  }
  throw corrupt(startKey(log, offset));
}

function keyOf(log: number, offset: number): Buffer {
  return buffer(startKey(log, offset));
}

/** The same bytes as the class that the database asks for. */
export function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The same bytes without the subclass, whose `slice` would not copy. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
