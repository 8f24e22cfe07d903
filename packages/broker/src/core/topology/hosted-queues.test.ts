import { describe, expect, test } from "vitest";
import type { HostedQueueDefinition, HostedQueueSettings } from "./topology-port.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

const OTHER = { id: "other" };

describe("a queue", () => {
  test("is made once, and found again with its counts", () => {
    const scene = new TopologyScene();
    expect(scene.queue("q")).toEqual({ is: "created", queue: { name: "q", messages: 0, consumers: 0 } });
    for (const text of ["a", "b", "c"]) scene.send("", "q", text);
    scene.take("q", { credit: 1 });
    const counts = { name: "q", messages: 2, consumers: 1 };
    expect(scene.queue("q")).toEqual({ is: "existing", queue: counts });
    expect(scene.host.queue("q", OTHER)).toEqual({ is: "found", queue: counts });
    expect([scene.host.queue("no", OTHER), scene.host.queueNames()]).toEqual([{ is: "not-found" }, ["q"]]);
  });

  test("is one of hub.queues: other protocols see it, and it theirs", () => {
    const scene = new TopologyScene({ autoCreateQueues: "durable" });
    scene.queue("q");
    scene.publish("q", "from an address");
    scene.publish("theirs", "x");
    expect(scene.take("q").consumer.texts).toEqual(["from an address"]);
    expect(scene.waiting("theirs")).toEqual([1]);
  });

  test.each<[Partial<HostedQueueSettings>, Partial<HostedQueueDefinition>, string]>([
    [{ ttlMs: 1 }, {}, "ttlMs"],
    [{ variant: "other" }, {}, "variant"],
    [{ maxLength: 5 }, {}, "maxLength"],
    [{ deadLetterExchange: "" }, {}, "deadLetterExchange"],
    [{}, { durable: false }, "durable"],
    [{}, { exclusive: true }, "exclusive"],
    [{}, { autoDelete: true }, "autoDelete"],
  ])("declared again with %j and %j is refused by field", (settings, more, field) => {
    const scene = new TopologyScene();
    scene.queue("q");
    expect(scene.queue("q", settings, more)).toMatchObject({ is: "inequivalent", field });
  });

  test("declared again without what it has is refused as well", () => {
    const scene = new TopologyScene();
    scene.queue("q", { ttlMs: 1000 });
    expect(scene.queue("q")).toEqual({ is: "inequivalent", field: "ttlMs", received: null, current: 1000 });
  });

  test("that others made is compared only in what is said", () => {
    const scene = new TopologyScene();
    scene.hub.queues.declare({ name: "q", ttlMs: 5000, priorityMax: 3 });
    expect(scene.queue("q")).toMatchObject({ is: "existing" });
    expect(scene.queue("q", { ttlMs: 5000, variant: "v" })).toMatchObject({ is: "existing" });
    expect(scene.queue("q", { ttlMs: 6000 })).toMatchObject({ is: "inequivalent", field: "ttlMs", current: 5000 });
    expect(scene.queue("q", {}, { durable: false })).toMatchObject({ is: "inequivalent", field: "durable" });
  });

  test("that others made may be durable or not when nothing is stored", () => {
    const scene = new TopologyScene({ store: null });
    scene.hub.queues.declare({ name: "q", lifetime: "ephemeral" });
    expect(scene.queue("q")).toMatchObject({ is: "existing" });
  });

  test("without a name gets one that nobody else can choose", () => {
    const scene = new TopologyScene();
    const names = [scene.queue(""), scene.queue("")].map((one) => (one.is === "created" ? one.queue.name : one.is));
    for (const name of names) expect(name).toMatch(/^amq\.gen-[\w-]{22}$/);
    expect(new Set(names).size).toBe(2);
    expect(scene.queue("amq.mine")).toEqual({ is: "reserved" });
    expect(scene.queue(names[0] as string)).toMatchObject({ is: "existing" });
  });

  test.each(["a/b", "#", "+", "$mine", "a%b", "ü"])("may be called %j", (name) => {
    const scene = new TopologyScene();
    expect(scene.queue(name)).toMatchObject({ is: "created", queue: { name } });
    expect(scene.send("", name, "m")).toBe("routed");
    scene.restart();
    expect([scene.take(name).consumer.texts, scene.host.queueNames()]).toEqual([["m"], [name]]);
  });

  test("has a name of at most 255 bytes, and settings that can be", () => {
    const scene = new TopologyScene();
    expect(scene.queue("ü".repeat(128))).toMatchObject({ is: "invalid", field: "name" });
    expect(scene.queue("a".repeat(255))).toMatchObject({ is: "created" });
    const wrong: Partial<HostedQueueSettings>[] = [
      { ttlMs: -1 },
      { ttlMs: 0.5 },
      { expiresMs: 0 },
      { maxLength: -1 },
      { maxBytes: 0.5 },
      { priorityMax: 256 },
      { deliveryLimit: -1 },
      { deadLetterKey: "k" },
    ];
    for (const settings of wrong) {
      expect([scene.queue("q", settings), Object.keys(settings)]).toMatchObject([
        { is: "invalid", field: Object.keys(settings)[0] },
        {},
      ]);
    }
    expect(scene.queue("s", { kind: "stream" }, { durable: false })).toMatchObject({ is: "invalid", field: "durable" });
    expect(scene.queue("s", { kind: "stream", maxLength: 0 })).toMatchObject({ is: "invalid", field: "maxLength" });
    expect(scene.queue("s", { kind: "stream" }, { exclusive: true })).toMatchObject({ is: "invalid" });
  });

  test("is refused when there are as many as allowed", () => {
    const scene = new TopologyScene({ queueLimits: { queuesMax: 1 } });
    expect([scene.queue("q"), scene.queue("r")]).toMatchObject([
      { is: "created" },
      { is: "limit", what: "queues", countMax: 1 },
    ]);
  });
});

