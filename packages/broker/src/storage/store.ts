import type { StoreBatch } from "./batch.ts";

/**
 * What a resolved commit promises: `fsync` it survives a loss of power, `buffered` it survives the end of this process,
 * `memory` it lives as long as the store object.
 */
export type Durability = "fsync" | "buffered" | "memory";

/** The offsets of a log: entries exist from `first` up to, not including, `next`. */
export interface LogRange {
  readonly first: number;
  readonly next: number;
}

/** Takes one record of a scan or log entry of a read; returns false to stop. The arguments are the caller's to keep. */
export type RecordVisitor = (key: Uint8Array, value: Uint8Array) => boolean;

/** Takes one log entry; returns false to stop. The value is the caller's to keep. */
export type EntryVisitor = (offset: number, value: Uint8Array) => boolean;

/** The schema version written by this package. A store of another version is refused with `ERR_STORE_VERSION`. */
export const SCHEMA_VERSION = 3;

/** Bytes that a key may have. */
export const KEY_BYTES_MAX = 256;

/** The largest log number and the largest offset: 2^32-1 and 2^53-1. */
export const LOG_MAX = 0xffff_ffff;

/**
 * One transactional store for logs and small records. Small records have binary keys in byte order; a log has
 * contiguous offsets from 0 and a number. Reads see every commit whose promise has resolved, and nothing of a batch that failed.
 *
 * Every record carries a checksum over its key and value. One that does not match is `ERR_STORE_CORRUPT` on read, and
 * so is a log with a hole; neither is ever served as data. After an error of the medium, calls throw `ERR_STORE_FAILED`.
 */
export interface Store {
  readonly durability: Durability;

  /** The record under `key`, or null. @throws {MessagingError} ERR_STORE_CORRUPT, ERR_STORE_FAILED */
  get(key: Uint8Array): Uint8Array | null;

  /** Visits the records whose key starts with `prefix`, in byte order of their keys. Do not commit from the visitor. */
  scan(prefix: Uint8Array, visit: RecordVisitor): void;

  /** A log's range; `{ first: 0, next: 0 }` for one that was never written or was dropped. */
  logRange(log: number): LogRange;

  /** The numbers of all logs that exist, ascending. */
  logs(): number[];

  /** Visits a log's entries from `from` (or its first, if that is later) on, in order of offsets. */
  readLog(log: number, from: number, visit: EntryVisitor): void;

  /**
   * Makes a batch durable, whole or not at all. Returns null when that has already happened, else a promise that
   * resolves once it has. One commit at a time: the next call only after the last one settled. An append at an offset that is not the log's
   * next one, a truncation outside its range or a key above {@link KEY_BYTES_MAX} is `ERR_INVALID_ARGUMENT` and changes nothing.
   */
  commit(batch: StoreBatch): Promise<void> | null;

  /** Ends the store after the running commit; further calls throw `ERR_STORE_FAILED`. */
  close(): Promise<void>;
}
