import { MessagingError } from "polymq/internal";
import type { StoreBatch } from "./batch.ts";
import { seal } from "./crc32.ts";
import { checkVersion, corrupt, open, recordKey, recordPrefix, startKey } from "./layout.ts";
import { applyRanges, type LogChange, planBatch } from "./plan.ts";
import {
  type Durability,
  type EntryVisitor,
  type LogRange,
  type RecordVisitor,
  SCHEMA_VERSION,
  type Store,
} from "./store.ts";

/** What a {@link MemoryStore} holds; hand it to a second one to "reopen" the first. */
export class MemoryMedium {
  /** Sealed values by key, the key as one character per byte. */
  readonly records: Map<string, Uint8Array> = new Map();
  readonly ranges: Map<number, LogRange> = new Map();
  /** The schema version of what is held. */
  version: number = SCHEMA_VERSION;
}

/** A {@link Store} in memory: commits complete at once. Contents live as long as their {@link MemoryMedium}. */
export class MemoryStore implements Store {
  readonly durability: Durability = "memory";
  readonly #medium: MemoryMedium;
  #state: "open" | "closed" = "open";

  /** @throws {MessagingError} ERR_STORE_VERSION for contents of another version */
  constructor(medium: MemoryMedium = new MemoryMedium()) {
    checkVersion(medium.version);
    this.#medium = medium;
  }

  get(key: Uint8Array): Uint8Array | null {
    const full = recordKey(key);
    const sealed = this.#opened().records.get(text(full));
    return sealed === undefined ? null : open(full, sealed).slice();
  }

  scan(prefix: Uint8Array, visit: RecordVisitor): void {
    const medium = this.#opened();
    const start = text(recordPrefix(prefix));
    const keys = Array.from(medium.records.keys())
      .filter((key) => key.startsWith(start))
      .sort();
    for (const key of keys) {
      const sealed = medium.records.get(key);
      if (sealed === undefined) continue;
      const full = bytes(key);
      if (!visit(full.slice(1), open(full, sealed).slice())) return;
    }
  }

  logRange(log: number): LogRange {
    return this.#opened().ranges.get(log) ?? { first: 0, next: 0 };
  }

  logs(): number[] {
    return Array.from(this.#opened().ranges.keys()).sort((a, b) => a - b);
  }

  readLog(log: number, from: number, visit: EntryVisitor): void {
    const range = this.logRange(log);
    for (let offset = Math.max(from, range.first); offset < range.next; offset++) {
      const key = startKey(log, offset);
      const sealed = this.#medium.records.get(text(key));
      if (sealed === undefined) throw corrupt(key);
      if (!visit(offset, open(key, sealed).slice())) return;
    }
  }

  commit(batch: StoreBatch): Promise<void> | null {
    const medium = this.#opened();
    const plan = planBatch(batch, medium.ranges);
    for (const { key, value } of plan.writes) {
      if (value === null) medium.records.delete(text(key));
      else medium.records.set(text(key), seal(key, value));
    }
    for (const change of plan.logs.values()) applyLog(change, medium.records);
    applyRanges(plan, medium.ranges);
    return null;
  }

  close(): Promise<void> {
    this.#state = "closed";
    return Promise.resolve();
  }

  #opened(): MemoryMedium {
    if (this.#state === "closed") throw new MessagingError("ERR_STORE_FAILED", "the store is closed");
    return this.#medium;
  }
}

function applyLog(change: LogChange, records: Map<string, Uint8Array>): void {
  const { log } = change;
  for (let offset = change.before.first; offset < change.removeBefore; offset++) {
    records.delete(text(startKey(log, offset)));
  }
  for (let offset = change.storeFrom; offset < change.next; offset++) {
    const value = change.values[offset - change.valuesFrom];
    const key = startKey(log, offset);
    if (value !== undefined) records.set(text(key), seal(key, value));
  }
}

function text(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function bytes(key: string): Uint8Array {
  const copy = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) copy[i] = key.charCodeAt(i);
  return copy;
}
