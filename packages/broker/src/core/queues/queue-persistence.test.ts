import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessagingError } from "polymq/internal";
import { VirtualClock } from "polymq/testing";
import { nodePlatform } from "polymq/transport";
import { afterEach, describe, expect, test } from "vitest";
import type { StoreBatch, StoreOp } from "../../storage/batch.ts";
import { LmdbStore } from "../../storage/lmdb-store.ts";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import type { EntryVisitor, Store } from "../../storage/store.ts";
import { Hub } from "../hub.ts";
import { bytesOf } from "../session.test-support.ts";
import { QueueScene, TestConsumer } from "./queue-scene.test-support.ts";

/** A store whose commits take as long as the test wants. */
class SlowStore extends MemoryStore {
  readonly batches: StoreOp[][] = [];
  #finish: (() => void) | null = null;

  override commit(batch: StoreBatch): Promise<void> | null {
    this.batches.push(batch.ops.slice());
    void super.commit(batch); // a memory store is done at once
    return new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The commit that runs is done. */
  finish(): void {
    this.#finish?.();
    this.#finish = null;
  }
}

function slowScene() {
  const clock = new VirtualClock();
  const medium = new MemoryMedium();
  const store = new SlowStore(medium);
  const hub = Hub.open({ clock, store });
  const publish = (text: string): void => {
    const view = hub.transientMessage();
    view.begin("$queue/q", bytesOf(text));
    hub.queues.publish(view);
  };
  const finish = async (): Promise<void> => {
    store.finish();
    await clock.settle();
  };
  return { clock, medium, store, hub, publish, finish };
}

describe("what is delivered", () => {
  test("was durable before, however long that takes", async () => {
    const { clock, hub, publish, finish } = slowScene();
    const consumer = new TestConsumer("c", 9);
    hub.queues.subscribe("q", { consumer, group: "g" }).wake();
    await clock.settle();
    await finish();
    publish("a");
    await clock.settle();
    publish("b");
    await clock.settle();
    expect(consumer.texts).toEqual([]);
    await finish();
    expect(consumer.texts).toEqual(["a"]);
    await finish();
    expect(consumer.texts).toEqual(["a", "b"]);
  });

  test("is not held up by storing how far deliveries got: that goes with the next batch, or a little later", async () => {
    const { clock, store, hub, publish, finish } = slowScene();
    const consumer = new TestConsumer("c", 9);
    hub.queues.subscribe("q", { consumer, group: "g" }).wake();
    publish("a");
    await clock.settle();
    await finish();
    expect([consumer.texts, store.batches.length]).toEqual([["a"], 1]);
    await clock.advance(99);
    expect(store.batches.length).toBe(1);
    await clock.advance(1);
    expect(store.batches[1]?.map((op) => op.is)).toEqual(["put"]);
  });
});

describe("one batch has everything that one call causes", () => {
  test("a rejection: the settlement, the dead letter and its queue", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    scene.publish("q", "a");
    const before = scene.hub.committer.commits;
    subscription.settle(0, { is: "reject" });
    scene.run();
    expect(scene.hub.committer.commits - before).toBe(1);
  });

  test("a message for several queues", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "x", topics: ["$queue/y"] });
    scene.hub.queues.declare({ name: "y" });
    scene.run();
    const before = scene.hub.committer.commits;
    scene.publish("y", "a");
    expect(scene.hub.committer.commits - before).toBe(1);
  });

  test("a delayed message whose time has come: its record goes, the message comes", async () => {
    const { clock, store, hub, finish } = slowScene();
    const view = hub.transientMessage();
    view.begin("$queue/q", bytesOf("a"));
    hub.queues.publish(view, { deliverAfterMs: 1000 });
    await clock.settle();
    await finish();
    await clock.advance(1000);
    expect(store.batches[1]?.map((op) => op.is)).toEqual(["append", "delete"]);
  });
});

/** A store that can stop to answer, as after an error of the medium. */
class FailingStore extends MemoryStore {
  isFailed = false;

  override readLog(log: number, from: number, visit: EntryVisitor): void {
    if (this.isFailed) throw new MessagingError("ERR_STORE_FAILED", "the medium is gone");
    super.readLog(log, from, visit);
  }
}

