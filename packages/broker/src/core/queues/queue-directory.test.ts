import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

/** What a call throws, as its code. */
function codeOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? "another error";
  }
}

describe("declaring", () => {
  test("makes a queue once, and finds it again", () => {
    const { queues } = new QueueScene().hub;
    expect(queues.declare({ name: "q", maxDepth: 5 }).is).toBe("created");
    expect(queues.declare({ name: "q", maxDepth: 5 }).is).toBe("existing");
    expect(queues.list().map((one) => one.name)).toEqual(["q"]);
  });

  test("otherwise than it is, is refused unless it is to be changed", () => {
    const { queues } = new QueueScene().hub;
    queues.declare({ name: "q" });
    expect(codeOf(() => queues.declare({ name: "q", maxDepth: 5 }))).toBe("ERR_QUEUE_EXISTS");
    expect(queues.declare({ name: "q", maxDepth: 5 }, { ifExists: "update" }).queue.settings.maxDepth).toBe(5);
  });

  test.each([{ kind: "stream" }, { lifetime: "ephemeral" }, { priorityMax: 3 }] as const)(
    "cannot change %j of a queue, whatever else changes",
    (change) => {
      const { queues } = new QueueScene().hub;
      queues.declare({ name: "q" });
      const definition = { name: "q", topics: ["a"], maxDepth: 5, ...change };
      expect(codeOf(() => queues.declare(definition, { ifExists: "update" }))).toBe("ERR_QUEUE_EXISTS");
      expect(queues.get("q")?.settings).toMatchObject({
        kind: "classic",
        lifetime: "durable",
        priorityMax: 0,
        topics: [],
      });
    },
  );

  test("anew changes which topics a queue takes", () => {
    const scene = new QueueScene();
    const { queues } = scene.hub;
    queues.declare({ name: "q", topics: ["a"] });
    queues.declare({ name: "q", topics: ["b"] }, { ifExists: "update" });
    for (const topic of ["/a", "/b"]) scene.publish(topic, topic);
    expect(queues.peek("q", 0, 9).map((one) => one.topic)).toEqual(["b"]);
    scene.restart();
    expect(scene.hub.queues.get("q")?.settings.topics).toEqual(["b"]);
  });

  test.each([
    [{ name: "a/b" }, "name"],
    [{ name: "q", topics: ["a#"] }, "topics"],
    [{ name: "q", maxDepth: -1 }, "maxDepth"],
    [{ name: "q", priorityMax: 256 }, "priorityMax"],
    [{ name: "q", pendingMax: 0 }, "pendingMax"],
    [{ name: "q", retry: { multiplier: 0.5 } }, "retry.multiplier"],
    [{ name: "q", retention: { ageMs: 0.5 } }, "retention.ageMs"],
    [{ name: "q", deadLetter: { queue: "q" } }, "deadLetter.queue"],
    [{ name: "q", deadLetter: { queue: "a/b" } }, "deadLetter.queue"],
    [{ name: "$dlq/q", deadLetter: { enabled: true } }, "deadLetter.queue"],
  ])("%j is refused for its %s", (definition, field) => {
    const { queues } = new QueueScene().hub;
    expect(() => queues.declare(definition)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT", message: expect.stringMatching(`^${field}: `) }),
    );
    expect(queues.count).toBe(0);
  });

  test("more queues than allowed is refused", () => {
    const { queues } = new QueueScene({ queueLimits: { queuesMax: 1 } }).hub;
    queues.declare({ name: "q" });
    expect(codeOf(() => queues.declare({ name: "r" }))).toBe("ERR_QUEUE_LIMIT");
  });
});

