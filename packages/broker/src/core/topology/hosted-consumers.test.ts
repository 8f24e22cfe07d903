import { describe, expect, test } from "vitest";
import { TestConsumer } from "../queues/queue-scene.test-support.ts";
import type { QueueGetter } from "./topology-port.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

function sceneWith(...texts: readonly string[]): TopologyScene {
  const scene = new TopologyScene();
  scene.queue("q");
  for (const text of texts) scene.send("", "q", text);
  return scene;
}

function getterOf(scene: TopologyScene): QueueGetter {
  const result = scene.host.getter("q", scene.owner);
  if (result.is !== "getter") throw new Error(result.is);
  return result.getter;
}

describe("consumers of a queue", () => {
  test("compete for its messages, also over a restart", () => {
    const scene = sceneWith("1", "2", "3", "4");
    const a = scene.take("q", { credit: 1 });
    expect(a.subscription.settle(0, { is: "ack" })).toBe("settled");
    scene.restart();
    const [b, c] = [scene.take("q", { credit: 1 }), scene.take("q", { credit: 1 })];
    expect([b.consumer.texts, c.consumer.texts]).toEqual([["2"], ["3"]]);
  });

  test("share only among themselves when they name a group", () => {
    const scene = sceneWith("1");
    expect([scene.take("q").consumer.texts, scene.take("q", { group: "g" }).consumer.texts]).toEqual([["1"], ["1"]]);
  });

  test("of a higher priority get messages first, as long as they have credit, and take turns", () => {
    const scene = sceneWith();
    const low = scene.take("q");
    const [a, b] = [scene.take("q", { priority: 5, credit: 2 }), scene.take("q", { priority: 5, credit: 1 })];
    for (const text of ["1", "2", "3", "4"]) scene.send("", "q", text);
    expect([a.consumer.texts, b.consumer.texts, low.consumer.texts]).toEqual([["1", "3"], ["2"], ["4"]]);
  });

  test("get back what another one left, in its place", () => {
    const scene = sceneWith("1", "2", "3");
    const a = scene.take("q", { credit: 2 });
    a.subscription.close();
    const b = scene.take("q");
    expect(b.consumer.counted).toEqual(["1/1", "2/1", "3/0"]);
  });

  test("that acknowledge by themselves leave nothing", () => {
    const scene = sceneWith("1", "2");
    const { consumer } = scene.take("q", { acknowledge: "automatic" });
    scene.restart();
    expect([consumer.texts, scene.waiting("q"), scene.take("q").consumer.texts]).toEqual([["1", "2"], [0], []]);
  });

  test("get what they had again when they ask for it", () => {
    const scene = sceneWith("1", "2");
    const { consumer, subscription } = scene.take("q");
    subscription.settle(0, { is: "ack" });
    subscription.recover();
    scene.run();
    expect(consumer.counted).toEqual(["1/0", "2/0", "2/1"]);
  });

  test("are told when the queue goes, and can settle nothing then", () => {
    const scene = sceneWith("1");
    const { consumer, subscription } = scene.take("q");
    scene.host.deleteQueue("q", scene.owner);
    expect([consumer.cancelled, subscription.settle(0, { is: "ack" })]).toEqual([["queue-deleted"], "not-pending"]);
    subscription.recover();
    subscription.close();
  });
});

describe("a consumer that wants the queue alone", () => {
  test("is refused while there is another, and others while it is there", () => {
    const scene = sceneWith();
    const consumer = new TestConsumer("c", 1);
    const shared = scene.take("q");
    const ask = (access: "shared" | "alone") => scene.host.consume("q", { consumer, access }, scene.owner);
    expect(ask("alone")).toEqual({ is: "alone" });
    shared.subscription.close();
    const alone = ask("alone");
    expect([alone.is, ask("shared").is]).toEqual(["consuming", "alone"]);
    if (alone.is === "consuming") alone.subscription.close();
    expect(ask("shared").is).toBe("consuming");
  });

  test("leaves a queue that stays open to others when its group is deleted", () => {
    const scene = sceneWith();
    scene.take("q", { access: "alone", group: "g" });
    scene.hub.queues.deleteGroup("q", "g");
    expect(scene.take("q").consumer.cancelled).toEqual([]);
  });
});

