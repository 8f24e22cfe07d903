import { VirtualClock } from "polymq/testing";
import { systemClock } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { StoreBatch } from "../storage/batch.ts";
import { MemoryMedium, MemoryStore } from "../storage/memory-store.ts";
import { MemorySubject } from "../storage/memory-subject.test-support.ts";
import { describeStore } from "../storage/store-contract.test-support.ts";
import { type FailedCommit, FaultyStore } from "./faulty-store.ts";

describeStore(
  "the faulty store, each commit late",
  async () =>
    new MemorySubject(new MemoryMedium(), (medium) => {
      const store = new FaultyStore(new MemoryStore(medium), systemClock());
      store.delay(1);
      return store;
    }),
  30,
);

const KEY = Uint8Array.of(1);

function batch(): StoreBatch {
  const made = new StoreBatch();
  made.put(KEY, Uint8Array.of(7));
  return made;
}

describe("the faulty store", () => {
  test("shows and promises a batch after its delay, not before", async () => {
    const clock = new VirtualClock();
    const store = new FaultyStore(new MemoryStore(), clock);
    store.delay(50);
    const told: string[] = [];
    void store.commit(batch())?.then(() => told.push("durable"));
    await clock.advance(49);
    expect([told, store.get(KEY)]).toEqual([[], null]);
    await clock.advance(1);
    expect([told, store.get(KEY), store.delayedCount]).toEqual([["durable"], Uint8Array.of(7), 1]);
  });

  test("lets a commit go on before its time, and leaves no timer", async () => {
    const clock = new VirtualClock();
    const store = new FaultyStore(new MemoryStore(), clock);
    store.delay(50);
    const committed = store.commit(batch());
    store.release();
    await committed;
    expect([store.get(KEY), clock.pendingTimers]).toEqual([Uint8Array.of(7), 0]);
  });

  test("takes one commit at a time", async () => {
    const store = new FaultyStore(new MemoryStore(), new VirtualClock());
    store.delay(Number.POSITIVE_INFINITY);
    const committed = store.commit(batch());
    expect(() => store.commit(batch())).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    store.release();
    await committed;
  });

  test.each<[FailedCommit, unknown]>([
    ["lost", null],
    ["written", Uint8Array.of(7)],
  ])("a failed commit is ERR_STORE_FAILED and so is all that follows; its batch is %s", async (left, kept) => {
    const medium = new MemoryMedium();
    const store = new FaultyStore(new MemoryStore(medium), new VirtualClock());
    const failed = expect.objectContaining({ code: "ERR_STORE_FAILED" });
    store.fail(left);
    await expect(store.commit(batch())).rejects.toEqual(failed);
    expect(() => store.get(KEY)).toThrow(failed);
    expect(() => store.commit(batch())).toThrow(failed);
    await store.close();
    expect([new MemoryStore(medium).get(KEY), store.failedCount]).toEqual([kept, 1]);
  });

  test("closes after the commit that is running", async () => {
    const medium = new MemoryMedium();
    const store = new FaultyStore(new MemoryStore(medium), new VirtualClock());
    store.delay(Number.POSITIVE_INFINITY);
    const committed = store.commit(batch());
    const closed = store.close();
    store.release();
    await Promise.all([committed, closed]);
    expect(new MemoryStore(medium).get(KEY)).toEqual(Uint8Array.of(7));
  });
});
