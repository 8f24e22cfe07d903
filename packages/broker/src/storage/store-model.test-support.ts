import fc from "fast-check";
import { expect } from "vitest";
import type { StoreBatch } from "./batch.ts";
import type { LogRange, Store } from "./store.ts";

/** One change. */
export type Step =
  | { readonly is: "put"; readonly at: number; readonly size: number }
  | { readonly is: "delete"; readonly at: number; readonly size: number }
  | { readonly is: "append" | "truncate" | "drop"; readonly log: number; readonly size: number };

/** Series of batches. */
export const steps: fc.Arbitrary<Step[][]> = fc.array(
  fc.array(
    fc.oneof(
      fc.record({ is: fc.constantFrom("put" as const, "delete" as const), at: fc.nat(20), size: fc.nat(6000) }),
      fc.record({ is: fc.constantFrom("append" as const), log: fc.nat(2), size: fc.nat(300) }),
      fc.record({ is: fc.constantFrom("truncate" as const, "drop" as const), log: fc.nat(2), size: fc.nat(9) }),
    ),
    { maxLength: 12 },
  ),
  { minLength: 1, maxLength: 8 },
);

/** Records and logs in the plainest form. */
export class StoreModel {
  readonly #records = new Map<number, Uint8Array>();
  readonly #logs = new Map<number, { range: LogRange; values: Map<number, Uint8Array> }>();

  apply(step: Step, into: StoreBatch): void {
    const value = new Uint8Array(step.size).fill(step.size);
    if (step.is === "put") {
      this.#records.set(step.at, value);
      into.put(key(step.at), value);
    } else if (step.is === "delete") {
      this.#records.delete(step.at);
      into.delete(key(step.at));
    } else this.#applyToLog(step.is, step.log, value, into);
  }

  #applyToLog(is: "append" | "truncate" | "drop", log: number, value: Uint8Array, into: StoreBatch): void {
    const { range, values } = this.#logs.get(log) ?? { range: { first: 0, next: 0 }, values: new Map() };
    if (is === "append") {
      into.append(log, range.next, value);
      values.set(range.next, value);
      this.#logs.set(log, { range: { first: range.first, next: range.next + 1 }, values });
    } else if (is === "truncate") {
      const first = Math.min(range.first + value.length, range.next);
      into.truncate(log, first);
      for (let offset = range.first; offset < first; offset++) values.delete(offset);
      this.#logs.set(log, { range: { first, next: range.next }, values });
    } else {
      into.drop(log);
      this.#logs.delete(log);
    }
  }

  check(store: Store): void {
    const records = [...this.#records].sort(([a], [b]) => a - b);
    const found = scanAll(store, key());
    expect(found.map(([one, value]) => [textOf(one), textOf(value)])).toEqual(
      records.map(([at, value]) => [textOf(key(at)), textOf(value)]),
    );
    expect(store.logs()).toEqual([...this.#logs.keys()].sort());
    for (const [log, { range, values }] of this.#logs) {
      expect(store.logRange(log)).toEqual(range);
      const entries = readAll(store, log).map(([offset, value]) => [offset, textOf(value)]);
      expect(entries).toEqual([...values].map(([offset, value]) => [offset, textOf(value)]));
    }
  }
}

/** Bytes as one value: compared as elements, thousands of them took a busy machine longer than a test may. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** All records under a prefix. */
export function scanAll(store: Store, prefix: Uint8Array): [Uint8Array, Uint8Array][] {
  const found: [Uint8Array, Uint8Array][] = [];
  store.scan(prefix, (one, value) => found.push([one, value]) > 0);
  return found;
}

/** All entries of a log from an offset on. */
export function readAll(store: Store, log: number, from = 0): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  store.readLog(log, from, (offset, value) => found.push([offset, value]) > 0);
  return found;
}

/** A key of these bytes. */
export function key(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