describe("an exclusive queue", () => {
  test("is locked for everybody but its owner", () => {
    const scene = new TopologyScene();
    const { host } = scene;
    scene.queue("q", {}, { exclusive: true });
    const binding = {
      source: "amq.direct",
      destination: { is: "queue", name: "q" },
      key: "",
      arguments: null,
    } as const;
    const consumer = scene.take("q").consumer;
    expect([
      host.queue("q", OTHER).is,
      host.declareQueue({ name: "q", durable: true, exclusive: true, autoDelete: false }, OTHER).is,
      host.deleteQueue("q", OTHER).is,
      host.purgeQueue("q", OTHER).is,
      host.consume("q", { consumer }, OTHER).is,
      host.getter("q", OTHER).is,
      host.bind(binding, OTHER).is,
      host.unbind(binding, OTHER),
    ]).toEqual(Array.from({ length: 8 }, () => "locked"));
    expect(scene.bind("amq.direct", "q")).toBe("bound");
  });

  test("takes messages from everybody, and ends with its owner", () => {
    const scene = new TopologyScene();
    scene.queue("q", {}, { exclusive: true });
    scene.queue("r");
    expect(scene.send("", "q")).toBe("routed");
    const { consumer } = scene.take("q");
    scene.host.release(OTHER);
    expect(scene.host.queueNames()).toEqual(["q", "r"]);
    scene.host.release(scene.owner);
    expect([scene.host.queueNames(), consumer.cancelled]).toEqual([["r"], ["queue-deleted"]]);
  });

  test("does not survive a restart, nor leave dead letters", () => {
    const scene = new TopologyScene();
    scene.queue("q", {}, { exclusive: true });
    scene.send("", "q");
    scene.take("q").subscription.settle(0, { is: "reject" });
    scene.run();
    scene.restart();
    expect(scene.host.queueNames()).toEqual([]);
  });
});

describe("a queue that deletes itself", () => {
  test("goes with its last consumer, and not before it had one", () => {
    const scene = new TopologyScene();
    scene.queue("q", {}, { autoDelete: true });
    const [a, b] = [scene.take("q"), scene.take("q")];
    a.subscription.close();
    expect(scene.host.queueNames()).toEqual(["q"]);
    b.subscription.close();
    expect(scene.host.queueNames()).toEqual([]);
  });

  test("stays while nobody has consumed, whatever is declared, got or purged", () => {
    const scene = new TopologyScene();
    scene.queue("q", {}, { autoDelete: true });
    scene.send("", "q");
    const getter = scene.host.getter("q", scene.owner);
    if (getter.is === "getter") getter.getter.close();
    scene.host.purgeQueue("q", scene.owner);
    expect(scene.host.queueNames()).toEqual(["q"]);
  });
});

describe("a queue that expires", () => {
  test("goes, with what it holds, once nobody used it for so long", () => {
    const scene = new TopologyScene();
    scene.queue("q", { expiresMs: 1000 });
    scene.send("", "q");
    scene.clock.advanceSync(999);
    expect(scene.host.queueNames()).toEqual(["q"]);
    scene.clock.advanceSync(1);
    expect(scene.host.queueNames()).toEqual([]);
  });

  test("stays while it has a consumer, and its time starts anew when that leaves, and with every declaration or get", () => {
    const scene = new TopologyScene();
    scene.queue("q", { expiresMs: 1000 });
    const { subscription } = scene.take("q");
    scene.clock.advanceSync(5000);
    subscription.close();
    scene.clock.advanceSync(600);
    scene.queue("q", { expiresMs: 1000 });
    scene.clock.advanceSync(600);
    const getter = scene.host.getter("q", scene.owner);
    if (getter.is === "getter") getter.getter.take("explicit");
    scene.clock.advanceSync(999);
    expect(scene.host.queueNames()).toEqual(["q"]);
    scene.clock.advanceSync(1);
    expect(scene.host.queueNames()).toEqual([]);
  });

  test("has its whole time again after a restart", () => {
    const scene = new TopologyScene();
    scene.queue("q", { expiresMs: 1000 });
    scene.clock.advanceSync(900);
    scene.restart();
    scene.clock.advanceSync(999);
    expect(scene.host.queueNames()).toEqual(["q"]);
    scene.clock.advanceSync(1);
    expect(scene.host.queueNames()).toEqual([]);
  });
});

