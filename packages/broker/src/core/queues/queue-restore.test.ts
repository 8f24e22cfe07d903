import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../storage/memory-store.ts";
import type { EntryVisitor } from "../../storage/store.ts";
import { Hub } from "../hub.ts";
import { textOf } from "../session.test-support.ts";
import { QueueScene } from "./queue-scene.test-support.ts";

describe("after a restart", () => {
  test("a queue, its settings and its messages are there", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", topics: ["a/+"], maxDepth: 7, deadLetter: { queue: "dead" } });
    scene.publish("q/k", "one", { publisherId: "p", properties: new Uint8Array([1, 2]) });
    scene.restart();
    const queue = scene.hub.queues.get("q");
    expect(queue).toMatchObject({ first: 0, next: 1, depth: 1, isStored: true });
    expect(queue?.settings).toMatchObject({
      topics: ["a/+"],
      maxDepth: 7,
      deadLetter: { enabled: true, queue: "dead" },
    });
    const [message] = scene.hub.queues.peek("q", 0, 1);
    expect(message).toMatchObject({ topic: "$queue/q/k", key: "k", publisherId: "p", offset: 0 });
    expect([message?.properties, textOf(message?.payload ?? new Uint8Array(0))]).toEqual([
      new Uint8Array([1, 2]),
      "one",
    ]);
  });

  test("its topics are captured again", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", topics: ["a/+"] });
    scene.restart();
    scene.publish("/a/b", "one");
    expect(scene.hub.queues.get("q")).toMatchObject({ depth: 1 });
  });

  test("what was acknowledged does not come again, what was not does, with its count", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { credit: 5 });
    for (const text of ["a", "b", "c", "d"]) scene.publish("q", text);
    subscription.settle(1, { is: "ack" });
    subscription.settle(2, { is: "nack" });
    scene.restart();
    const { consumer } = scene.consume("q");
    expect(consumer.counted).toEqual(["a/1", "c/2", "d/1"]);
  });

  test("a message that was never delivered counts as new", () => {
    const scene = new QueueScene();
    scene.consume("q", "g", { credit: 1 });
    for (const text of ["a", "b"]) scene.publish("q", text);
    scene.restart();
    expect(scene.consume("q").consumer.counted).toEqual(["a/1", "b/0"]);
  });

  test("a message that was never delivered counts as new, also when thousands before it left while nobody consumed", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", priorityMax: 1, deliveryLimit: 1 });
    scene.consume("q").subscription.close();
    for (let i = 0; i < 3_000; i++) scene.offer("q", "old");
    scene.run();
    scene.hub.queues.purge("q");
    scene.publish("q", "short", { expiresAtMs: scene.clock.epochMs() + 1 });
    scene.publish("q", "new");
    scene.clock.advanceSync(1);
    scene.hub.queues.sweep(scene.clock.epochMs());
    scene.run();
    scene.restart();
    expect(scene.consume("q").consumer.counted).toEqual(["new/0"]);
  });

  test("a message that was out for the last time is dead-lettered instead of delivered", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", deliveryLimit: 1 });
    scene.consume("q");
    scene.publish("q", "a");
    scene.restart();
    expect(scene.consume("q").consumer.texts).toEqual([]);
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "delivery-limit", count: 1 }]);
  });

  test("a truncated log goes on where it was", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    for (const text of ["a", "b"]) scene.publish("q", text);
    for (const offset of [0, 1]) subscription.settle(offset, { is: "ack" });
    scene.restart();
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 2, next: 2, depth: 0 });
    const { consumer } = scene.consume("q");
    scene.publish("q", "c");
    expect(consumer.offsets).toEqual([2]);
  });

  test("settlements far above the oldest unsettled message are known", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { credit: 10_000 });
    for (let i = 0; i < 9_000; i++) scene.offer("q", "x");
    scene.run();
    for (let i = 1; i < 8_999; i++) subscription.settle(i, { is: "ack" });
    scene.run();
    scene.restart();
    expect(scene.consume("q").consumer.offsets).toEqual([0, 8_999]);
  });

  test("a deleted queue leaves nothing behind", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { credit: 9 });
    for (const text of ["a", "b", "c"]) scene.publish("q", text, { deliverAfterMs: text === "c" ? 1000 : 0 });
    subscription.settle(0, { is: "nack" });
    subscription.settle(1, { is: "ack" });
    scene.run();
    expect(scene.medium.records.size).toBeGreaterThan(3);
    scene.hub.queues.delete("q");
    scene.run();
    expect([scene.medium.records.size, scene.medium.ranges.size]).toEqual([0, 0]);
  });

  test("a settled group leaves only its own record, and the queue its settings", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { credit: 100 });
    for (let i = 0; i < 20; i++) scene.publish("q", "x");
    for (let i = 19; i >= 0; i--) {
      subscription.settle(i, { is: "nack" });
      subscription.settle(i, { is: "ack" });
    }
    scene.run();
    const kinds = [...scene.medium.records.keys()].filter((key) => key.startsWith("\u0003")).map((key) => key[1]);
    expect(kinds.filter((kind) => kind !== "P").sort()).toEqual(["G", "Q"]);
  });

  test("an ephemeral queue is gone", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", lifetime: "ephemeral" });
    scene.publish("q", "a");
    expect(scene.medium.records.size).toBe(0);
    scene.restart();
    expect(scene.hub.queues.get("q")).toBeNull();
  });

  test("a group that lives as long as its members is gone", () => {
    const scene = new QueueScene();
    scene.publish("q", "a");
    scene.consume("q", "g", { lifetime: "members" });
    scene.restart();
    expect(scene.hub.queues.get("q")?.groups).toEqual([]);
  });

  test("what was taken out of the middle stays out", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { credit: 1 });
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    expect(scene.hub.queues.purge("q")).toBe(2);
    scene.restart();
    scene.publish("q", "d");
    expect(scene.consume("q").consumer.texts).toEqual(["a", "d"]);
    expect(scene.consume("q", "h").consumer.texts).toEqual(["a", "d"]);
    expect(subscription.groupId).toBe("g");
  });
});

/** A store that counts the entries of logs that are read. */
class CountingStore extends MemoryStore {
  entriesRead = 0;

  override readLog(log: number, from: number, visit: EntryVisitor): void {
    super.readLog(log, from, (offset, value) => {
      this.entriesRead++;
      return visit(offset, value);
    });
  }
}

test("a start reads no message but the first and the last of each queue, however many were delivered", () => {
  const scene = new QueueScene();
  const { subscription } = scene.consume("q", "g", { credit: 3000 });
  for (let i = 0; i < 5000; i++) scene.offer("q", "x");
  scene.run();
  for (let i = 0; i < 3000; i += 2) subscription.settle(i, { is: "ack" });
  scene.run();
  const store = new CountingStore(scene.medium);
  const hub = Hub.open({ clock: new VirtualClock(), store });
  expect(hub.queues.get("q")?.groups[0]).toMatchObject({ returned: 1500, depth: 3500 });
  expect(store.entriesRead).toBe(2);
});
