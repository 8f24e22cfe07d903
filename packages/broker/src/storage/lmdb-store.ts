import { join } from "node:path";
import { isMessagingError, MessagingError } from "polymq/internal";
import type { StoreBatch } from "./batch.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { Journal } from "./journal.ts";
import { compareBytes, decodeJournalBase, journalKey, open, prefixEnd, recordKey, recordPrefix } from "./layout.ts";
import { checkLmdbFile } from "./lmdb-file-check.ts";
import { buffer, type Database, plain, readRecords } from "./lmdb-log.ts";
import { makeDirectory, openDatabase, prepareSchema, readRanges } from "./lmdb-open.ts";
import { type JournalMark, writePlan } from "./lmdb-write.ts";
import { LOG_RECORD_BYTES } from "./log-record.ts";
import { PendingChanges, readPending } from "./pending-changes.ts";
import { applyRanges, type BatchPlan, type FlatWrite, planBatch } from "./plan.ts";
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

/**
 * A {@link Store} in a data directory, over LMDB. A small batch is durable once it is in the journal, which costs one sync of the device;
 * the database takes many of them in one transaction, together with the next large one. A store that was closed is one file.
 */
export class LmdbStore implements Store {
  readonly durability: Durability;
  readonly #db: Database;
  readonly #lock: DirectoryLock;
  readonly #journalPath: string;
  readonly #recordBytes: number;
  readonly #ranges: Map<number, LogRange>;
  readonly #pending: PendingChanges = new PendingChanges();
  #journal: Journal | null = null;
  #state: "open" | "failed" | "closed" = "open";
  #commit: Promise<void> | null = null;

  private constructor(db: Database, lock: DirectoryLock, options: LmdbStoreOptions) {
    this.#db = db;
    this.#lock = lock;
    this.durability = options.durability ?? "fsync";
    this.#journalPath = journalPathIn(options.directory);
    this.#recordBytes = options.recordBytes ?? LOG_RECORD_BYTES;
    this.#ranges = readRanges(db);
  }

  /**
   * Opens or creates the store. The file's structure is checked before it is mapped, so that a damaged one is an error here
   * and not a crash later; each record's checksum is checked when it is read. What only the journal has goes into the database.
   * @throws {MessagingError} ERR_STORE_IN_USE, ERR_STORE_CORRUPT, ERR_STORE_VERSION, ERR_STORE_FAILED
   */
  static async open(options: LmdbStoreOptions): Promise<LmdbStore> {
    makeDirectory(options.directory);
    const lock = lockDirectory(join(options.directory, "polymq.lock"));
    let db: Database | null = null;
    try {
      const path = join(options.directory, "polymq.mdb");
      checkLmdbFile(path);
      db = openDatabase(path, options.durability ?? "fsync");
      await prepareSchema(db);
      const store = new LmdbStore(db, lock, options);
      await store.#takeJournal();
      return store;
    } catch (error) {
      await db?.close();
      lock.release();
      throw asStoreError(error, "the store cannot be opened");
    }
  }

  get(key: Uint8Array): Uint8Array | null {
    const full = buffer(recordKey(key));
    this.#mustBeOpen();
    const pending = this.#pending.record(full);
    if (pending !== undefined) return pending.value?.slice() ?? null;
    const sealed = this.#db.get(full);
    return sealed === undefined ? null : open(full, plain(sealed));
  }

  scan(prefix: Uint8Array, visit: RecordVisitor): void {
    this.#mustBeOpen();
    const start = recordPrefix(prefix);
    const pending = this.#pending.recordsUnder(start);
    const visitPending = ({ key, value }: FlatWrite): boolean => value === null || visit(key.slice(1), value.slice());
    let at = 0;
    const end = prefixEnd(start);
    const bounds = end === null ? { start: buffer(start) } : { start: buffer(start), end: buffer(end) };
    for (const { key, value } of this.#db.getRange({ ...bounds, snapshot: true })) {
      let order = -1;
      while (at < pending.length && order < 0) {
        const write = pending[at] as FlatWrite;
        order = compareBytes(write.key, key);
        if (order > 0) break;
        at++;
        if (!visitPending(write)) return;
      }
      if (order !== 0 && !visit(plain(key).subarray(1), open(key, plain(value)))) return;
    }
    while (at < pending.length) if (!visitPending(pending[at++] as FlatWrite)) return;
  }

