import { describe, expect, test } from "vitest";
import type { DeadLetterFacts } from "../queues/queue-message.ts";
import { Recorder, textOf } from "../session.test-support.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

/** The deaths of what a queue holds, as `queue reason count`. */
function deathsIn(scene: TopologyScene, queue: string): string[][] {
  const letters = scene.hub.queues.peek(queue, 0, 100).map((one) => one.deadLetter) as DeadLetterFacts[];
  return letters.map(({ deaths }) => deaths.map((one) => `${one.queue} ${one.reason} ${one.count}`));
}

describe("a dead letter of a queue with an exchange for them", () => {
  test("goes there with the key it had, or with the one that the queue says", () => {
    const scene = new TopologyScene();
    scene.exchange("dead", "direct", { internal: true });
    scene.queue("same", { deadLetterExchange: "dead" });
    scene.queue("other", { deadLetterExchange: "dead", deadLetterKey: "buried" });
    scene.queues("a", "b");
    scene.bind("dead", "a", "same");
    scene.bind("dead", "b", "buried");
    for (const queue of ["same", "other"]) {
      scene.send("", queue, queue);
      scene.take(queue).subscription.settle(0, { is: "reject" });
    }
    scene.run();
    const got = ["a", "b"].flatMap((queue) => scene.take(queue).consumer.got.map((one) => one.message));
    expect(got.map((one) => [textOf(one.payload), one.exchange, one.routingKey])).toEqual([
      ["same", "dead", "same"],
      ["other", "dead", "buried"],
    ]);
  });

  test("goes to the default exchange by name, and tells where it died, why, how often, when and how it had come", () => {
    const scene = new TopologyScene();
    scene.queue("q", { ttlMs: 100, deadLetterExchange: "", deadLetterKey: "graves" });
    scene.queue("graves");
    scene.bind("amq.topic", "q", "a.*");
    scene.send("amq.topic", "a.b");
    scene.clock.advanceSync(100);
    scene.restart();
    const [letter] = scene.take("graves").consumer.got;
    expect(letter?.message.deadLetter).toMatchObject({ reason: "expired", queue: "q", offset: 0 });
    expect(letter?.message.deadLetter?.deaths).toEqual([
      {
        queue: "q",
        reason: "expired",
        count: 1,
        timeMs: letter?.message.deadLetter?.firstDeathMs,
        exchange: "amq.topic",
        keys: ["a.b"],
      },
    ]);
    expect(letter?.message.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("comes back after a while where a second queue sends it back: its deaths count up", () => {
    const scene = new TopologyScene();
    scene.queue("work", { deadLetterExchange: "", deadLetterKey: "later" });
    scene.queue("later", { ttlMs: 1000, deadLetterExchange: "", deadLetterKey: "work" });
    scene.send("", "work");
    const { subscription } = scene.take("work");
    for (const offset of [0, 1]) {
      subscription.settle(offset, { is: "reject" });
      scene.run();
      scene.clock.advanceSync(1000);
    }
    expect(deathsIn(scene, "work")).toEqual([["later expired 2", "work rejected 2"]]);
  });

  test("does not go round when nobody rejected it on the way", () => {
    const scene = new TopologyScene();
    scene.queue("a", { ttlMs: 100, deadLetterExchange: "", deadLetterKey: "b" });
    scene.queue("b", { ttlMs: 100, deadLetterExchange: "", deadLetterKey: "a" });
    scene.send("", "a");
    for (const _ of [1, 2, 3]) scene.clock.advanceSync(100);
    expect([scene.waiting("a", "b"), scene.hub.queues.get("b")?.statistics.dropped]).toEqual([[0, 0], 1]);
  });

  test("that its exchange cannot route lies with those of queues that have none", () => {
    const scene = new TopologyScene();
    scene.queue("q", { deadLetterExchange: "no" });
    scene.queue("r", { deadLetterExchange: "amq.direct" });
    for (const queue of ["q", "r"]) {
      scene.send("", queue);
      scene.take(queue).subscription.settle(0, { is: "reject" });
    }
    scene.run();
    expect([deathsIn(scene, "$dlq/q"), deathsIn(scene, "$dlq/r")]).toEqual([[["q rejected 1"]], [["r rejected 1"]]]);
  });

  test("reaches every queue that the exchange leads to, and those that refuse it do not matter", () => {
    const scene = new TopologyScene();
    scene.queue("q", { maxLength: 1, deadLetterExchange: "amq.fanout" });
    scene.queue("full", { maxLength: 1, overflow: "reject" });
    scene.queues("a");
    for (const queue of ["full", "a"]) scene.bind("amq.fanout", queue);
    for (const text of ["1", "2", "3"]) scene.send("", "q", text);
    expect(["q", "full", "a"].map((queue) => scene.take(queue).consumer.texts)).toEqual([["3"], ["1"], ["1", "2"]]);
  });

  test("is chosen by its headers where somebody can read them", () => {
    const headersOf = () => (name: string) => (name === "kind" ? "a" : undefined);
    const scene = new TopologyScene({ topology: { headersOf } });
    scene.queue("q", { deadLetterExchange: "amq.headers" });
    scene.queue("a");
    scene.bind("amq.headers", "a", "", { match: "all", values: { kind: "a" } });
    scene.send("", "q");
    scene.take("q").subscription.settle(0, { is: "reject" });
    scene.run();
    expect(scene.waiting("a")).toEqual([1]);
  });

  test("reaches plain topics through the topics' exchange", () => {
    const scene = new TopologyScene();
    const recorder = new Recorder("s");
    scene.hub.router.subscribe(recorder, { filter: "dead/+", guaranteeMax: 1 });
    scene.queue("q", { deadLetterExchange: "amq.topic", deadLetterKey: "dead.q" });
    scene.send("", "q", "m");
    scene.take("q").subscription.settle(0, { is: "reject" });
    scene.run();
    expect(recorder.got.map((one) => `${one.topic} ${one.text}`)).toEqual(["dead/q m"]);
    expect(scene.hub.queues.has("$dlq/q")).toBe(false);
  });

  test("ends after many deaths, however long the way", () => {
    const scene = new TopologyScene();
    for (let i = 0; i <= 70; i++) {
      scene.queue(`q${i}`, { ttlMs: 50, deadLetterExchange: "", deadLetterKey: `q${i + 1}` });
    }
    scene.send("", "q0");
    for (let i = 0; i <= 70; i++) scene.clock.advanceSync(50);
    expect(["q63", "q64"].map((name) => scene.hub.queues.get(name)?.statistics)).toMatchObject([
      { deadLettered: 1, dropped: 0 },
      { deadLettered: 0, dropped: 1 },
    ]);
  });

  test("may make another queue overflow, and that the next one, as many as there are", () => {
    const scene = new TopologyScene({ store: null });
    const last = 3000;
    for (let i = 0; i <= last; i++) {
      scene.queue(`q${i}`, { maxLength: 1, deadLetterExchange: "", deadLetterKey: `q${i + 1}` }, { durable: false });
    }
    for (let i = 0; i <= last; i++) scene.send("", `q${i}`);
    scene.send("", "q0");
    expect([scene.waiting(`q${last}`), scene.deadLetters(`q${last}`).length, scene.errors]).toEqual([[1], 1, []]);
  });
});

describe("a dead letter of a queue without an exchange for them", () => {
  test("of another virtual host stays there", () => {
    const scene = new TopologyScene({ topology: { virtualHosts: ["dev"] } });
    const dev = scene.hosted("dev");
    dev.declareQueue({ name: "q", durable: true, exclusive: false, autoDelete: false }, scene.owner);
    scene.send("", "q", "m", {}, dev);
    const result = dev.getter("q", scene.owner);
    if (result.is === "getter") {
      result.getter.take("explicit");
      result.getter.settle(0, { is: "reject" });
    }
    scene.run();
    expect([dev.queueNames(), scene.host.queueNames()]).toEqual([["q", "$dlq/q"], []]);
    expect(dev.queue("$dlq/q", scene.owner)).toMatchObject({ queue: { messages: 1 } });
  });
});