describe("deleting and purging", () => {
  test("a queue is deleted only without consumers or messages where that is said", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    const { subscription } = scene.take("q", { credit: 0 });
    for (const text of ["a", "b"]) scene.send("", "q", text);
    const { host, owner } = scene;
    expect(host.deleteQueue("q", owner, { ifUnused: true })).toEqual({ is: "in-use" });
    subscription.close();
    expect(host.deleteQueue("q", owner, { ifEmpty: true })).toEqual({ is: "not-empty" });
    expect(host.deleteQueue("q", owner, { ifUnused: true })).toEqual({ is: "deleted", messages: 2 });
    expect(host.deleteQueue("q", owner)).toEqual({ is: "not-found" });
  });

  test("a purge takes what nobody works on", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    for (const text of ["a", "b", "c"]) scene.send("", "q", text);
    const { subscription } = scene.take("q", { credit: 1 });
    expect(scene.host.purgeQueue("q", scene.owner)).toEqual({ is: "purged", messages: 2 });
    subscription.close();
    expect([scene.take("q").consumer.texts, scene.host.purgeQueue("no", scene.owner)]).toEqual([
      ["a"],
      { is: "not-found" },
    ]);
  });
});

describe("a queue's settings", () => {
  test("a message expires on time, from the head on", () => {
    const scene = new TopologyScene();
    scene.queue("q", { ttlMs: 100 });
    scene.send("", "q", "a");
    scene.clock.advanceSync(60);
    scene.send("", "q", "b");
    scene.clock.advanceSync(39);
    expect(scene.waiting("q")).toEqual([2]);
    scene.clock.advanceSync(1);
    expect(scene.waiting("q")).toEqual([1]);
    scene.clock.advanceSync(60);
    expect(scene.waiting("q")).toEqual([0]);
  });

  test("a message's own time counts as well, and does not end the work of a consumer that has it", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    scene.send("", "q", "a", { expiresAfterMs: 50 });
    const { subscription } = scene.take("q", { credit: 1 });
    scene.send("", "q", "b", { expiresAfterMs: 50 });
    scene.clock.advanceSync(50);
    scene.clock.advanceSync(60_000); // what sweeps all queues passes over it as well
    expect([scene.waiting("q"), scene.deadLetters("q").map((one) => one?.offset)]).toEqual([[0], [1]]);
    expect(subscription.settle(0, { is: "ack" })).toBe("settled");
  });

  test("expired messages go on time after a restart as well", () => {
    const scene = new TopologyScene();
    scene.queue("q", { ttlMs: 100 });
    scene.send("", "q", "a");
    scene.restart();
    scene.clock.advanceSync(100);
    expect(scene.waiting("q")).toEqual([0]);
  });

  test("at its length or bytes it drops the oldest, or refuses", () => {
    const scene = new TopologyScene();
    scene.queue("length", { maxLength: 2 });
    scene.queue("bytes", { maxBytes: 6 });
    scene.queue("refusing", { maxBytes: 4, overflow: "reject" });
    const results = ["aaa", "bbb", "ccc"].map((text) =>
      ["length", "bytes", "refusing"].map((queue) => scene.send("", queue, text)),
    );
    expect(results[2]).toEqual(["routed", "routed", "refused"]);
    expect(["length", "bytes", "refusing"].map((queue) => scene.take(queue).consumer.texts)).toEqual([
      ["bbb", "ccc"],
      ["bbb", "ccc"],
      ["aaa", "bbb"],
    ]);
  });

  test("only the first consumer is active where that is asked", () => {
    const scene = new TopologyScene();
    scene.queue("q", { singleActiveConsumer: true });
    const [a, b] = [scene.take("q"), scene.take("q")];
    for (const text of ["1", "2"]) scene.send("", "q", text);
    expect([a.consumer.texts, b.consumer.texts]).toEqual([["1", "2"], []]);
    a.subscription.close();
    scene.run();
    expect(b.consumer.texts).toEqual(["1", "2"]);
  });

  test("a message that was delivered too often is a dead letter", () => {
    const scene = new TopologyScene();
    scene.queue("q", { deliveryLimit: 2 });
    scene.send("", "q");
    const { consumer, subscription } = scene.take("q");
    for (const _ of [1, 2]) subscription.settle(0, { is: "nack" });
    scene.run();
    expect([consumer.got.length, scene.deadLetters("q")]).toMatchObject([2, [{ reason: "delivery-limit", count: 2 }]]);
  });

  test("a stream keeps what was read, as its limits say", () => {
    const scene = new TopologyScene();
    scene.queue("s", { kind: "stream", maxLength: 2, maxAgeMs: 10_000 });
    for (const text of ["1", "2", "3"]) scene.send("", "s", text);
    expect(scene.take("s", { from: { at: "first" } }).consumer.texts).toEqual(["2", "3"]);
    expect(scene.take("s").consumer.texts).toEqual([]);
    expect(scene.hub.queues.get("s")?.settings).toMatchObject({
      retention: { messages: 2, ageMs: 10_000 },
      maxDepth: 0,
    });
  });
});
