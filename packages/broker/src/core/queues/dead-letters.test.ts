import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

describe("a dead letter", () => {
  test("tells why, where, in which group and after how many deliveries a rejected message died", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    scene.publish("q", "a");
    scene.publish("q/k", "b");
    subscription.settle(1, { is: "nack" });
    expect(subscription.settle(1, { is: "reject", detail: "no such item" })).toBe("settled");
    scene.run();
    const [facts] = scene.deadLetters("q");
    expect(facts).toEqual({
      reason: "rejected",
      queue: "q",
      group: "g",
      offset: 1,
      count: 2,
      firstDeathMs: scene.clock.epochMs(),
      detail: "no such item",
      isReplayed: false,
      deaths: [
        {
          queue: "q",
          reason: "rejected",
          count: 1,
          timeMs: scene.clock.epochMs(),
          exchange: "$queue",
          keys: ["q/k"],
        },
      ],
    });
  });

  test("is there however much the consumer said: a thousand characters of it are kept", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    scene.publish("q", "a");
    expect(subscription.settle(0, { is: "reject", detail: "x".repeat(70_000) })).toBe("settled");
    scene.run();
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "rejected", detail: "x".repeat(1_000) }]);
  });

  test("keeps topic, key and body, and is consumed as any other message", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    scene.publish("q/a/b", "body");
    subscription.settle(0, { is: "reject" });
    scene.run();
    const { consumer } = scene.consume("$dlq/q", "g", { filter: "a/+" });
    expect(consumer.texts).toEqual(["body"]);
    expect(consumer.got[0]?.message.topic).toBe("$queue/q/a/b");
  });

  test("lies in a queue that is reachable below $queue/", () => {
    const scene = new QueueScene();
    scene.publish("$dlq/q/k", "by hand");
    expect(scene.hub.queues.list().map((one) => one.name)).toEqual(["$dlq/q"]);
    expect(scene.hub.queues.peek("$dlq/q", 0, 1)[0]?.key).toBe("k");
  });

  test("leaves and arrives in one batch", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    scene.publish("q", "a");
    const before = scene.hub.committer.commits;
    subscription.settle(0, { is: "reject" });
    scene.run();
    expect(scene.hub.committer.commits).toBe(before + 1);
    scene.restart();
    expect([scene.hub.queues.get("q")?.depth, scene.deadLetters("q").length]).toEqual([0, 1]);
  });

  test("goes to the queue that the settings name", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", deadLetter: { queue: "graves" } });
    const { subscription } = scene.consume("q");
    scene.publish("q", "a");
    subscription.settle(0, { is: "reject" });
    scene.run();
    expect(scene.hub.queues.peek("graves", 0, 9)).toHaveLength(1);
  });

  test("is not made when they are off, and the message is counted", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", deadLetter: { enabled: false } });
    const { subscription } = scene.consume("q");
    scene.publish("q", "a");
    subscription.settle(0, { is: "reject" });
    scene.run();
    expect(scene.hub.queues.list().map((one) => one.name)).toEqual(["q"]);
    expect(scene.hub.queues.get("q")?.statistics).toMatchObject({ rejected: 1, deadLettered: 0, dropped: 1 });
  });

  test("that dies again goes nowhere, even in a circle of queues", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "x", deadLetter: { queue: "y" } });
    scene.hub.queues.declare({ name: "y", deadLetter: { queue: "x" } });
    const [x, y] = [scene.consume("x"), scene.consume("y")];
    scene.publish("x", "a");
    x.subscription.settle(0, { is: "reject" });
    scene.run();
    y.subscription.settle(0, { is: "reject" });
    scene.run();
    expect(x.consumer.texts).toEqual(["a"]);
    expect(scene.hub.queues.get("y")?.statistics).toMatchObject({ dropped: 1 });
  });

  test("can be sent back, dies again with the time of its first death, and its deaths are counted anew", () => {
    const scene = new QueueScene();
    const { subscription, consumer } = scene.consume("q");
    scene.publish("q", "a");
    const firstDeathMs = scene.clock.epochMs();
    subscription.settle(0, { is: "reject" });
    scene.clock.advanceSync(5000);
    expect(scene.hub.queues.move("$dlq/q")).toBe(1);
    scene.run();
    expect(consumer.counted).toEqual(["a/0", "a/0"]);
    expect(scene.deadLetters("q")).toEqual([]);
    subscription.settle(1, { is: "reject" });
    scene.run();
    expect(scene.deadLetters("q")).toMatchObject([{ firstDeathMs, offset: 1, count: 1, isReplayed: false }]);
  });

  test("stays although its queue was small, and whatever becomes of its deliveries, until somebody settles it", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 2, ttlMs: 1_000 });
    const { subscription } = scene.consume("q");
    for (let offset = 0; offset < 5; offset++) {
      scene.publish("q", `${offset}`);
      subscription.settle(offset, { is: "reject" });
    }
    scene.run();
    const undertaker = scene.consume("$dlq/q", "u", { credit: 1 });
    for (let i = 0; i < 20; i++) {
      undertaker.subscription.settle(0, { is: "nack" });
      scene.clock.advanceSync(400_000);
      undertaker.take(1);
    }
    expect(undertaker.consumer.counted).toContain("0/20");
    scene.clock.advanceSync(10 * 604_800_000);
    scene.hub.queues.sweep(scene.clock.epochMs());
    expect(scene.deadLetters("q")).toHaveLength(5);
    expect(scene.hub.queues.get("$dlq/q")?.statistics).toMatchObject({ dropped: 0, overflowed: 0, expired: 0 });
  });

  test("is taken by a queue that is full, for it is never refused", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "$dlq/q", maxDepth: 1 });
    const { subscription } = scene.consume("q");
    for (const text of ["a", "b"]) scene.publish("q", text);
    for (const offset of [0, 1]) subscription.settle(offset, { is: "reject" });
    scene.run();
    expect(scene.deadLetters("q")).toHaveLength(2);
    expect(scene.publish("$dlq/q", "c")?.code).toBe("ERR_QUEUE_FULL");
  });

  test("has a queue to go to however long the name of its own is", () => {
    const scene = new QueueScene();
    const name = "n".repeat(255);
    expect(scene.publish(name, "a")).toBeNull();
    scene.consume(name).subscription.settle(0, { is: "reject" });
    scene.run();
    expect(scene.deadLetters(name)).toHaveLength(1);
    expect(scene.consume(`$dlq/${name}`).consumer.texts).toEqual(["a"]);
    expect(scene.publish(`${name}n`, "a")?.code).toBe("ERR_INVALID_TOPIC");
  });

  test("of one group does not concern the others", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g"), scene.consume("q", "h")];
    scene.publish("q", "a");
    x.subscription.settle(0, { is: "reject" });
    expect(y.subscription.settle(0, { is: "nack" })).toBe("settled");
    expect(y.consumer.counted).toEqual(["a/0", "a/1"]);
  });
});
