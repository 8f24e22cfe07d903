import { MessagingError } from "polymq/internal";
import { seal, unseal } from "./crc32.ts";
import { KEY_BYTES_MAX, LOG_MAX, type LogRange, SCHEMA_VERSION } from "./store.ts";

/*
 * How a store's contents map to one ordered space of keys:
 *   00                          schema: "polymq" then version u32
 *   01 log u32                  range of a log: first u64, next u64
 *   02 log u32 offset u64       log entries from that offset on (log-record.ts); in memory one by one
 *   03 key                      one small record
 *   04                          number u64 of the journal's first block, while there is a journal (journal.ts)
 * Numbers are big-endian, so that byte order is number order. Every value is sealed (CRC-32 in front).
 */

const SCHEMA = 0;
const RANGE = 1;
const ENTRY = 2;
const RECORD = 3;
const JOURNAL = 4;

/** Where the schema version lies. */
export function schemaKey(): Uint8Array {
  return Uint8Array.of(SCHEMA);
}

/** The sealed value that names this package's schema. */
export function schemaValue(): Uint8Array {
  const value = new Uint8Array(MAGIC.length + 4);
  value.set(MAGIC);
  putU32(value, MAGIC.length, SCHEMA_VERSION);
  return seal(schemaKey(), value);
}

/**
 * Checks what lies under {@link schemaKey}; null for an empty store is fine.
 * @throws {MessagingError} ERR_STORE_CORRUPT for a damaged record, ERR_STORE_VERSION for another store or version
 */
export function checkSchema(sealed: Uint8Array | null): void {
  if (sealed === null) return;
  const value = open(schemaKey(), sealed);
  if (value.length !== MAGIC.length + 4 || compareBytes(value.subarray(0, MAGIC.length), MAGIC) !== 0) {
    throw new MessagingError("ERR_STORE_VERSION", "this is no store of polymq");
  }
  checkVersion(getU32(value, MAGIC.length));
}

/** Refuses contents of another schema version. @throws {MessagingError} ERR_STORE_VERSION */
export function checkVersion(version: number): void {
  if (version === SCHEMA_VERSION) return;
  throw new MessagingError("ERR_STORE_VERSION", `store has schema version ${version}, known is ${SCHEMA_VERSION}`);
}

/** Where a small record lies. @throws {MessagingError} ERR_INVALID_ARGUMENT for an empty or too long key */
export function recordKey(key: Uint8Array): Uint8Array {
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", `a key of ${key.length} bytes, allowed are 1 to ${KEY_BYTES_MAX}`);
  }
  return prefixed(RECORD, key);
}

/** The common start of all small records under `prefix`, which may be empty. */
export function recordPrefix(prefix: Uint8Array): Uint8Array {
  return prefixed(RECORD, prefix);
}

/** Where a log's range lies. */
export function rangeKey(log: number): Uint8Array {
  const key = new Uint8Array(5);
  key[0] = RANGE;
  putU32(key, 1, checkLog(log));
  return key;
}

/** The common start of all log ranges. */
export function rangePrefix(): Uint8Array {
  return Uint8Array.of(RANGE);
}

/** The log number in a {@link rangeKey}. */
export function logOfRangeKey(key: Uint8Array): number {
  return getU32(key, 1);
}

/** Where the log entries from `offset` on lie. */
export function startKey(log: number, offset: number): Uint8Array {
  const key = new Uint8Array(13);
  key[0] = ENTRY;
  putU32(key, 1, checkLog(log));
  putU64(key, 5, offset);
  return key;
}

/** The offset in a {@link startKey}; null when the key is no such key of this log. */
export function offsetOfStartKey(log: number, key: Uint8Array): number | null {
  return key.length === 13 && key[0] === ENTRY && getU32(key, 1) === log ? getU64(key, 5) : null;
}

/** A log's range as a sealed value. */
export function encodeRange(log: number, range: LogRange): Uint8Array {
  const value = new Uint8Array(16);
  putU64(value, 0, range.first);
  putU64(value, 8, range.next);
  return seal(rangeKey(log), value);
}

/** The other way round; null gives the empty range. @throws {MessagingError} ERR_STORE_CORRUPT */
export function decodeRange(log: number, sealed: Uint8Array | null): LogRange {
  if (sealed === null) return { first: 0, next: 0 };
  const value = open(rangeKey(log), sealed);
  const range = { first: getU64(value, 0), next: getU64(value, 8) };
  if (value.length !== 16 || range.first > range.next) throw corrupt(rangeKey(log));
  return range;
}

/** Where the number of the journal's first block lies. */
export function journalKey(): Uint8Array {
  return Uint8Array.of(JOURNAL);
}

/** That number as a sealed value. */
export function encodeJournalBase(base: number): Uint8Array {
  const value = new Uint8Array(8);
  putU64(value, 0, base);
  return seal(journalKey(), value);
}

/** The other way round. @throws {MessagingError} ERR_STORE_CORRUPT */
export function decodeJournalBase(sealed: Uint8Array): number {
  const value = open(journalKey(), sealed);
  if (value.length !== 8) throw corrupt(journalKey());
  return getU64(value, 0);
}

/** The value inside a sealed one. @throws {MessagingError} ERR_STORE_CORRUPT */
export function open(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const value = unseal(key, sealed);
  if (value === null) throw corrupt(key);
  return value;
}

/** An `ERR_STORE_CORRUPT` that names the damaged record. */
export function corrupt(key: Uint8Array): MessagingError {
  const hex = Array.from(key.subarray(0, 32), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return new MessagingError("ERR_STORE_CORRUPT", `damaged record in the store, key ${hex}`);
}

/** The first key behind all that start with `prefix`, or null when there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | null {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return null;
  const end = prefix.slice(0, length);
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}

/** Byte order: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Writes an unsigned 32-bit number, big-endian. */
export function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Writes an unsigned number below 2^53 as 64 bits, big-endian. */
export function putU64(into: Uint8Array, at: number, value: number): void {
  putU32(into, at, Math.floor(value / 0x1_0000_0000));
  putU32(into, at + 4, value >>> 0);
}

/** Reads what {@link putU32} wrote. */
export function getU32(from: Uint8Array, at: number): number {
  return (
    (((from[at] ?? 0) << 24) | ((from[at + 1] ?? 0) << 16) | ((from[at + 2] ?? 0) << 8) | (from[at + 3] ?? 0)) >>> 0
  );
}

/** Reads what {@link putU64} wrote. */
export function getU64(from: Uint8Array, at: number): number {
  return getU32(from, at) * 0x1_0000_0000 + getU32(from, at + 4);
}

/** "polymq" in ASCII. */
const MAGIC: Uint8Array = Uint8Array.of(0x70, 0x6f, 0x6c, 0x79, 0x6d, 0x71);

function prefixed(space: number, key: Uint8Array): Uint8Array {
  const whole = new Uint8Array(1 + key.length);
  whole[0] = space;
  whole.set(key, 1);
  return whole;
}

function checkLog(log: number): number {
  if (!Number.isInteger(log) || log < 0 || log > LOG_MAX) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", `a log number of ${log}, allowed are 0 to ${LOG_MAX}`);
  }
  return log;
}
