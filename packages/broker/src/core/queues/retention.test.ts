import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

const SWEEP_MS = 60_000;

describe("retention of a stream", () => {
  test("by count keeps the newest messages", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { messages: 3 } });
    for (let i = 0; i < 10; i++) scene.publish("s", `${i}`);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 7, next: 10 });
  });

  test("by bytes keeps the newest messages that fit", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream" });
    scene.publish("s", "x".repeat(1000));
    const each = scene.hub.queues.get("s")?.bytes ?? 0;
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { bytes: 3 * each + 1 } }, { ifExists: "update" });
    for (let i = 0; i < 9; i++) scene.publish("s", "x".repeat(1000));
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 7, next: 10, bytes: 3 * each });
  });

  test("by age lets go of what is older", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { ageMs: 90_000 } });
    scene.publish("s", "old");
    scene.clock.advanceSync(45_000);
    scene.publish("s", "new");
    scene.clock.advanceSync(75_000);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 1, next: 2 });
  });

  test("counts bytes on over a restart", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { messages: 2 } });
    for (let i = 0; i < 4; i++) scene.publish("s", "x".repeat(100));
    const { bytes } = scene.hub.queues.get("s") ?? {};
    expect(bytes).toBeGreaterThan(200);
    scene.restart();
    expect(scene.hub.queues.get("s")?.bytes).toBe(bytes);
  });

  test("never removes what a work group has not settled", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { messages: 1 } });
    const { subscription } = scene.consume("s", "w", { mode: "work" });
    for (let i = 0; i < 4; i++) scene.publish("s", `${i}`);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 0 });
    for (const offset of [0, 1]) subscription.settle(offset, { is: "ack" });
    scene.run();
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 2 });
  });

  test("takes nothing from a reader that keeps up, however much comes at once and however large it is; then it goes", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { messages: 2, bytes: 1_000 } });
    const { consumer } = scene.consume("s");
    for (const text of ["a", "b", "c", "d"]) scene.offer("s", text);
    scene.run();
    scene.publish("s", "e".repeat(2_000));
    expect(consumer.offsets).toEqual([0, 1, 2, 3, 4]);
    scene.clock.advanceSync(100);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 5, next: 5 });
  });

  test("moves a group on that reads more slowly", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", retention: { messages: 2 } });
    const { consumer, take } = scene.consume("s", "g", { credit: 1 });
    for (let i = 0; i < 5; i++) scene.publish("s", `${i}`);
    take(9);
    expect(consumer.texts).toEqual(["0", "3", "4"]);
  });
});

describe("retention of a classic queue", () => {
  test("keeps settled messages until it lets go of them", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", retention: { messages: 3 } });
    const { subscription } = scene.consume("q");
    for (let i = 0; i < 5; i++) {
      scene.publish("q", `${i}`);
      subscription.settle(i, { is: "ack" });
    }
    scene.run();
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 2, next: 5, depth: 0 });
    expect(scene.consume("q", "later").consumer.texts).toEqual(["2", "3", "4"]);
  });

  test("is all that removes messages while there is no group", () => {
    const scene = new QueueScene();
    scene.publish("q", "a");
    scene.clock.advanceSync(3_600_000);
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 0, depth: 1 });
    scene.hub.queues.declare({ name: "q", retention: { ageMs: 1000 } }, { ifExists: "update" });
    scene.clock.advanceSync(SWEEP_MS);
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 1, depth: 0 });
  });
});
