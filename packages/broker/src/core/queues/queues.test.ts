import { describe, expect, test } from "vitest";
import { bytesOf, textOf } from "../session.test-support.ts";
import { QueueScene } from "./queue-scene.test-support.ts";

describe("publishing to a queue", () => {
  test("lands in every queue whose topics match, each with a copy and an offset of its own", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q" });
    scene.hub.queues.declare({ name: "audit", topics: ["$queue/+/paid", "$queue/q/#"] });
    scene.publish("audit", "first");
    scene.publish("q/paid", "a");
    const offsets = ["q", "audit"].map((name) => scene.hub.queues.peek(name, 0, 9).map((one) => one.offset));
    expect(offsets).toEqual([[0], [0, 1]]);
    expect(scene.hub.queues.peek("audit", 1, 1)[0]).toMatchObject({ topic: "$queue/q/paid", key: "" });
  });

  test.each(["q/$ack", "q/$commit", "q/$ack/a", "", "$other/a"])(
    "is refused for %j, which is never data",
    (address) => {
      const scene = new QueueScene();
      expect(scene.publish(address, "a")?.code).toBe("ERR_INVALID_TOPIC");
      expect(scene.hub.queues.count).toBe(0);
    },
  );

  test("is refused for a topic that cannot be stored", () => {
    const scene = new QueueScene();
    expect(scene.publish(`q/${"x".repeat(70_000)}`, "a")?.code).toBe("ERR_INVALID_ARGUMENT");
    expect(scene.hub.queues.get("q")).toMatchObject({ depth: 0 });
  });

  test("by name takes any topic, without a key", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q" });
    const view = scene.hub.transientMessage();
    view.begin("some/topic", bytesOf("a"));
    view.publisherId = "p";
    view.origin = "o";
    view.externalId = "e";
    expect(scene.hub.queues.publishTo("q", view)).toBeNull();
    expect(scene.hub.queues.publishTo("r", view)?.code).toBe("ERR_QUEUE_NOT_FOUND");
    const [message] = scene.hub.queues.peek("q", 0, 1);
    expect(message).toMatchObject({ topic: "some/topic", key: "", publisherId: "p", origin: "o", externalId: "e" });
  });

  test("copies the message: the publisher's bytes may change afterwards", () => {
    const scene = new QueueScene();
    const view = scene.hub.transientMessage();
    const input = bytesOf("abc");
    view.begin("$queue/q", input);
    scene.hub.queues.publish(view);
    input.fill(0);
    expect(textOf(scene.hub.queues.peek("q", 0, 1)[0]?.payload ?? new Uint8Array(0))).toBe("abc");
  });
});

describe("the hub", () => {
  test("enqueues what is published to a queue address, and never retains it", () => {
    const scene = new QueueScene();
    const view = scene.hub.transientMessage();
    view.begin("$queue/q", bytesOf("a"));
    view.retain = true;
    expect(scene.hub.publish(view)).toBe(1);
    expect([scene.hub.retained.count, scene.hub.queues.get("q")?.depth]).toEqual([0, 1]);
  });

  test("enqueues a message with such a topic that was to be published later", () => {
    const scene = new QueueScene();
    scene.hub.delayed.put("owner", scene.hub.makeMessage({ topic: "$queue/q", payload: bytesOf("last word") }), 1000);
    scene.restart();
    scene.clock.advanceSync(1000);
    expect(scene.consume("q").consumer.texts).toEqual(["last word"]);
  });

  test("says that nobody took what is no address of a message", () => {
    const scene = new QueueScene();
    const view = scene.hub.transientMessage();
    view.begin("$queue/q/$commit", bytesOf("a"));
    expect(scene.hub.publish(view)).toBe(0);
    expect([scene.hub.statistics.messagesUnmatched, scene.hub.queues.count]).toEqual([1, 0]);
  });

  test("gives ordinary messages to queues that take their topic, and counts these as interested", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", topics: ["a/+", "a/#"] });
    const view = scene.hub.transientMessage();
    view.begin("a/b", bytesOf("x"));
    expect(scene.hub.publish(view)).toBe(1);
    scene.run();
    const all = scene.consume("q");
    const keyed = scene.consume("q", "k", { filter: "+" });
    expect([all.consumer.texts, keyed.consumer.texts]).toEqual([["x"], []]);
    expect(all.consumer.got[0]?.message.key).toBe("");
  });

  test("does not give reserved topics to a queue whose filter begins with a wildcard", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", topics: ["#"] });
    scene.publish("/$SYS/x", "x");
    scene.publish("/a", "a");
    expect(scene.hub.queues.get("q")?.depth).toBe(1);
  });

  test("does not bother the publisher of an ordinary message with a full queue", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", topics: ["a"], maxDepth: 1 });
    scene.hub.queues.declare({ name: "r", topics: ["a"] });
    for (const text of ["1", "2"]) scene.publish("/a", text);
    expect(scene.hub.queues.list().map((one) => [one.depth, one.statistics.captureRefused])).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  test("tells of its queues when it is inspected", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { id: "worker", credit: 2 });
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    subscription.settle(0, { is: "nack", delayMs: 50 });
    subscription.settle(1, { is: "reject" });
    scene.run();
    const [queue, letters] = scene.hub.inspect().queues;
    expect(queue?.groups).toEqual([
      {
        id: "g",
        mode: "work",
        lifetime: "lasting",
        expiresAtMs: null,
        members: ["worker"],
        depth: 2,
        pending: 0,
        returned: 1,
        committed: 0,
        cursor: null,
      },
    ]);
    expect(queue?.statistics).toMatchObject({ appended: 3, delivered: 2, nacked: 1, rejected: 1, deadLettered: 1 });
    expect([letters?.name, letters?.depth]).toEqual(["$dlq/q", 1]);
  });
});