describe("a consumer that cannot be", () => {
  test("is told why", () => {
    const scene = new TopologyScene({ queueLimits: { membersPerGroupMax: 1 } });
    scene.queue("q");
    const consumer = new TestConsumer("c", 1);
    const ask = (more: object, queue = "q") => scene.host.consume(queue, { consumer, ...more }, scene.owner);
    expect(ask({}, "no")).toEqual({ is: "not-found" });
    expect(ask({ group: "g", mode: "stream" })).toEqual({ is: "mode-mismatch" });
    expect(ask({ group: "g", filter: "a/#/b" })).toMatchObject({ is: "invalid", field: "filter" });
    expect(ask({ group: "a\0b" })).toMatchObject({ is: "invalid", field: "group" });
    scene.take("q");
    expect(ask({})).toMatchObject({ is: "limit", countMax: 1 });
  });
});

describe("consumers of a stream", () => {
  test("have a position of their own unless they share a group", () => {
    const scene = new TopologyScene();
    scene.queue("q", { kind: "stream" });
    scene.send("", "q", "1");
    const [a, b] = [scene.take("q"), scene.take("q", { from: { at: "first" } })];
    scene.send("", "q", "2");
    expect([a.consumer.texts, b.consumer.texts]).toEqual([["2"], ["1", "2"]]);
    for (const one of [a, b]) one.subscription.close();
    expect(scene.hub.queues.get("q")?.groups).toEqual([]);
    scene.take("q", { group: "g" });
    expect(scene.hub.queues.get("q")?.groups.map((group) => group.id)).toEqual(["g"]);
  });
});

describe("taking messages one by one", () => {
  test("gives the oldest that is durable, and what is left", () => {
    const scene = sceneWith("1", "2");
    const getter = getterOf(scene);
    expect([getter.take("explicit")?.offset, getter.messages]).toEqual([0, 1]);
    expect([getter.take("automatic")?.offset, getter.messages, getter.take("explicit")]).toEqual([1, 0, null]);
    expect(getter.settle(0, { is: "ack" })).toBe("settled");
    scene.restart();
    expect(scene.waiting("q")).toEqual([0]);
  });

  test("competes with consumers, and is none", () => {
    const scene = sceneWith("1", "2", "3");
    const getter = getterOf(scene);
    getter.take("explicit");
    expect(scene.host.queue("q", scene.owner)).toMatchObject({ queue: { messages: 2, consumers: 0 } });
    const { consumer } = scene.take("q");
    expect(consumer.texts).toEqual(["2", "3"]);
    getter.settle(0, { is: "nack" });
    scene.run();
    expect(consumer.counted).toEqual(["2/0", "3/0", "1/1"]);
  });

  test("gives back nothing that is with a consumer by now", () => {
    const scene = sceneWith("1");
    const getter = getterOf(scene);
    getter.take("explicit");
    const { consumer } = scene.take("q");
    getter.recover();
    expect(consumer.counted).toEqual(["1/1"]);
    expect(getter.settle(0, { is: "nack" })).toBe("not-pending");
    scene.run();
    expect(consumer.counted).toEqual(["1/1"]);
  });

  test("gives back what is not settled when it ends, or when that is asked", () => {
    const scene = sceneWith("1", "2");
    const getter = getterOf(scene);
    getter.take("explicit");
    getter.recover();
    expect(getter.take("explicit")).toMatchObject({ offset: 0, deliveryCount: 1 });
    getter.close();
    getter.close();
    expect([getter.take("explicit"), scene.take("q").consumer.counted]).toEqual([null, ["1/2", "2/0"]]);
  });

  test("is not for streams, and has nothing of a queue that is gone", () => {
    const scene = sceneWith("1");
    scene.queue("s", { kind: "stream" });
    expect(scene.host.getter("s", scene.owner)).toEqual({ is: "wrong-kind" });
    expect(scene.host.getter("no", scene.owner)).toEqual({ is: "not-found" });
    const getter = getterOf(scene);
    getter.take("explicit");
    scene.host.deleteQueue("q", scene.owner);
    scene.queue("q");
    scene.send("", "q");
    expect([getter.take("explicit"), getter.settle(0, { is: "ack" })]).toEqual([null, "not-pending"]);
    getter.close();
  });
});
