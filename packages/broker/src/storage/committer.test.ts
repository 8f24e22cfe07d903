import type { MessagingError } from "polymq/internal";
import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import type { StoreBatch } from "./batch.ts";
import { type CommitListener, Committer } from "./committer.ts";
import { MemoryStore } from "./memory-store.ts";
import type { Store } from "./store.ts";

/** A store whose commits end when told to. */
class SlowStore extends MemoryStore {
  readonly running: { resolve: () => void; reject: (error: Error) => void; ops: number }[] = [];

  override commit(batch: StoreBatch): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.running.push({ resolve, reject, ops: batch.ops.length });
    });
  }
}

class Rig implements CommitListener {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly committer: Committer;
  changes = 0;

  constructor(store: Store | null) {
    this.committer = new Committer({
      store,
      arm: () => this.clock.nextTurn(() => this.committer.endTurn()),
      onFailed: (error) => void this.log.push(`failed ${error.code}`),
      onListenerError: (error) => void this.log.push(String(error)),
    });
    this.committer.addSource({
      fill: (batch) => {
        for (; this.changes > 0; this.changes--) batch.put(Uint8Array.of(this.changes), Uint8Array.of(1));
      },
    });
  }

  change(): void {
    this.changes++;
    this.committer.touch();
  }

  /** A change and a wait for it. */
  publish(token: number): void {
    this.change();
    this.committer.whenDurable(this, token);
  }

  onDurable(token: number): void {
    this.log.push(`ok ${token}`);
  }

  onCommitFailed(token: number, error: MessagingError): void {
    this.log.push(`refused ${token} ${error.code}`);
  }
}

describe("with a store that takes its time", () => {
  test("nothing is acknowledged before its commit has ended", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    rig.publish(1);
    await rig.clock.settle();
    expect([store.running.length, rig.log]).toEqual([1, []]);
    store.running[0]?.resolve();
    await rig.clock.settle();
    expect(rig.log).toEqual(["ok 1"]);
  });

  test("what comes during a commit forms one next batch, acknowledged in order", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    rig.publish(1);
    await rig.clock.settle();
    for (const token of [2, 3, 4]) rig.publish(token);
    await rig.clock.settle();
    expect(store.running).toHaveLength(1);
    store.running[0]?.resolve();
    await rig.clock.settle();
    expect([store.running.map((one) => one.ops), rig.log]).toEqual([[1, 3], ["ok 1"]]);
    store.running[1]?.resolve();
    await rig.clock.settle();
    expect(rig.log).toEqual(["ok 1", "ok 2", "ok 3", "ok 4"]);
  });

  test("the changes of one turn are one batch", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    for (const token of [1, 2, 3]) rig.publish(token);
    await rig.clock.settle();
    expect(store.running.map((one) => one.ops)).toEqual([3]);
  });

  test("somebody who changed nothing still waits behind the running commit", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    rig.publish(1);
    await rig.clock.settle();
    rig.committer.whenDurable(rig, 2);
    await rig.clock.settle();
    expect(rig.log).toEqual([]);
    store.running[0]?.resolve();
    await rig.clock.settle();
    expect([rig.log, store.running.length]).toEqual([["ok 1", "ok 2"], 1]);
  });

  test("batch numbers tell which changes are durable", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    const first = rig.committer.openBatch;
    rig.publish(1);
    await rig.clock.settle();
    const second = rig.committer.openBatch;
    rig.publish(2);
    await rig.clock.settle();
    expect(rig.committer.durableBatch).toBeLessThan(first);
    store.running[0]?.resolve();
    await rig.clock.settle();
    expect([rig.committer.durableBatch === first, first < second]).toEqual([true, true]);
    store.running[1]?.resolve();
    await rig.clock.settle();
    expect(rig.committer.durableBatch).toBe(second);
  });

  test("a failed commit refuses its waiters and all who come after, and nothing is ever acknowledged", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    rig.publish(1);
    await rig.clock.settle();
    rig.publish(2);
    store.running[0]?.reject(new Error("disk gone"));
    await rig.clock.settle();
    rig.publish(3);
    await rig.clock.settle();
    expect(rig.log).toEqual([
      "failed ERR_STORE_FAILED",
      "refused 1 ERR_STORE_FAILED",
      "refused 2 ERR_STORE_FAILED",
      "refused 3 ERR_STORE_FAILED",
    ]);
    expect(store.running).toHaveLength(1);
    expect(rig.committer.failure?.cause).toMatchObject({ message: "disk gone" });
  });

  test("flush resolves when everything so far is durable, and rejects when it cannot be", async () => {
    const store = new SlowStore();
    const rig = new Rig(store);
    rig.change();
    let state = "waiting";
    const flushed = rig.committer.flush().then(() => {
      state = "done";
    });
    await rig.clock.settle();
    expect(state).toBe("waiting");
    store.running[0]?.resolve();
    await flushed;
    rig.change();
    const failing = rig.committer.flush();
    const refused = expect(failing).rejects.toMatchObject({ code: "ERR_STORE_FAILED" });
    await rig.clock.settle();
    store.running[1]?.reject(new Error("disk gone"));
    await refused;
  });
});