  logRange(log: number): LogRange {
    this.#mustBeOpen();
    return this.#ranges.get(log) ?? NO_ENTRIES;
  }

  logs(): number[] {
    this.#mustBeOpen();
    return Array.from(this.#ranges.keys()).sort((a, b) => a - b);
  }

  readLog(log: number, from: number, visit: EntryVisitor): void {
    const range = this.logRange(log);
    const start = Math.max(from, range.first);
    if (start >= range.next) return;
    const pending = this.#pending.log(log);
    if (pending === undefined) return readRecords(this.#db, log, range, start, visit);
    const stored = pending.fate === "dropped" ? NO_ENTRIES : pending.before;
    let goesOn = true;
    if (start < stored.next) {
      readRecords(this.#db, log, stored, start, (offset, value) => {
        goesOn = visit(offset, value);
        return goesOn;
      });
    }
    if (goesOn) readPending(pending, start, visit);
  }

  commit(batch: StoreBatch): Promise<void> | null {
    this.#mustBeOpen();
    if (this.#commit !== null) throw new MessagingError("ERR_INVALID_ARGUMENT", "a commit is still running");
    const plan = planBatch(batch, this.#ranges);
    if (plan.writes.length === 0 && plan.logs.size === 0) return null;
    const journal = this.#journal;
    const isSmall = journal?.takes(batch) === true;
    const done = isSmall ? journal.append(batch) : this.#store(plan);
    this.#commit = done.then(
      () => {
        this.#commit = null;
        applyRanges(plan, this.#ranges);
        if (isSmall) this.#pending.add(plan);
        else this.#pending.clear();
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
    // Should this fail, the journal still has everything, and the next opening takes it from there.
    if (!hadFailed && this.#journal !== null) await this.#write(NOTHING, "ends").catch(ignore);
    this.#journal?.close();
    const closed = this.#db.close();
    // After a failed commit the database may wait for a sync that will never end.
    if (hadFailed) closed.catch(ignore);
    else await closed;
    this.#lock.release();
  }

  /** Takes a batch to the database, with everything that the journal has. The first one of a session makes the journal. */
  async #store(plan: BatchPlan): Promise<void> {
    const journal = this.#journal ?? (await Journal.create(this.#journalPath, this.durability));
    const isNew = this.#journal === null;
    this.#journal = journal;
    await this.#write(plan, isNew || !journal.isEmpty ? { base: journal.next } : "stays");
    journal.restart();
  }

  #write(plan: BatchPlan, journal: JournalMark): Promise<void> {
    return writePlan(this.#db, this.#pending.with(plan), { recordBytes: this.#recordBytes, journal });
  }

  /** What a process that did not close the store has left in the journal goes into the database; then there is none. */
  async #takeJournal(): Promise<void> {
    const sealed = this.#db.get(buffer(journalKey()));
    if (sealed === undefined) return;
    const plan = planBatch(await Journal.read(this.#journalPath, decodeJournalBase(plain(sealed))), this.#ranges);
    await this.#write(plan, "ends");
    applyRanges(plan, this.#ranges);
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw new MessagingError("ERR_STORE_FAILED", `the store is ${this.#state}`);
  }
}

const NO_ENTRIES: LogRange = Object.freeze({ first: 0, next: 0 });
const NOTHING: BatchPlan = Object.freeze({ writes: [], logs: new Map<never, never>() });

function journalPathIn(directory: string): string {
  return join(directory, "polymq.journal");
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
