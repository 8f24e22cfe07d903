// Hot path: `append` runs per small commit.
import { closeSync, constants, fdatasync, openSync, write } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { StoreBatch } from "./batch.ts";
import { decodeBatch, encodeBatch, journalBytesOf } from "./journal-batch.ts";
import { BLOCK_BYTES, blocksOf, frameRecord, readRecords } from "./journal-block.ts";
import { corruptFile } from "./lmdb-format.ts";
import type { Durability } from "./store.ts";

/** Bytes of the journal's file. It is written once and then only overwritten, so that a sync has nothing but data to write. */
const JOURNAL_BYTES: number = 1024 * 1024;

/** A batch that takes more than this is not worth being written twice. */
const RECORD_BYTES_MAX: number = 32 * 1024;

/** Linux writes and syncs in one call when the file is opened so. */
const SYNCS_ON_WRITE: boolean = process.platform === "linux" && constants.O_DSYNC !== undefined;

/** The number of the first block in a new file. */
export const JOURNAL_BASE = 1;

/**
 * Batches that are durable here before the database has them: one write and one sync of the device, where a transaction of the database
 * takes two and more. From time to time the database takes them all, and the journal starts at its beginning again.
 */
export class Journal {
  readonly #file: number;
  readonly #durability: Durability;
  readonly #record: Uint8Array = new Uint8Array(RECORD_BYTES_MAX);
  readonly #blocks: Uint8Array = new Uint8Array(blocksOf(RECORD_BYTES_MAX) * BLOCK_BYTES);
  #at = 0;
  #next: number = JOURNAL_BASE;

  private constructor(file: number, durability: Durability) {
    this.#file = file;
    this.#durability = durability;
  }

  /** Makes the file anew, whatever was there. */
  static async create(path: string, durability: Durability): Promise<Journal> {
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(new Uint8Array(JOURNAL_BYTES));
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(dirname(path));
    const syncs = durability === "fsync" && SYNCS_ON_WRITE ? constants.O_DSYNC : 0;
    return new Journal(openSync(path, constants.O_WRONLY | syncs), durability);
  }

  /**
   * What a journal holds whose first block has the number `base`, as one batch.
   * @throws {MessagingError} ERR_STORE_CORRUPT
   */
  static async read(path: string, base: number): Promise<StoreBatch> {
    const journal = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw corruptFile("the journal is missing");
      throw error;
    });
    if (journal.length !== JOURNAL_BYTES) throw corruptFile("the journal is cut off");
    const batch = new StoreBatch();
    for (const record of readRecords(journal, base)) decodeBatch(record, batch);
    return batch;
  }

  /** The number that the next block gets. */
  get next(): number {
    return this.#next;
  }

  /** True when it holds nothing that the database has not. */
  get isEmpty(): boolean {
    return this.#at === 0;
  }

  /** True when the batch is small enough and there is room for it. */
  takes(batch: StoreBatch): boolean {
    const bytes = journalBytesOf(batch);
    return bytes <= RECORD_BYTES_MAX && this.#at + blocksOf(bytes) * BLOCK_BYTES <= JOURNAL_BYTES;
  }

  /** Writes a batch that it {@link takes}; resolves once it is durable. One at a time. */
  append(batch: StoreBatch): Promise<void> {
    const record = this.#record.subarray(0, encodeBatch(batch, this.#record));
    const isSynced = this.#durability === "fsync";
    const bytes = frameRecord(record, this.#next, isSynced, this.#blocks);
    const start = this.#at;
    this.#at += bytes;
    this.#next += bytes / BLOCK_BYTES;
    return this.#write(bytes, start, isSynced && !SYNCS_ON_WRITE);
  }

  /** The database has everything: it starts at its beginning again. */
  restart(): void {
    this.#at = 0;
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(bytes: number, at: number, syncs: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      write(this.#file, this.#blocks, 0, bytes, at, (error, written) => {
        if (error) reject(error);
        else if (written !== bytes) reject(new Error(`the journal took ${written} of ${bytes} bytes`));
        else if (syncs) fdatasync(this.#file, (failed) => (failed ? reject(failed) : resolve()));
        else resolve();
      });
    });
  }
}

/** Makes the name of a new file durable, where a directory can be opened. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
