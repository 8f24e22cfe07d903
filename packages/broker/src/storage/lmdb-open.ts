import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as lmdb from "lmdb";
import { MessagingError } from "polymq/internal";
import { checkSchema, decodeRange, logOfRangeKey, prefixEnd, rangePrefix, schemaKey, schemaValue } from "./layout.ts";
import { buffer, type Database } from "./lmdb-log.ts";
import type { Durability, LogRange } from "./store.ts";

/** Makes the data directory. @throws {MessagingError} ERR_STORE_FAILED */
export function makeDirectory(directory: string): void {
  try {
    makeWithParents(resolve(directory));
  } catch (cause) {
    throw new MessagingError("ERR_STORE_FAILED", "the data directory cannot be made", { cause });
  }
}

/** Not `mkdirSync` with `recursive`: in Node 20 that tries for ever where a file system refuses a name with ENOENT, as /proc does. */
function makeWithParents(directory: string): void {
  if (isDirectory(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory) makeWithParents(parent);
  try {
    mkdirSync(directory);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (!isDirectory(directory)) throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * `overlappingSync` resolves a commit before its sync (and tells nobody when that sync fails), so it is what "buffered" means
 * and must be off for "fsync". It keeps the last synced state, so that a loss of power costs the newest commits, never the file.
 */
export function openDatabase(path: string, durability: Durability): Database {
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

/** Marks an empty database as a store of this version. @throws {MessagingError} ERR_STORE_VERSION for anything else than one or nothing */
export async function prepareSchema(db: Database): Promise<void> {
  const sealed = db.get(buffer(schemaKey()));
  checkSchema(sealed ?? null);
  if (sealed !== undefined) return;
  if (db.getCount({ limit: 1 }) > 0) throw new MessagingError("ERR_STORE_VERSION", "this is no store of polymq");
  await db.put(buffer(schemaKey()), buffer(schemaValue()));
}

/** The ranges of all logs. @throws {MessagingError} ERR_STORE_CORRUPT */
export function readRanges(db: Database): Map<number, LogRange> {
  const ranges = new Map<number, LogRange>();
  const end = prefixEnd(rangePrefix());
  const bounds = { start: buffer(rangePrefix()), ...(end === null ? {} : { end: buffer(end) }) };
  for (const { key, value } of db.getRange(bounds)) {
    const log = logOfRangeKey(key);
    ranges.set(log, decodeRange(log, value));
  }
  return ranges;
}
