// Hot path: runs per change of a batch. No closure, promise, spread, iterator or regex in `#change`.
import { MessagingError } from "polymq/internal";
import type { StoreBatch, StoreOp } from "./batch.ts";
import { rangeKey, recordKey } from "./layout.ts";
import type { LogRange } from "./store.ts";

/** What becomes of one small record; a null value deletes. */
export interface FlatWrite {
  /** As {@link recordKey} makes it. */
  readonly key: Uint8Array;
  /** Without its seal. */
  readonly value: Uint8Array | null;
}

/** What a batch does to one log. */
export class LogChange {
  readonly log: number;
  /** The log before the batch. */
  readonly before: LogRange;
  first: number;
  next: number;
  /** `dropped`: the log existed and goes, and is there again only when something was appended after that. */
  fate: "kept" | "dropped" = "kept";
  /** True when the log is to exist after the batch. */
  exists = true;
  /** The offset of `values[0]`. */
  valuesFrom: number;
  /** What was appended; those before `first` are not to be stored. */
  values: Uint8Array[] = [];

  constructor(log: number, before: LogRange) {
    this.log = log;
    this.before = before;
    this.first = before.first;
    this.next = before.next;
    this.valuesFrom = before.next;
  }

  /** Everything stored before this offset goes; all that the log had, when that is `before.next`. */
  get removeBefore(): number {
    return this.fate === "dropped" ? this.before.next : Math.min(this.first, this.before.next);
  }

  /** The first offset in `values` that is to be stored. */
  get storeFrom(): number {
    return Math.max(this.first, this.valuesFrom);
  }

  drop(): void {
    this.fate = "dropped";
    this.exists = false;
    this.first = 0;
    this.next = 0;
    this.valuesFrom = 0;
    this.values = [];
  }

  /** Takes up what a later batch does to the same log. */
  follow(later: LogChange): void {
    if (later.fate === "dropped") this.drop();
    const { values } = later;
    for (let i = 0; i < values.length; i++) this.values.push(values[i] as Uint8Array);
    this.first = later.first;
    this.next = later.next;
    this.exists = later.exists;
    const gone = this.first - this.valuesFrom;
    if (gone <= 0) return;
    this.values.splice(0, gone);
    this.valuesFrom = this.first;
  }

  copy(): LogChange {
    const copy = new LogChange(this.log, this.before);
    copy.first = this.first;
    copy.next = this.next;
    copy.fate = this.fate;
    copy.exists = this.exists;
    copy.valuesFrom = this.valuesFrom;
    copy.values = this.values.slice();
    return copy;
  }
}

/** A batch as single writes of small records, in their order, and what it does to each log. */
export interface BatchPlan {
  readonly writes: FlatWrite[];
  readonly logs: ReadonlyMap<number, LogChange>;
}

/**
 * Checks a batch against the logs as they are.
 * @throws {MessagingError} ERR_INVALID_ARGUMENT for a wrong offset, truncation or key; the store is then unchanged
 */
export function planBatch(batch: StoreBatch, ranges: ReadonlyMap<number, LogRange>): BatchPlan {
  const planner = new Planner(ranges);
  const { ops } = batch;
  for (let i = 0; i < ops.length; i++) planner.change(ops[i] as StoreOp);
  return planner;
}

/** Applies the ranges of a plan that was carried out. */
export function applyRanges(plan: BatchPlan, ranges: Map<number, LogRange>): void {
  for (const [log, change] of plan.logs) {
    if (change.exists) ranges.set(log, { first: change.first, next: change.next });
    else ranges.delete(log);
  }
}

class Planner implements BatchPlan {
  readonly writes: FlatWrite[] = [];
  readonly logs = new Map<number, LogChange>();
  readonly #ranges: ReadonlyMap<number, LogRange>;
  /** The log that was changed last: appends come in runs. */
  #last: LogChange | null = null;

  constructor(ranges: ReadonlyMap<number, LogRange>) {
    this.#ranges = ranges;
  }

  change(op: StoreOp): void {
    switch (op.is) {
      case "append":
        this.#append(this.#log(op.log), op.offset, op.value);
        return;
      case "put":
        this.writes.push({ key: recordKey(op.key), value: op.value });
        return;
      case "delete":
        this.writes.push({ key: recordKey(op.key), value: null });
        return;
      case "truncate":
        this.#truncate(this.#log(op.log), op.first);
        return;
      case "drop":
        this.#log(op.log).drop();
    }
  }

  #append(change: LogChange, offset: number, value: Uint8Array): void {
    if (offset !== change.next) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `append at ${offset} to a log that is at ${change.next}`);
    }
    if (offset >= Number.MAX_SAFE_INTEGER) throw new MessagingError("ERR_INVALID_ARGUMENT", "a log is full");
    change.values.push(value);
    change.next = offset + 1;
    change.exists = true;
  }

  #truncate(change: LogChange, first: number): void {
    if (!Number.isInteger(first) || first < change.first || first > change.next) {
      const allowed = `allowed are ${change.first} to ${change.next}`;
      throw new MessagingError("ERR_INVALID_ARGUMENT", `truncation of a log before ${first}, ${allowed}`);
    }
    change.first = first;
    change.exists = true;
  }

  #log(log: number): LogChange {
    if (this.#last?.log === log) return this.#last;
    let change = this.logs.get(log);
    if (change === undefined) {
      rangeKey(log); // checks the number
      change = new LogChange(log, this.#ranges.get(log) ?? EMPTY);
      this.logs.set(log, change);
    }
    this.#last = change;
    return change;
  }
}

const EMPTY: LogRange = Object.freeze({ first: 0, next: 0 });
