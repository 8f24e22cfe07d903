import { describe, expect, test } from "vitest";
import { TopologyScene } from "../topology/topology-scene.test-support.ts";
import { QueueScene } from "./queue-scene.test-support.ts";

describe("a queue that refuses and dead-letters", () => {
  test("tells the publisher that it is full, and keeps what was sent as a dead letter", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 1, overflow: "reject-dead-letter" });
    expect(scene.publish("q/a", "1")).toBeNull();
    const properties = Uint8Array.of(1, 2);
    expect(scene.publish("q/b/c", "2", { publisherId: "p", properties })?.code).toBe("ERR_QUEUE_FULL");
    expect(scene.hub.queues.get("q")).toMatchObject({ depth: 1, statistics: { deadLettered: 1 } });
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "maxlen", queue: "q", count: 0 }]);
    const [letter] = scene.consume("$dlq/q", "g", { filter: "b/#" }).consumer.got;
    expect(letter?.message).toMatchObject({ key: "b/c", publisherId: "p", properties });
  });

  test("does so for a limit of bytes and for captured topics", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxBytes: 3, overflow: "reject-dead-letter", topics: ["t"] });
    for (const text of ["123", "4"]) scene.publish("/t", text);
    expect(scene.deadLetters("q")).toHaveLength(1);
    expect(scene.hub.queues.get("q")?.statistics.captureRefused).toBe(1);
  });

  test("keeps no dead letter of what is too large, or of what no memory is left for", () => {
    const scene = new QueueScene({ store: null, queueLimits: { memoryBytesMax: 1 } });
    scene.hub.queues.declare({ name: "q", maxDepth: 5, maxMessageBytes: 2, overflow: "reject-dead-letter" });
    expect(scene.publish("q", "123")?.code).toBe("ERR_MESSAGE_TOO_LARGE");
    expect(scene.publish("q", "1")).toBeNull();
    expect(scene.publish("q", "2")?.code).toBe("ERR_QUEUE_FULL");
    expect(scene.deadLetters("q")).toEqual([]);
  });

  test("sends them where its declaration says", () => {
    const scene = new TopologyScene();
    scene.queues("dead");
    scene.bind("amq.fanout", "dead");
    scene.queue("q", { maxLength: 1, overflow: "reject-dead-letter", deadLetterExchange: "amq.fanout" });
    expect([scene.send("", "q", "1"), scene.send("", "q", "2")]).toEqual(["routed", "refused"]);
    expect(scene.take("dead").consumer.texts).toEqual(["2"]);
    expect(scene.queue("q", { maxLength: 1, overflow: "reject" })).toMatchObject({ is: "inequivalent" });
  });
});

describe("a queue of length 0", () => {
  test("hands on what a consumer takes at once, and dead-letters the rest", () => {
    const scene = new TopologyScene();
    scene.queue("q", { maxLength: 0 });
    expect(scene.send("", "q", "nobody")).toBe("routed");
    const { consumer } = scene.take("q", { credit: 1 });
    for (const text of ["taken", "late"]) expect(scene.send("", "q", text)).toBe("routed");
    expect([consumer.texts, scene.waiting("q")]).toEqual([["taken"], [0]]);
    expect(scene.deadLetters("q")).toMatchObject([
      { reason: "maxlen", offset: 0 },
      { reason: "maxlen", offset: 2 },
    ]);
  });

  test("does not keep what comes back and nobody takes again", () => {
    const scene = new TopologyScene();
    scene.queue("q", { maxLength: 0 });
    const { subscription } = scene.take("q", { credit: 1 });
    scene.send("", "q");
    subscription.settle(0, { is: "nack" });
    scene.run();
    expect([scene.waiting("q"), scene.deadLetters("q").length]).toEqual([[0], 1]);
  });

  test("is one after a restart, and what was out then leaves", () => {
    const scene = new TopologyScene();
    scene.queue("q", { maxLength: 0 });
    scene.take("q");
    scene.send("", "q");
    scene.restart();
    expect([scene.waiting("q"), scene.deadLetters("q").length]).toEqual([[0], 1]);
    scene.send("", "q");
    expect(scene.waiting("q")).toEqual([0]);
  });

  test("refuses everything when it is to refuse", () => {
    const scene = new TopologyScene();
    scene.queue("q", { maxLength: 0, overflow: "reject" });
    scene.take("q");
    expect(scene.send("", "q")).toBe("refused");
  });

  test("of bytes keeps messages without a body", () => {
    const scene = new TopologyScene();
    scene.queue("q", { maxBytes: 0 });
    for (const text of ["", "body"]) scene.send("", "q", text);
    expect([scene.waiting("q"), scene.deadLetters("q").length]).toEqual([[1], 1]);
    scene.queue("r", { maxBytes: 0, overflow: "reject" });
    expect([scene.send("", "r", ""), scene.send("", "r", "body")]).toEqual(["routed", "refused"]);
  });
});
