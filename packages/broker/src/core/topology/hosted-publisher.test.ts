import { describe, expect, test } from "vitest";
import { TopologyScene } from "./topology-scene.test-support.ts";

describe("a message to an exchange", () => {
  test("goes by the whole key through a direct one, to each queue once", () => {
    const scene = new TopologyScene();
    scene.queues("q", "r", "s");
    for (const queue of ["q", "r"]) scene.bind("amq.direct", queue, "k");
    scene.bind("amq.direct", "q", "k", { match: "all", values: { a: 1 } });
    expect([scene.send("amq.direct", "k"), scene.send("amq.direct", "k.l")]).toEqual(["routed", "unroutable"]);
    expect(scene.waiting("q", "r", "s")).toEqual([1, 1, 0]);
  });

  test("goes to all bound queues through a fanout one", () => {
    const scene = new TopologyScene();
    scene.queues("q", "r");
    for (const queue of ["q", "r"]) scene.bind("amq.fanout", queue, "whatever");
    scene.send("amq.fanout", "k");
    expect(scene.waiting("q", "r")).toEqual([1, 1]);
  });

  test("goes by patterns through a topic one", () => {
    const scene = new TopologyScene();
    scene.exchange("t", "topic");
    scene.queues("q", "r", "s");
    scene.bind("t", "q", "orders.*.new");
    scene.bind("t", "r", "orders.#");
    scene.bind("t", "s", "#.old");
    for (const key of ["orders.eu.new", "orders", "orders.eu.old"]) scene.send("t", key);
    expect(scene.waiting("q", "r", "s")).toEqual([1, 3, 1]);
  });

  test("goes by headers through a headers one, looked at anew with each message", () => {
    const scene = new TopologyScene();
    scene.queues("q", "r");
    scene.bind("amq.headers", "q", "", { match: "all", values: { kind: "a", urgent: true } });
    scene.bind("amq.match", "r", "", { match: "any", values: { kind: "a", urgent: true } });
    for (const exchange of ["amq.headers", "amq.match"]) {
      scene.send(exchange, "k", "1", { headers: { kind: "a", urgent: true } });
      scene.send(exchange, "k", "2", { headers: { kind: "a" } });
      scene.send(exchange, "k", "3");
    }
    expect([scene.take("q").consumer.texts, scene.take("r").consumer.texts]).toEqual([["1"], ["1", "2"]]);
  });

  test("follows exchanges bound to exchanges, in circles as well", () => {
    const scene = new TopologyScene();
    for (const name of ["a", "b"]) scene.exchange(name, "topic");
    scene.queue("q");
    scene.link("a", "b", "x.*");
    scene.link("b", "a", "#");
    scene.bind("b", "q", "x.y");
    expect([scene.send("a", "x.y"), scene.send("a", "y"), scene.send("b", "x.y")]).toEqual([
      "routed",
      "unroutable",
      "routed",
    ]);
    expect(scene.waiting("q")).toEqual([2]);
  });

  test("goes to the alternate what nobody is bound for, from there to the next one", () => {
    const scene = new TopologyScene();
    scene.exchange("a", "direct", { alternate: "b" });
    scene.exchange("b", "direct", { alternate: "c" });
    scene.exchange("c", "fanout", { internal: true });
    scene.queues("q", "r");
    scene.bind("a", "q", "k");
    scene.bind("c", "r");
    expect([scene.send("a", "k"), scene.send("a", "other"), scene.send("c", "k")]).toEqual([
      "routed",
      "routed",
      "internal",
    ]);
    expect(scene.waiting("q", "r")).toEqual([1, 1]);
  });

  test("whose alternate is not there, or which has none, is unroutable", () => {
    const scene = new TopologyScene();
    scene.exchange("a", "direct", { alternate: "no" });
    expect([scene.send("a", "k"), scene.send("no", "k")]).toEqual(["unroutable", "no-exchange"]);
  });

  test("arrives with exchange and key, for other protocols on the queue's address with the key behind it", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    scene.bind("amq.topic", "q", "#");
    scene.send("amq.topic", "a.b", "1");
    scene.send("", "q", "2");
    scene.restart();
    const { consumer } = scene.take("q");
    expect(
      consumer.got.map(({ message }) => [message.exchange, message.routingKey, message.topic, message.key]),
    ).toEqual([
      ["amq.topic", "a.b", "a/b", "a/b"],
      ["", "q", "$queue/q", ""],
    ]);
    expect(scene.consume("q", "g", { filter: "a/+" }).consumer.texts).toEqual(["1"]);
  });

  test("with further keys reaches each queue once, and keeps its own key", () => {
    const scene = new TopologyScene();
    scene.queues("q", "r", "s");
    for (const [queue, key] of [
      ["q", "a"],
      ["q", "b"],
      ["r", "b"],
      ["s", "c"],
    ] as const) {
      scene.bind("amq.direct", queue, key);
    }
    expect(scene.send("amq.direct", "none", "m", { moreKeys: ["a", "b", "b"] })).toBe("routed");
    const got = ["q", "r"].map((queue) => scene.take(queue).consumer.got.map((one) => one.message.routingKey));
    expect([got, scene.waiting("s")]).toEqual([[["none"], ["none"]], [0]]);
  });

  test("has its priority in each queue that knows priorities", () => {
    const scene = new TopologyScene();
    scene.queue("q", { priorityMax: 5 });
    for (const [text, priority] of [
      ["low", 1],
      ["high", 9],
    ] as const) {
      scene.send("", "q", text, { priority });
    }
    expect(scene.take("q").consumer.texts).toEqual(["high", "low"]);
  });
});

describe("a message that a queue does not take", () => {
  test("is refused, with the reason, and others have it", () => {
    const scene = new TopologyScene();
    scene.queue("full", { maxLength: 1, overflow: "reject" });
    scene.queue("q");
    for (const queue of ["full", "q"]) scene.bind("amq.fanout", queue);
    expect([scene.send("amq.fanout", ""), scene.host.refusal]).toEqual(["routed", null]);
    expect([scene.send("amq.fanout", ""), scene.host.refusal?.code]).toEqual(["refused", "ERR_QUEUE_FULL"]);
    expect(scene.waiting("full", "q")).toEqual([1, 2]);
    expect([scene.send("", "q"), scene.host.refusal]).toEqual(["routed", null]);
  });
});

describe("routes", () => {
  test("hold until something changes, and are found again", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    expect(scene.send("amq.direct", "k")).toBe("unroutable");
    scene.bind("amq.direct", "q", "k");
    expect([scene.send("amq.direct", "k"), scene.send("amq.direct", "k")]).toEqual(["routed", "routed"]);
    scene.unbind("amq.direct", "q", "k");
    expect(scene.send("amq.direct", "k")).toBe("unroutable");
    expect(scene.send("", "r")).toBe("unroutable");
    scene.queue("r");
    expect(scene.send("", "r")).toBe("routed");
    scene.host.deleteQueue("r", scene.owner);
    expect(scene.send("", "r")).toBe("unroutable");
  });

  test("of more keys than are kept are found all the same", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    scene.bind("amq.topic", "q", "k.#");
    const view = scene.hub.transientMessage();
    const results = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      view.begin("", new Uint8Array(0));
      results.add(scene.host.publish(view, "amq.direct", `k.${i}`, null));
    }
    view.begin("", new Uint8Array(0));
    expect([results, scene.host.publish(view, "amq.topic", "k.0", null)]).toEqual([new Set(["unroutable"]), "routed"]);
  });
});
