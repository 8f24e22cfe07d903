import { describe, expect, test } from "vitest";
import type { ExchangeDefinition } from "./topology-port.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

describe("exchanges", () => {
  test("are there from the beginning: the default one and the predeclared", () => {
    const { host } = new TopologyScene();
    expect(host.exchange("")).toMatchObject({ kind: "direct", durable: true });
    expect(host.exchanges().map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "amq.direct direct",
      "amq.fanout fanout",
      "amq.topic topic",
      "amq.headers headers",
      "amq.match headers",
    ]);
  });

  test("are made once, and found again by the same declaration", () => {
    const scene = new TopologyScene();
    expect([scene.exchange("x", "topic"), scene.exchange("x", "topic")]).toEqual([
      { is: "created" },
      { is: "existing" },
    ]);
    expect(scene.exchange("amq.direct", "direct")).toEqual({ is: "existing" });
    expect(scene.host.exchange("x")).toMatchObject({ name: "x", kind: "topic" });
  });

  test.each<[Partial<ExchangeDefinition>, string, unknown, unknown]>([
    [{ kind: "fanout" }, "kind", "fanout", "topic"],
    [{ durable: false }, "durable", false, true],
    [{ autoDelete: true }, "autoDelete", true, false],
    [{ internal: true }, "internal", true, false],
    [{ alternate: "y" }, "alternate", "y", null],
  ])("declared again with %j are refused, and told in which field they differ", (more, field, received, current) => {
    const scene = new TopologyScene();
    scene.exchange("x", "topic");
    expect(scene.exchange("x", "topic", more)).toEqual({ is: "inequivalent", field, received, current });
  });

  test("that are nobody's to make are reserved", () => {
    const scene = new TopologyScene();
    expect([scene.exchange("amq.mine", "direct"), scene.exchange("", "direct", { durable: true })]).toEqual([
      { is: "reserved" },
      { is: "reserved" },
    ]);
    expect([scene.host.deleteExchange("amq.topic"), scene.host.deleteExchange("")]).toEqual(["reserved", "reserved"]);
  });

  test("have names of at most 255 bytes, and there are at most as many as allowed", () => {
    const scene = new TopologyScene({ topology: { limits: { exchangesMax: 1 } } });
    expect(scene.exchange("ä".repeat(128), "direct")).toMatchObject({ is: "invalid", field: "name" });
    expect(scene.exchange("a".repeat(255), "direct")).toEqual({ is: "created" });
    expect(scene.exchange("y", "direct")).toEqual({ is: "limit", what: "exchanges", countMax: 1 });
  });

  test("are deleted with the bindings to and from them", () => {
    const scene = new TopologyScene();
    scene.exchange("x", "direct");
    scene.exchange("y", "direct");
    scene.queue("q");
    scene.link("y", "x");
    scene.bind("x", "q", "k");
    expect(scene.host.deleteExchange("x", { ifUnused: true })).toBe("in-use");
    expect(scene.host.deleteExchange("x")).toBe("deleted");
    expect([scene.host.bindings(), scene.host.exchange("x"), scene.host.deleteExchange("x")]).toEqual([
      [],
      null,
      "not-found",
    ]);
    expect(scene.send("x", "k")).toBe("no-exchange");
  });

  test("that delete themselves go with their last binding, and those behind them follow", () => {
    const scene = new TopologyScene();
    for (const name of ["a", "b"]) scene.exchange(name, "fanout", { autoDelete: true });
    scene.queues("q", "r");
    scene.link("a", "b");
    for (const queue of ["q", "r"]) scene.bind("b", queue);
    scene.unbind("b", "q");
    expect(scene.host.exchange("b")).not.toBeNull();
    scene.host.deleteQueue("r", scene.owner);
    expect([scene.host.exchange("b"), scene.host.exchange("a")]).toEqual([null, null]);
  });
});

describe("bindings", () => {
  test("are the same only with the same ends, key and arguments", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    const args = { match: "all", values: { a: 1 } } as const;
    expect(["k", "k", "l"].map((key) => scene.bind("amq.direct", "q", key))).toEqual(["bound", "existing", "bound"]);
    expect([scene.bind("amq.direct", "q", "k", args), scene.bind("amq.direct", "q", "k", args)]).toEqual([
      "bound",
      "existing",
    ]);
    expect(scene.host.bindings().map(({ key, arguments: found }) => [key, found])).toEqual([
      ["k", null],
      ["l", null],
      ["k", args],
    ]);
    expect(["k", "k"].map((key) => scene.unbind("amq.direct", "q", key))).toEqual(["unbound", "not-bound"]);
    expect(scene.host.bindings()).toHaveLength(2);
  });

  test("need both ends, and none of them the default exchange", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    expect([scene.bind("no", "q"), scene.bind("amq.direct", "no"), scene.link("amq.direct", "no")]).toEqual([
      "no-source",
      "no-destination",
      "no-destination",
    ]);
    expect([scene.bind("", "q"), scene.link("amq.direct", ""), scene.unbind("", "q")]).toEqual([
      "reserved",
      "reserved",
      "reserved",
    ]);
    expect([scene.unbind("no", "q"), scene.unbind("amq.direct", "no")]).toEqual(["no-source", "no-destination"]);
  });

  test("are bounded in number, and their keys and arguments in bytes", () => {
    const scene = new TopologyScene({ topology: { limits: { bindingsMax: 1, argumentBytesMax: 100 } } });
    scene.queue("q");
    const { host, owner } = scene;
    const binding = {
      source: "amq.headers",
      destination: { is: "queue", name: "q" },
      key: "",
      arguments: null,
    } as const;
    expect(host.bind({ ...binding, key: "k".repeat(256) }, owner)).toMatchObject({ is: "invalid", field: "key" });
    const long = { match: "all", values: { a: "v".repeat(100) } } as const;
    expect(host.bind({ ...binding, arguments: long }, owner)).toMatchObject({ is: "invalid", field: "arguments" });
    expect(host.bind(binding, owner)).toEqual({ is: "bound" });
    expect(host.bind({ ...binding, key: "k" }, owner)).toEqual({ is: "limit", what: "bindings", countMax: 1 });
  });

  test("go with their queue, whoever deletes it", () => {
    const scene = new TopologyScene();
    scene.queues("q", "r");
    scene.bind("amq.fanout", "q");
    scene.bind("amq.fanout", "r");
    scene.hub.queues.delete("q");
    scene.host.deleteQueue("r", scene.owner);
    expect([scene.host.bindings(), scene.send("amq.fanout", "")]).toEqual([[], "unroutable"]);
  });
});
