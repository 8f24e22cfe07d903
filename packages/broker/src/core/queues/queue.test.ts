import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

describe("a message's time", () => {
  test("is over when the publisher says so: it is dead-lettered instead of delivered, once for all groups", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g", { credit: 0 }), scene.consume("q", "h", { credit: 0 })];
    scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 500 });
    scene.clock.advanceSync(500);
    for (const one of [x, y]) one.take(5);
    expect([x.consumer.texts, y.consumer.texts]).toEqual([[], []]);
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "expired", offset: 0, group: "" }]);
  });

  test("is at most the queue's own", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", ttlMs: 500 });
    const epochMs = scene.clock.epochMs();
    scene.publish("q", "a", { expiresAtMs: epochMs + 9_000 });
    scene.publish("q", "b", { expiresAtMs: epochMs + 100 });
    const ends = scene.hub.queues.peek("q", 0, 9).map((one) => one.expiresAtMs - epochMs);
    expect(ends).toEqual([500, 100]);
  });

  test("is looked after at the head, with or without groups", () => {
    const scene = new QueueScene();
    scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 500 });
    scene.publish("q", "b");
    scene.clock.advanceSync(60_000);
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 1, depth: 1 });
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "expired" }]);
  });

  test("does not end the work of a consumer that has it", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g");
    const other = scene.consume("q", "h", { credit: 0 });
    scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 500 });
    scene.clock.advanceSync(500);
    other.take(1);
    expect(scene.deadLetters("q")).toHaveLength(1);
    expect(subscription.settle(0, { is: "ack" })).toBe("settled");
  });

  test("starts anew for a dead letter: it has none", () => {
    const scene = new QueueScene();
    scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 500 });
    scene.clock.advanceSync(60_000);
    expect(scene.hub.queues.peek("$dlq/q", 0, 1)[0]?.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("limits", () => {
  test("a message that is too large is refused", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxMessageBytes: 3 });
    expect(scene.publish("q", "abc")).toBeNull();
    expect(scene.publish("q", "abcd")?.code).toBe("ERR_MESSAGE_TOO_LARGE");
  });

  test("a full queue refuses until somebody settles", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 2 });
    const { subscription } = scene.consume("q");
    expect([1, 2, 3].map(() => scene.publish("q", "x")?.code ?? "queued")).toEqual([
      "queued",
      "queued",
      "ERR_QUEUE_FULL",
    ]);
    subscription.settle(1, { is: "ack" });
    expect(scene.publish("q", "x")).toBeNull();
  });

  test("bytes count while nobody works on the message, and again when it comes back", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxBytes: 10 });
    expect([scene.publish("q", "12345678"), scene.publish("q", "9012")]).toEqual([null, null]);
    expect(scene.publish("q", "x")?.code).toBe("ERR_QUEUE_FULL");
    const { subscription } = scene.consume("q", "g", { credit: 1 });
    expect(scene.publish("q", "x")).toBeNull();
    subscription.close();
    expect(scene.publish("q", "x")?.code).toBe("ERR_QUEUE_FULL");
    scene.restart();
    expect(scene.publish("q", "x")?.code).toBe("ERR_QUEUE_FULL");
    scene.consume("q").subscription.settle(0, { is: "ack" });
    expect(scene.publish("q", "x")).toBeNull();
  });

  test("a queue of too many bytes that drops at the head makes as many dead letters as it takes", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxBytes: 10, overflow: "drop-head" });
    for (const text of ["1234", "5678", "90", "123456"]) expect(scene.publish("q", text)).toBeNull();
    expect(scene.deadLetters("q")).toMatchObject([
      { reason: "maxlen", offset: 0 },
      { reason: "maxlen", offset: 1 },
    ]);
    expect(scene.consume("q").consumer.texts).toEqual(["90", "123456"]);
  });

  test("a full queue that drops at the head makes its oldest waiting message a dead letter", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 2, overflow: "drop-head" });
    const { consumer, take } = scene.consume("q", "g", { credit: 1 });
    for (const text of ["a", "b", "c", "d"]) expect(scene.publish("q", text)).toBeNull();
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "maxlen", offset: 1 }]);
    take(9);
    expect(consumer.texts).toEqual(["a", "c", "d"]);
  });

  test("a message for several queues is taken by all or by none", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "all", topics: ["$queue/#"], maxDepth: 1 });
    scene.hub.queues.declare({ name: "q" });
    expect(scene.publish("q", "a")).toBeNull();
    expect(scene.publish("q", "b")?.code).toBe("ERR_QUEUE_FULL");
    expect(scene.hub.queues.list().map((one) => [one.name, one.depth])).toEqual([
      ["all", 1],
      ["q", 1],
    ]);
  });

  test("bodies of queues in memory are bounded together", () => {
    const scene = new QueueScene({ store: null, queueLimits: { memoryBytesMax: 10_000 } });
    const codes = Array.from({ length: 20 }, (_, i) => scene.publish(`q${i % 2}`, "x".repeat(800))?.code ?? "queued");
    expect(codes.filter((code) => code === "queued").length).toBeGreaterThan(5);
    expect(codes.at(-1)).toBe("ERR_QUEUE_FULL");
    expect(scene.hub.queues.bytesInMemory).toBeLessThanOrEqual(11_500);
    scene.hub.queues.purge("q0");
    scene.run();
    expect(scene.publish("q0", "x".repeat(800))).toBeNull();
  });

  test("bodies that the store has stay in memory only as far as allowed, and are read back", () => {
    const scene = new QueueScene({ queueLimits: { cacheBytesMax: 20_000 } });
    for (let i = 0; i < 200; i++) scene.publish("q", `${i} ${"x".repeat(500)}`);
    expect(scene.hub.queues.bytesInMemory).toBeLessThanOrEqual(20_000);
    const { consumer } = scene.consume("q");
    expect(consumer.texts.map((text) => text.split(" ")[0])).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
  });
});

