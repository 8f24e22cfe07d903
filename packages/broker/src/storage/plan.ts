import { MessagingError } from "polymq/internal";
import type { StoreBatch, StoreOp } from "./batch.ts";
import { seal } from "./crc32.ts";
import { encodeRange, entryKey, rangeKey, recordKey } from "./layout.ts";
import type { LogRange } from "./store.ts";

/** One write to the ordered space of keys; a null value deletes. */
export interface FlatWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** A batch as single writes, and the ranges its logs will have; null for a dropped log. */
export interface BatchPlan {
  readonly writes: FlatWrite[];
  readonly ranges: Map<number, LogRange | null>;
}

/**
 * Checks a batch against the logs as they are and turns it into single writes.
 * @throws {MessagingError} ERR_INVALID_ARGUMENT for a wrong offset, truncation or key; the store is then unchanged
 */
export function planBatch(batch: StoreBatch, ranges: ReadonlyMap<number, LogRange>): BatchPlan {
  const plan: BatchPlan = { writes: [], ranges: new Map() };
  for (const op of batch.ops) planOp(op, plan, ranges);
  for (const [log, range] of plan.ranges) {
    plan.writes.push({ key: rangeKey(log), value: range === null ? null : encodeRange(log, range) });
  }
  return plan;
}

/** Applies the ranges of a plan that was carried out. */
export function applyRanges(plan: BatchPlan, ranges: Map<number, LogRange>): void {
  for (const [log, range] of plan.ranges) {
    if (range === null) ranges.delete(log);
    else ranges.set(log, range);
  }
}

function planOp(op: StoreOp, plan: BatchPlan, ranges: ReadonlyMap<number, LogRange>): void {
  switch (op.is) {
    case "put": {
      const key = recordKey(op.key);
      plan.writes.push({ key, value: seal(key, op.value) });
      return;
    }
    case "delete":
      plan.writes.push({ key: recordKey(op.key), value: null });
      return;
    case "append": {
      const range = currentRange(op.log, plan, ranges);
      if (op.offset !== range.next) {
        throw new MessagingError("ERR_INVALID_ARGUMENT", `append at ${op.offset} to a log that is at ${range.next}`);
      }
      if (op.offset >= Number.MAX_SAFE_INTEGER) throw new MessagingError("ERR_INVALID_ARGUMENT", "a log is full");
      const key = entryKey(op.log, op.offset);
      plan.writes.push({ key, value: seal(key, op.value) });
      plan.ranges.set(op.log, { first: range.first, next: op.offset + 1 });
      return;
    }
    case "truncate": {
      const range = currentRange(op.log, plan, ranges);
      if (!Number.isInteger(op.first) || op.first < range.first || op.first > range.next) {
        const allowed = `allowed are ${range.first} to ${range.next}`;
        throw new MessagingError("ERR_INVALID_ARGUMENT", `truncation of a log before ${op.first}, ${allowed}`);
      }
      removeEntries(op.log, range.first, op.first, plan);
      plan.ranges.set(op.log, { first: op.first, next: range.next });
      return;
    }
    case "drop": {
      const range = currentRange(op.log, plan, ranges);
      removeEntries(op.log, range.first, range.next, plan);
      plan.ranges.set(op.log, null);
    }
  }
}

function currentRange(log: number, plan: BatchPlan, ranges: ReadonlyMap<number, LogRange>): LogRange {
  const planned = plan.ranges.get(log);
  if (planned === null) return { first: 0, next: 0 };
  return planned ?? ranges.get(log) ?? { first: 0, next: 0 };
}

function removeEntries(log: number, from: number, to: number, plan: BatchPlan): void {
  for (let offset = from; offset < to; offset++) plan.writes.push({ key: entryKey(log, offset), value: null });
}
