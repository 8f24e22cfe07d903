import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as lmdb from "lmdb";
import { isMessagingError, MessagingError } from "polymq/internal";
import type { StoreBatch } from "./batch.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import {
  checkSchema,
  decodeRange,
  logOfRangeKey,
  open,
  prefixEnd,
  rangePrefix,
  recordKey,
  recordPrefix,
  schemaKey,
  schemaValue,
} from "./layout.ts";
import { checkLmdbFile } from "./lmdb-file-check.ts";
import { buffer, type Database, plain, putRecords, readRecords, removedRecords } from "./lmdb-log.ts";
import { LOG_RECORD_BYTES } from "./log-record.ts";
import { applyRanges, planBatch } from "./plan.ts";
import type { Durability, EntryVisitor, LogRange, RecordVisitor, Store } from "./store.ts";

/** How to open an {@link LmdbStore}. */
export interface LmdbStoreOptions {
  /** The data directory; made when missing, held with a lock file while open. */
  readonly directory: string;
  /** When a commit resolves; "fsync" by default. */
  readonly durability?: "fsync" | "buffered";
  /** Bytes up to which log entries of one commit are stored as one record; 32,744 by default, 0: each by itself. Stores open with any. */
  readonly recordBytes?: number;
}

/** A {@link Store} in one file of a data directory, over LMDB. */
export class LmdbStore implements Store {
  readonly durability: Durability;
  readonly #db: Database;
  readonly #lock: DirectoryLock;
  readonly #recordBytes: number;
  readonly #ranges: Map<number, LogRange>;
  #state: "open" | "failed" | "closed" = "open";
  #commit: Promise<void> | null = null;

  private constructor(db: Database, lock: DirectoryLock, durability: Durability, recordBytes: number) {
    this.#db = db;
    this.#lock = lock;
    this.durability = durability;
    this.#recordBytes = recordBytes;
    this.#ranges = readRanges(db);
  }

  /**
   * Opens or creates the store. The file's structure is checked before it is mapped, so that a damaged one is an error here
   * and not a crash later; each record's checksum is checked when it is read.
   * @throws {MessagingError} ERR_STORE_IN_USE, ERR_STORE_CORRUPT, ERR_STORE_VERSION, ERR_STORE_FAILED
   */
  static async open(options: LmdbStoreOptions): Promise<LmdbStore> {
    const durability = options.durability ?? "fsync";
    makeDirectory(options.directory);
    const lock = lockDirectory(join(options.directory, "polymq.lock"));
    let db: Database | null = null;
    try {
      const path = join(options.directory, "polymq.mdb");
      checkLmdbFile(path);
      db = openDatabase(path, durability);
      await prepareSchema(db);
      return new LmdbStore(db, lock, durability, options.recordBytes ?? LOG_RECORD_BYTES);
    } catch (error) {
      await db?.close();
      lock.release();
      throw asStoreError(error, "the store cannot be opened");
    }
  }

  get(key: Uint8Array): Uint8Array | null {
    const full = buffer(recordKey(key));
    const sealed = this.#read(() => this.#db.get(full));
    return sealed === undefined ? null : open(full, plain(sealed));
  }

  scan(prefix: Uint8Array, visit: RecordVisitor): void {
    this.#range(recordPrefix(prefix), prefixEnd(recordPrefix(prefix)), (key, value) => visit(key.subarray(1), value));
  }

  logRange(log: number): LogRange {
    this.#mustBeOpen();
    return this.#ranges.get(log) ?? { first: 0, next: 0 };
  }