describe("a queue that does not exist", () => {
  test("is made durable by a publisher when there is a store", () => {
    const scene = new QueueScene();
    expect(scene.publish("q/k", "a")).toBeNull();
    expect(scene.hub.queues.get("q")).toMatchObject({ isStored: true, depth: 1, settings: { lifetime: "durable" } });
  });

  test("is made ephemeral when there is none", () => {
    const scene = new QueueScene({ store: null });
    scene.consume("q");
    expect(scene.hub.queues.get("q")).toMatchObject({ isStored: false, settings: { lifetime: "ephemeral" } });
  });

  test("is refused when the broker says so", () => {
    const scene = new QueueScene({ autoCreateQueues: "refuse" });
    expect(scene.publish("q", "a")?.code).toBe("ERR_QUEUE_NOT_FOUND");
    expect(codeOf(() => scene.consume("q"))).toBe("ERR_QUEUE_NOT_FOUND");
    expect(scene.hub.queues.count).toBe(0);
  });

  test("is not made when another queue takes what is addressed to it", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "all", topics: ["$queue/#"] });
    scene.publish("q", "a");
    expect(scene.hub.queues.list().map((one) => [one.name, one.depth])).toEqual([["all", 1]]);
  });
});

describe("an ephemeral queue", () => {
  const unused = { name: "q", lifetime: "ephemeral", expiresAfterMs: 1000 } as const;

  test("is deleted when nobody used it for long enough", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare(unused);
    scene.clock.advanceSync(999);
    expect(scene.hub.queues.has("q")).toBe(true);
    scene.clock.advanceSync(1);
    expect(scene.hub.queues.has("q")).toBe(false);
  });

  test("stays while it has a consumer, and for the same time after that left", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare(unused);
    const { subscription } = scene.consume("q");
    scene.clock.advanceSync(5000);
    subscription.close();
    scene.clock.advanceSync(999);
    expect(scene.hub.queues.has("q")).toBe(true);
    scene.clock.advanceSync(1);
    expect(scene.hub.queues.has("q")).toBe(false);
  });

  test("never goes while it holds a message", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare(unused);
    scene.publish("q", "a");
    scene.clock.advanceSync(10_000);
    expect(scene.consume("q").consumer.texts).toEqual(["a"]);
  });

  test("never goes while a delayed message is to come", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare(unused);
    scene.publish("q", "a", { deliverAfterMs: 10_000 });
    scene.clock.advanceSync(10_000);
    expect(scene.consume("q").consumer.texts).toEqual(["a"]);
  });
});

describe("deleting a queue", () => {
  test("tells its consumers, and nothing can be settled any more", () => {
    const scene = new QueueScene();
    const { consumer, subscription } = scene.consume("q");
    scene.publish("q", "a");
    expect(scene.hub.queues.delete("q")).toBe(1);
    expect(consumer.cancelled).toEqual(["queue-deleted"]);
    expect(scene.hub.queues.settle("q", "g", 0, { is: "ack" })).toBe("unknown-queue");
    expect(subscription.settle(0, { is: "ack" })).toBe("not-pending");
    subscription.wake();
    subscription.close();
  });

  test("and making it again begins at offset 0, also when both happen in one batch", () => {
    const scene = new QueueScene();
    for (const text of ["a", "b"]) scene.publish("q", text);
    scene.hub.queues.delete("q");
    scene.offer("q", "c");
    scene.run();
    scene.restart();
    const { consumer } = scene.consume("q");
    expect([consumer.offsets, consumer.texts]).toEqual([[0], ["c"]]);
  });

  test("can depend on nobody using it, and on its being empty", () => {
    const scene = new QueueScene();
    const { queues } = scene.hub;
    const { subscription } = scene.consume("q");
    expect(codeOf(() => queues.delete("q", { ifUnused: true }))).toBe("ERR_QUEUE_IN_USE");
    subscription.close();
    scene.publish("q", "a");
    expect(codeOf(() => queues.delete("q", { ifEmpty: true }))).toBe("ERR_QUEUE_IN_USE");
    expect(queues.delete("q", { ifUnused: true })).toBe(1);
    expect(codeOf(() => queues.delete("q"))).toBe("ERR_QUEUE_NOT_FOUND");
  });

  test("takes back the topics that it took", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", topics: ["a/#"] });
    scene.hub.queues.delete("q");
    scene.publish("/a/b", "x");
    expect(scene.hub.statistics.messagesUnmatched).toBe(1);
  });
});