describe("with a store that commits at once, or none", () => {
  test.each([
    ["memory", new MemoryStore()],
    ["nothing", null],
  ])("listeners are called at the end of the turn, not inside the call (%s)", async (_name, store) => {
    const rig = new Rig(store);
    rig.publish(1);
    rig.publish(2);
    expect(rig.log).toEqual([]);
    expect(rig.clock.advanceSync(0)).toBe(1);
    expect(rig.log).toEqual(["ok 1", "ok 2"]);
  });

  test("a batch without changes is not written", async () => {
    const rig = new Rig(new MemoryStore());
    rig.committer.whenDurable(rig, 1);
    await rig.clock.settle();
    expect([rig.log, rig.committer.commits]).toEqual([["ok 1"], 0]);
  });

  test("a listener may wait again from inside its call", async () => {
    const rig = new Rig(new MemoryStore());
    rig.committer.whenDurable(
      {
        onDurable: (token) => {
          rig.log.push(`outer ${token}`);
          rig.publish(token + 1);
        },
        onCommitFailed: () => {},
      },
      1,
    );
    await rig.clock.settle();
    expect(rig.log).toEqual(["outer 1", "ok 2"]);
  });

  test("many waits of several listeners are answered in the order in which they came, batch after batch", async () => {
    const rig = new Rig(null);
    const seen: string[] = [];
    const names = ["a", "b", "c"];
    const listeners = names.map((name) => ({
      onDurable: (token: number) => void seen.push(`${name}${token}`),
      onCommitFailed: () => undefined,
    }));
    for (const waits of [5_000, 3, 1_500]) {
      const expected: string[] = [];
      for (let i = 0; i < waits; i++) {
        const who = i < 100 ? i % 3 : Math.floor(i / 700) % 3;
        rig.committer.whenDurable(listeners[who] as CommitListener, i);
        expected.push(`${names[who]}${i}`);
      }
      await rig.clock.settle();
      expect(seen.splice(0)).toEqual(expected);
    }
  });

  test("a listener that throws is reported and the next ones are served", async () => {
    const rig = new Rig(new MemoryStore());
    rig.committer.whenDurable(
      {
        onDurable: () => {
          throw new Error("broken");
        },
        onCommitFailed: () => {},
      },
      1,
    );
    rig.publish(2);
    await rig.clock.settle();
    expect(rig.log).toEqual(["Error: broken", "ok 2"]);
  });

  test("a store that refuses the batch fails everybody", async () => {
    const store = new MemoryStore();
    const rig = new Rig(store);
    await store.close();
    rig.publish(1);
    await rig.clock.settle();
    expect(rig.log).toEqual(["failed ERR_STORE_FAILED", "refused 1 ERR_STORE_FAILED"]);
  });

  test("what is acknowledged can be read back", async () => {
    const store = new MemoryStore();
    const rig = new Rig(store);
    rig.publish(1);
    await rig.clock.settle();
    expect(store.get(Uint8Array.of(1))).toEqual(Uint8Array.of(1));
  });
});
