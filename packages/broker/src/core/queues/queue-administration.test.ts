import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

describe("purging", () => {
  test("removes everything but what consumers work on", () => {
    const scene = new QueueScene();
    const { subscription, consumer, take } = scene.consume("q", "g", { credit: 1 });
    for (const text of ["a", "b", "c"]) scene.publish("q", text, { deliverAfterMs: text === "c" ? 1000 : 0 });
    expect(scene.hub.queues.purge("q")).toBe(2);
    subscription.settle(0, { is: "nack" });
    take(5);
    scene.clock.advanceSync(5000);
    expect(consumer.counted).toEqual(["a/0", "a/1"]);
  });

  test("empties a stream, and its readers go on behind", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream" });
    const { consumer, take } = scene.consume("s", "g", { credit: 1 });
    for (const text of ["a", "b"]) scene.publish("s", text);
    expect(scene.hub.queues.purge("s")).toBe(2);
    scene.publish("s", "c");
    take(9);
    expect(consumer.texts).toEqual(["a", "c"]);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 2, depth: 1 });
  });

  test("makes no dead letters", () => {
    const scene = new QueueScene();
    scene.publish("q", "a");
    scene.hub.queues.purge("q");
    expect(scene.hub.queues.list().map((one) => [one.name, one.depth])).toEqual([["q", 0]]);
  });
});

describe("looking into a queue", () => {
  test("shows what somebody has still to settle, from an offset on, up to a number", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    for (const text of ["a", "b", "c", "d"]) scene.publish("q", text);
    subscription.settle(1, { is: "ack" });
    const offsets = (from: number, count: number) => scene.hub.queues.peek("q", from, count).map((one) => one.offset);
    expect([offsets(0, 9), offsets(1, 1), offsets(4, 9)]).toEqual([[0, 2, 3], [2], []]);
  });

  test("ends after 16 MiB", () => {
    const scene = new QueueScene();
    for (const letter of "abc") scene.publish("q", letter.repeat(9_437_184));
    const offsets = (from: number) => scene.hub.queues.peek("q", from, 9).map((one) => one.offset);
    expect([offsets(0), offsets(1), offsets(2)]).toEqual([[0, 1], [1, 2], [2]]);
  });

  test("changes nothing", () => {
    const scene = new QueueScene();
    scene.publish("q", "a");
    scene.hub.queues.peek("q", 0, 9);
    expect(scene.consume("q").consumer.counted).toEqual(["a/0"]);
  });
});

describe("moving messages", () => {
  test("takes them to a queue that is named, in one batch, as many as wanted", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "to" });
    for (const text of ["a", "b", "c"]) scene.publish("from/k", text);
    const before = scene.hub.committer.commits;
    expect(scene.hub.queues.move("from", { to: "to", countMax: 2 })).toBe(2);
    scene.run();
    expect(scene.hub.committer.commits).toBe(before + 1);
    expect(["from", "to"].map((name) => scene.hub.queues.get(name)?.depth)).toEqual([1, 2]);
    expect(scene.hub.queues.peek("to", 0, 1)[0]).toMatchObject({ topic: "$queue/from/k", key: "k", deadLetter: null });
  });

  test("leaves alone what consumers work on, and what no queue takes", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "to", maxDepth: 1 });
    scene.consume("from", "g", { credit: 1 });
    for (const text of ["a", "b", "c"]) scene.publish("from", text);
    expect(scene.hub.queues.move("from")).toBe(0);
    expect(scene.hub.queues.move("from", { to: "nowhere" })).toBe(0);
    expect(scene.hub.queues.move("from", { to: "to" })).toBe(1);
    expect(scene.hub.queues.peek("from", 0, 9).map((one) => one.offset)).toEqual([0, 2]);
  });
});
