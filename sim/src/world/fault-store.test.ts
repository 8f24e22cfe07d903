import { StoreBatch } from "@polymq/broker/storage";
import { VirtualClock } from "polymq/testing";
import { systemClock } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { MemorySubject } from "../../../packages/broker/src/storage/memory-subject.test-support.ts";
import { describeStore } from "../../../packages/broker/src/storage/store-contract.test-support.ts";
import { type CrashFate, FaultMedium, FaultStore, type SyncFate } from "./fault-store.ts";

describeStore(
  "the fault store",
  async () => new MemorySubject(new FaultMedium(), (medium) => new FaultStore(medium, { clock: systemClock() })),
  30,
);

const KEY = Uint8Array.of(1);

/** A store on a virtual clock with one commit under way, and what became of that so far. */
function committing(fate: SyncFate): { clock: VirtualClock; medium: FaultMedium; store: FaultStore; told: string[] } {
  const clock = new VirtualClock();
  const medium = new FaultMedium();
  const store = new FaultStore(medium, { clock, fate: () => fate });
  const batch = new StoreBatch();
  batch.put(KEY, Uint8Array.of(7));
  batch.append(1, 0, Uint8Array.of(8));
  const told: string[] = [];
  store.commit(batch)?.then(
    () => told.push("durable"),
    (error: unknown) => told.push((error as { code: string }).code),
  );
  return { clock, medium, store, told };
}

function contents(medium: FaultMedium): unknown {
  const store = new FaultStore(medium, { clock: new VirtualClock() });
  return [store.get(KEY)?.[0] ?? null, store.logRange(1).next];
}

describe("the fault store", () => {
  test("shows and promises a batch after its sync, not before", async () => {
    const { clock, store, told } = committing({ delayMs: 50, result: "synced" });
    await clock.advance(49);
    expect([told, store.get(KEY)]).toEqual([[], null]);
    await clock.advance(1);
    expect([told, store.get(KEY)]).toEqual([["durable"], Uint8Array.of(7)]);
  });

  test.each<[SyncFate["result"], unknown]>([
    ["failed and lost", [null, 0]],
    ["failed but written", [7, 1]],
  ])("a sync that %s is ERR_STORE_FAILED, and so is all that follows", async (result, left) => {
    const { clock, medium, store, told } = committing({ delayMs: 1, result });
    await clock.advance(1);
    expect(told).toEqual(["ERR_STORE_FAILED"]);
    expect(() => store.get(KEY)).toThrow(expect.objectContaining({ code: "ERR_STORE_FAILED" }));
    expect(contents(medium)).toEqual(left);
  });

  test.each<[CrashFate, unknown, number]>([
    ["kept", [7, 1], 0],
    ["lost", [null, 0], 0],
    ["torn", [null, 0], 1],
  ])(
    "a crash leaves the batch under way %s: whole or not at all, and nobody is told",
    async (fate, left, discarded) => {
      const { clock, medium, store, told } = committing({ delayMs: 5, result: "synced" });
      store.crash(fate);
      await clock.advance(1_000);
      expect(told).toEqual([]);
      expect(contents(medium)).toEqual(left);
      expect(medium.tornDiscarded).toBe(discarded);
      expect(clock.pendingTimers).toBe(0);
    },
  );
});
