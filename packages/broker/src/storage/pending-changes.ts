// Hot path: `add` runs per change of a small commit. No closure, promise, spread or regex there.
import { compareBytes } from "./layout.ts";
import type { BatchPlan, FlatWrite, LogChange } from "./plan.ts";
import type { EntryVisitor } from "./store.ts";

/** What the journal has and the database has not; readers see it in front of the database. */
export class PendingChanges {
  /** By key, one character per byte. */
  #records = new Map<string, FlatWrite>();
  #logs = new Map<number, LogChange>();

  get isEmpty(): boolean {
    return this.#records.size === 0 && this.#logs.size === 0;
  }

  /** Takes up a batch that is durable; the plan is not used any more. */
  add(plan: BatchPlan): void {
    const { writes } = plan;
    for (let i = 0; i < writes.length; i++) {
      const write = writes[i] as FlatWrite;
      this.#records.set(textOf(write.key), write);
    }
    for (const change of plan.logs.values()) {
      const known = this.#logs.get(change.log);
      if (known === undefined) this.#logs.set(change.log, change);
      else known.follow(change);
    }
  }

  /** All of it with one more batch behind, for the database. */
  with(plan: BatchPlan): BatchPlan {
    if (this.isEmpty) return plan;
    const whole = new PendingChanges();
    for (const [key, write] of this.#records) whole.#records.set(key, write);
    for (const [log, change] of this.#logs) whole.#logs.set(log, change.copy());
    whole.add(plan);
    return { writes: Array.from(whole.#records.values()), logs: whole.#logs };
  }

  clear(): void {
    this.#records = new Map();
    this.#logs = new Map();
  }

  /** What became of a record; undefined when nothing did. */
  record(key: Uint8Array): FlatWrite | undefined {
    return this.#records.size === 0 ? undefined : this.#records.get(textOf(key));
  }

  /** What became of records whose key starts with `prefix`, in byte order of their keys. */
  recordsUnder(prefix: Uint8Array): FlatWrite[] {
    const start = textOf(prefix);
    const found: FlatWrite[] = [];
    for (const [key, write] of this.#records) if (key.startsWith(start)) found.push(write);
    return found.sort((a, b) => compareBytes(a.key, b.key));
  }

  /** What became of a log. */
  log(log: number): LogChange | undefined {
    return this.#logs.get(log);
  }
}

/** Visits the entries of a change from `from` on that the database has not. */
export function readPending(change: LogChange, from: number, visit: EntryVisitor): void {
  for (let offset = Math.max(from, change.valuesFrom); offset < change.next; offset++) {
    const value = change.values[offset - change.valuesFrom];
    if (value === undefined || !visit(offset, value.slice())) return;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