describe("groups", () => {
  test("that were deleted hold nothing back any more, and their members are told", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g"), scene.consume("q", "h")];
    scene.publish("q", "a");
    y.subscription.settle(0, { is: "ack" });
    scene.hub.queues.deleteGroup("q", "g");
    scene.run();
    expect(x.consumer.cancelled).toEqual(["group-deleted"]);
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 1, depth: 0 });
    expect(codeOf(() => scene.hub.queues.deleteGroup("q", "g"))).toBe("ERR_QUEUE_NOT_FOUND");
  });

  test("that live as long as their members end with the last one", () => {
    const scene = new QueueScene();
    const [x, y] = [1, 2].map(() => scene.consume("q", "g", { lifetime: "members" }));
    x?.subscription.close();
    expect(scene.hub.queues.get("q")?.groups).toHaveLength(1);
    y?.subscription.close();
    expect(scene.hub.queues.get("q")?.groups).toEqual([]);
  });

  test("and members of them are limited", () => {
    const scene = new QueueScene({ queueLimits: { groupsPerQueueMax: 1, membersPerGroupMax: 2 } });
    scene.consume("q", "g");
    expect(codeOf(() => scene.consume("q", "h"))).toBe("ERR_QUEUE_LIMIT");
    scene.consume("q", "g");
    expect(codeOf(() => scene.consume("q", "g"))).toBe("ERR_QUEUE_LIMIT");
  });

  test("of all queues together are limited, and those that go make room", () => {
    const scene = new QueueScene({ queueLimits: { groupsMax: 2 } });
    const temporary = scene.consume("q", "g", { lifetime: "members" });
    scene.consume("r", "g");
    expect(codeOf(() => scene.consume("r", "h"))).toBe("ERR_QUEUE_LIMIT");
    temporary.subscription.close();
    scene.consume("r", "h");
    expect(codeOf(() => scene.consume("q", "g"))).toBe("ERR_QUEUE_LIMIT");
    scene.hub.queues.delete("r");
    for (const group of ["g", "h"]) scene.consume("q", group);
    scene.restart();
    expect(codeOf(() => scene.consume("q", "i"))).toBe("ERR_QUEUE_LIMIT");
  });

  test("have filters of limited length, so that their ids fit wherever they stand", () => {
    const scene = new QueueScene();
    scene.consume("q", "g", { filter: "x".repeat(1_024) });
    expect(codeOf(() => scene.consume("q", "g", { filter: "x".repeat(1_025) }))).toBe("ERR_INVALID_TOPIC");
    expect(scene.hub.queues.get("q")?.groups).toHaveLength(1);
  });

  test("with a filter that is none are refused, and leave nothing behind", () => {
    const scene = new QueueScene();
    expect(codeOf(() => scene.consume("q", "g", { filter: "a#" }))).toBe("ERR_INVALID_TOPIC");
    expect(codeOf(() => scene.consume("q", ""))).toBe("ERR_INVALID_ARGUMENT");
    expect(scene.hub.queues.get("q")?.groups).toEqual([]);
  });
});

test("a publisher is told when there can be no further queue, and the queues there are keep their dead letters", () => {
  const scene = new QueueScene({ queueLimits: { queuesMax: 1 } });
  expect(scene.publish("q", "a")).toBeNull();
  expect(scene.publish("r", "b")?.code).toBe("ERR_QUEUE_LIMIT");
  const { subscription } = scene.consume("q");
  expect(subscription.settle(0, { is: "reject" })).toBe("settled");
  expect(scene.deadLetters("q")).toMatchObject([{ reason: "rejected", offset: 0 }]);
  expect(scene.hub.queues.count).toBe(2);
});