describe("when the store cannot be read any more", () => {
  test("publishing, settling and leaving do not throw, and the error is reported", () => {
    const clock = new VirtualClock();
    const store = new FailingStore();
    const errors: unknown[] = [];
    const hub = Hub.open({ clock, store, queueLimits: { cacheBytesMax: 0 }, onError: (error) => errors.push(error) });
    hub.queues.declare({ name: "q", maxDepth: 3, overflow: "drop-head", deliveryLimit: 1 });
    const consumer = new TestConsumer("c", 2);
    const subscription = hub.queues.subscribe("q", { consumer, group: "g" });
    subscription.wake();
    const view = hub.transientMessage();
    for (let i = 0; i < 5; i++) {
      view.begin("$queue/q", bytesOf("x"));
      hub.queues.publish(view);
    }
    clock.advanceSync(0);
    expect(consumer.got).toHaveLength(2);
    store.isFailed = true;
    expect(hub.queues.publish(view)).toBeNull();
    expect(subscription.settle(consumer.offsets[0] ?? 0, { is: "reject" })).toBe("settled");
    subscription.close();
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toMatchObject({ code: "ERR_STORE_FAILED" });
  });
});

describe("over a store on disk", () => {
  const open: { hub: Hub; directory: string }[] = [];

  afterEach(async () => {
    for (const { hub, directory } of open.splice(0)) {
      await hub.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("queues, groups and what was delivered are there again", async () => {
    const directory = mkdtempSync(join(tmpdir(), "polymq-queues-"));
    const start = async (): Promise<Hub> => {
      const store: Store = await LmdbStore.open({ directory, durability: "buffered" });
      return Hub.open({ clock: nodePlatform().clock, store, queueLimits: { cacheBytesMax: 0 } });
    };
    const first = await start();
    const consumer = new TestConsumer("c", 150);
    const subscription = first.queues.subscribe("q", { consumer, group: "g" });
    subscription.wake();
    const view = first.transientMessage();
    for (let i = 0; i < 200; i++) {
      view.begin(`$queue/q/${i}`, bytesOf(`${i}`));
      first.queues.publish(view);
    }
    await first.committer.flush();
    expect(consumer.got).toHaveLength(150);
    for (let offset = 0; offset < 150; offset++) if (offset % 3 !== 0) subscription.settle(offset, { is: "ack" });
    await first.close();
    const second = await start();
    open.push({ hub: second, directory });
    const again = new TestConsumer("d", 1000);
    second.queues.subscribe("q", { consumer: again, group: "g" }).wake();
    const expected = Array.from({ length: 200 }, (_, i) => i).filter((i) => i >= 150 || i % 3 === 0);
    expect(again.counted).toEqual(expected.map((i) => `${i}/${i < 150 ? 1 : 0}`));
  });
});

describe("a commit of a stream's position", () => {
  function committing(commit: "manual" | "settled") {
    const scene = slowScene();
    scene.hub.queues.declare({ name: "q", kind: "stream" });
    const consumer = new TestConsumer("c", 9);
    const subscription = scene.hub.queues.subscribe("q", { consumer, group: "g", commit });
    subscription.wake();
    scene.publish("a");
    const told: string[] = [];
    const whenDurable = (): void =>
      scene.hub.committer.whenDurable({ onDurable: () => told.push("durable"), onCommitFailed: () => undefined }, 0);
    return { ...scene, consumer, subscription, told, whenDurable };
  }

  test.each(["manual", "settled"] as const)(
    "is told of when the batch with it is synced, and not before: %s",
    async (commit) => {
      const { clock, hub, consumer, subscription, told, whenDurable, finish } = committing(commit);
      await clock.settle();
      await finish();
      expect(consumer.offsets).toEqual([0]);
      // A batch is under way already when the position is committed.
      hub.queues.declare({ name: "other" });
      await clock.settle();
      if (commit === "manual") expect(hub.queues.commit("q", "g", 1)).toBe("committed");
      else expect(subscription.settle(0, { is: "ack" })).toBe("settled");
      whenDurable();
      await clock.settle();
      expect(told).toEqual([]);
      await finish();
      expect(told).toEqual([]);
      await finish();
      expect(told).toEqual(["durable"]);
    },
  );

  test("that was said before is not told of again before the first is synced", async () => {
    const { clock, hub, told, whenDurable, finish } = committing("manual");
    await clock.settle();
    await finish();
    hub.queues.commit("q", "g", 1);
    await clock.settle();
    hub.queues.commit("q", "g", 1);
    whenDurable();
    await clock.settle();
    expect(told).toEqual([]);
    await finish();
    await finish();
    expect(told).toEqual(["durable"]);
  });

  test("that was told of is where the group goes on after a crash", async () => {
    const { clock, medium, hub, told, whenDurable, finish } = committing("manual");
    await clock.settle();
    await finish();
    hub.queues.commit("q", "g", 1);
    whenDurable();
    await clock.settle();
    await finish();
    expect(told).toEqual(["durable"]);
    const next = Hub.open({ clock, store: new MemoryStore(medium) });
    expect(next.queues.get("q")?.groups[0]?.committed).toBe(1);
    void next.close();
  });
});