  logs(): number[] {
    this.#mustBeOpen();
    return Array.from(this.#ranges.keys()).sort((a, b) => a - b);
  }

  readLog(log: number, from: number, visit: EntryVisitor): void {
    const range = this.logRange(log);
    const start = Math.max(from, range.first);
    if (start < range.next) this.#read(() => readRecords(this.#db, log, range, start, visit));
  }

  commit(batch: StoreBatch): Promise<void> | null {
    this.#mustBeOpen();
    if (this.#commit !== null) throw new MessagingError("ERR_INVALID_ARGUMENT", "a commit is still running");
    const plan = planBatch(batch, this.#ranges);
    if (plan.writes.length === 0) return null;
    const db = this.#db;
    const removed = Array.from(plan.logs.values(), (change) => removedRecords(db, change));
    const done = db.batch(() => {
      for (const keys of removed) for (const key of keys) void db.remove(key);
      for (const change of plan.logs.values()) putRecords(db, change, this.#recordBytes);
      for (const write of plan.writes) {
        // Inside a batch these promises are resolved ones; what became of the writes is told by the batch.
        if (write.value === null) void db.remove(buffer(write.key));
        else void db.put(buffer(write.key), buffer(write.value));
      }
    });
    this.#commit = done.then(
      () => {
        this.#commit = null;
        applyRanges(plan, this.#ranges);
      },
      async (error: unknown) => {
        this.#commit = null;
        // What the medium holds now is not known: only a new opening can tell.
        if (this.#state === "open") this.#state = "failed";
        throw new MessagingError("ERR_STORE_FAILED", "a commit failed", { cause: await commitCause(error) });
      },
    );
    return this.#commit;
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    await this.#commit?.catch(ignore); // whoever made the commit was told
    const hadFailed = this.#state === "failed";
    this.#state = "closed";
    const closed = this.#db.close();
    // After a failed commit the database may wait for a sync that will never end.
    if (hadFailed) closed.catch(ignore);
    else await closed;
    this.#lock.release();
  }

  /** Visits the records from `start` up to, not including, `end`. */
  #range(start: Uint8Array, end: Uint8Array | null, visit: RecordVisitor): void {
    this.#read(() => {
      const bounds = end === null ? { start: buffer(start) } : { start: buffer(start), end: buffer(end) };
      for (const { key, value } of this.#db.getRange({ ...bounds, snapshot: true })) {
        if (!visit(plain(key), open(key, plain(value)))) return;
      }
    });
  }

  #read<T>(read: () => T): T {
    this.#mustBeOpen();
    return read();
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw new MessagingError("ERR_STORE_FAILED", `the store is ${this.#state}`);
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    throw new MessagingError("ERR_STORE_FAILED", "the data directory cannot be made", { cause });
  }
}

/**
 * `overlappingSync` resolves a commit before its sync (and tells nobody when that sync fails), so it is what "buffered" means
 * and must be off for "fsync". It keeps the last synced state, so that a loss of power costs the newest commits, never the file.
 */
function openDatabase(path: string, durability: Durability): Database {
  // A constant, because the package's types lack `txnStartThreshold`.
  const options = {
    path,
    noSubdir: true,
    encoding: "binary" as const,
    keyEncoding: "binary" as const,
    cache: false,
    overlappingSync: durability === "buffered",
    // Our batches are whole transactions that are to start at once. (With it on, a failed commit also rejects a promise that nobody holds.)
    eventTurnBatching: false,
    txnStartThreshold: 0,
  };
  return lmdb.open<Buffer, Buffer>(options);
}

async function prepareSchema(db: Database): Promise<void> {
  const sealed = db.get(buffer(schemaKey()));
  checkSchema(sealed ?? null);
  if (sealed !== undefined) return;
  if (db.getCount({ limit: 1 }) > 0) throw new MessagingError("ERR_STORE_VERSION", "this is no store of polymq");
  await db.put(buffer(schemaKey()), buffer(schemaValue()));
}

function readRanges(db: Database): Map<number, LogRange> {
  const ranges = new Map<number, LogRange>();
  const end = prefixEnd(rangePrefix());
  const bounds = { start: buffer(rangePrefix()), ...(end === null ? {} : { end: buffer(end) }) };
  for (const { key, value } of db.getRange(bounds)) {
    const log = logOfRangeKey(key);
    ranges.set(log, decodeRange(log, value));
  }
  return ranges;
}

/**
 * The reason behind a failed commit. The database hangs it on its error as a promise that rejects at the same time, and which nobody else
 * handles; should it ever not reject, the error itself has to do.
 */
function commitCause(error: unknown): Promise<unknown> {
  const reason: unknown = error instanceof Error && "commitError" in error ? error.commitError : null;
  if (!(reason instanceof Promise)) return Promise.resolve(error);
  const known = reason.then(
    () => error,
    (cause: unknown) => cause,
  );
  return Promise.race([known, new Promise((resolve) => setImmediate(resolve, error))]);
}

/** The database's own errors as ours. */
function asStoreError(error: unknown, what: string): MessagingError {
  return isMessagingError(error) ? error : new MessagingError("ERR_STORE_FAILED", what, { cause: error });
}

function ignore(): void {}