describe("priorities", () => {
  test("the highest is delivered first, within one the oldest", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", priorityMax: 5 });
    for (const [text, priority] of Object.entries({ a: 0, b: 5, c: 3, d: 5 })) scene.publish("q", text, { priority });
    expect(scene.consume("q").consumer.texts).toEqual(["b", "d", "c", "a"]);
  });

  test("one above the queue's highest counts as that, and none is looked at in other queues", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", priorityMax: 1 });
    for (const [text, priority] of Object.entries({ a: 1, b: 9 })) scene.publish("q", text, { priority });
    for (const [text, priority] of Object.entries({ a: 1, b: 9 })) scene.publish("r", text, { priority });
    expect([scene.consume("q").consumer.texts, scene.consume("r").consumer.texts]).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
  });

  test("what comes back stands behind a higher priority", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", priorityMax: 1 });
    scene.publish("q", "low");
    const { consumer, subscription, take } = scene.consume("q", "g", { credit: 1 });
    scene.publish("q", "high", { priority: 1 });
    subscription.settle(0, { is: "nack" });
    take(5);
    expect(consumer.counted).toEqual(["low/0", "high/0", "low/1"]);
  });

  test("are known after a restart", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", priorityMax: 2 });
    for (const [text, priority] of Object.entries({ a: 0, b: 2, c: 1 })) scene.publish("q", text, { priority });
    scene.consume("q", "g", { credit: 1 });
    scene.restart();
    expect(scene.consume("q").consumer.counted).toEqual(["b/1", "c/0", "a/0"]);
  });
});

describe("delayed messages", () => {
  test("are appended when their time comes", () => {
    const scene = new QueueScene();
    const { consumer } = scene.consume("q");
    scene.publish("q", "later", { deliverAfterMs: 1000 });
    scene.publish("q", "now");
    expect(scene.hub.queues.get("q")).toMatchObject({ depth: 1, delayed: 1 });
    scene.clock.advanceSync(999);
    expect(consumer.texts).toEqual(["now"]);
    scene.clock.advanceSync(1);
    expect(consumer.texts).toEqual(["now", "later"]);
  });

  test("survive a restart, and those that fell due meanwhile come at once", () => {
    const scene = new QueueScene();
    scene.publish("q/k", "soon", { deliverAfterMs: 1000 });
    scene.publish("q/k", "late", { deliverAfterMs: 5000 });
    scene.restart();
    scene.clock.advanceSync(2000);
    const { consumer } = scene.consume("q");
    expect(consumer.texts).toEqual(["soon"]);
    scene.clock.advanceSync(3000);
    expect([consumer.texts, consumer.got[1]?.message.key]).toEqual([["soon", "late"], "k"]);
    expect(scene.hub.queues.get("q")?.delayed).toBe(0);
  });

  test("that wait longer than can be counted wait for ever, also over a restart", () => {
    const scene = new QueueScene();
    scene.publish("q", "never", { deliverAfterMs: Number.MAX_SAFE_INTEGER });
    scene.publish("q", "soon", { deliverAfterMs: 1000 });
    scene.restart();
    scene.clock.advanceSync(1000);
    expect(scene.consume("q").consumer.texts).toEqual(["soon"]);
    expect(scene.hub.queues.get("q")?.delayed).toBe(1);
  });

  test("count as messages of a full queue, and are never refused once they were taken", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 2 });
    expect(scene.publish("q", "a", { deliverAfterMs: 1000 })).toBeNull();
    expect(scene.publish("q", "b")).toBeNull();
    expect(scene.publish("q", "c")?.code).toBe("ERR_QUEUE_FULL");
    scene.clock.advanceSync(1000);
    expect(scene.hub.queues.get("q")).toMatchObject({ depth: 2, delayed: 0 });
  });
});
