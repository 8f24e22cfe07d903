import { describe, expect, test } from "vitest";
import { StoreBatch } from "../../storage/batch.ts";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import { KIND, recordKeyOf } from "../records.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

const ARGS = { match: "any", values: { a: 1n, b: [Uint8Array.of(1), null] } } as const;

/** Exchanges and bindings as a text. */
function pictureOf(scene: TopologyScene): string[] {
  const exchanges = scene.host.exchanges().map((one) => `${one.name} ${one.kind} ${one.alternate}`);
  const bindings = scene.host.bindings().map((one) => `${one.source} > ${one.destination.name} ${one.key}`);
  return [...exchanges.slice(5), ...bindings];
}

describe("after a restart", () => {
  test("durable exchanges and bindings are there in their order, and route as before", () => {
    const scene = new TopologyScene();
    scene.exchange("z", "topic", { alternate: "a" });
    scene.exchange("a", "headers", { internal: true });
    scene.exchange("brief", "fanout", { durable: false });
    scene.queues("q", "r");
    scene.bind("z", "r", "k.#");
    scene.link("z", "a", "x");
    scene.bind("a", "q", "", ARGS);
    scene.bind("brief", "q");
    scene.bind("amq.direct", "q", "d");
    scene.unbind("amq.direct", "q", "d");
    scene.host.deleteExchange("brief");
    const before = pictureOf(scene);
    scene.restart();
    expect([pictureOf(scene), scene.host.bindings()[2]?.arguments]).toEqual([before, ARGS]);
    expect(before).toEqual(["z topic a", "a headers null", "z > r k.#", "z > a x", "a > q "]);
    expect([scene.send("z", "k.l"), scene.send("z", "x", "m", { headers: { a: 1 } })]).toEqual(["routed", "routed"]);
    expect(scene.waiting("q", "r")).toEqual([1, 1]);
  });

  test("what is not durable is gone, with the bindings to and from it", () => {
    const scene = new TopologyScene();
    scene.exchange("x", "fanout", { durable: false });
    scene.queue("q", {}, { durable: false });
    scene.queue("kept");
    for (const queue of ["q", "kept"]) {
      scene.bind("x", queue);
      scene.bind("amq.fanout", queue);
    }
    scene.restart();
    expect([scene.host.queueNames(), pictureOf(scene)]).toEqual([["kept"], ["amq.fanout > kept "]]);
  });

  test("queues are declared as they were", () => {
    const scene = new TopologyScene();
    scene.queue("q", { ttlMs: 5, variant: "v" }, { autoDelete: true });
    scene.restart();
    expect(scene.queue("q", { ttlMs: 5, variant: "v" }, { autoDelete: true })).toMatchObject({ is: "existing" });
    expect(scene.queue("q", { ttlMs: 5 }, { autoDelete: true })).toMatchObject({
      is: "inequivalent",
      field: "variant",
    });
    scene.take("q").subscription.close();
    scene.run();
    scene.restart();
    expect(scene.host.queueNames()).toEqual([]);
  });

  test("what is made anew has its place behind what was there", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    for (const key of ["3", "1"]) scene.bind("amq.direct", "q", key);
    scene.restart();
    scene.exchange("new", "direct");
    scene.bind("amq.direct", "q", "2");
    scene.restart();
    expect(scene.host.bindings().map((one) => one.key)).toEqual(["3", "1", "2"]);
  });

  test("a virtual host that is not configured any more keeps what it has", () => {
    const medium = new MemoryMedium();
    const scene = new TopologyScene({ medium, topology: { virtualHosts: ["dev"] } });
    const dev = scene.hosted("dev");
    dev.declareQueue({ name: "q", durable: true, exclusive: false, autoDelete: false }, scene.owner);
    const binding = {
      source: "amq.fanout",
      destination: { is: "queue", name: "q" },
      key: "",
      arguments: null,
    } as const;
    dev.bind(binding, scene.owner);
    scene.run();
    expect(new TopologyScene({ medium }).hub.topology.host("dev")).toBeNull();
    const again = new TopologyScene({ medium, topology: { virtualHosts: ["dev"] } });
    expect(again.hosted("dev").bindings()).toEqual([binding]);
  });
});

describe("whatever batch is the last that is stored", () => {
  test("the rest is whole: no binding without its ends, no declaration without its queue", () => {
    const medium = new MemoryMedium();
    const scene = new TopologyScene({ medium });
    const steps: (() => void)[] = [
      () => scene.exchange("x", "direct"),
      () => scene.queue("q"),
      () => scene.bind("x", "q", "a"),
      () => scene.exchange("y", "fanout", { autoDelete: true }),
      () => scene.link("y", "x", "b"),
      () => scene.host.deleteQueue("q", scene.owner),
      () => scene.host.deleteExchange("x"),
    ];
    const pictures = steps.map((step) => {
      step();
      scene.run();
      const other = new TopologyScene({ medium });
      const picture = [...other.host.queueNames(), ...pictureOf(other)];
      expect(picture).toEqual([...scene.host.queueNames(), ...pictureOf(scene)]);
      return picture.length;
    });
    expect(pictures).toEqual([1, 2, 3, 4, 5, 3, 0]);
  });

  test("what one turn makes and takes back leaves nothing", () => {
    const medium = new MemoryMedium();
    const scene = new TopologyScene({ medium });
    scene.exchange("x", "direct");
    scene.queue("q");
    scene.bind("x", "q");
    scene.host.deleteQueue("q", scene.owner);
    scene.host.deleteExchange("x");
    scene.run();
    const store = new MemoryStore(medium);
    const kinds: number[] = [];
    store.scan(new Uint8Array(0), (key) => {
      kinds.push(key[0] as number);
      return true;
    });
    expect(kinds).toEqual([]);
  });
});

describe("a store that lost something", () => {
  test.each([
    [KIND.exchange, { host: "/", name: "x", kind: "strange" }],
    [KIND.binding, { host: "/", source: "no", to: "queue", destination: "q", key: "", arguments: "" }],
    [KIND.binding, { host: "/", source: "amq.direct", to: "queue", destination: "no", key: "", arguments: "" }],
    [KIND.binding, { host: "/", source: "amq.direct", to: "queue", destination: "q", key: "", arguments: "all [" }],
    [KIND.declaration, { durable: true, settings: { kind: "classic" } }],
    [KIND.declaration, "no declaration"],
  ])("is ERR_STORE_CORRUPT: record %i %j", (kind, record) => {
    const medium = new MemoryMedium();
    const scene = new TopologyScene({ medium });
    scene.queue("q");
    scene.run();
    const batch = new StoreBatch();
    batch.put(recordKeyOf(kind, 99), new TextEncoder().encode(JSON.stringify(record)));
    void new MemoryStore(medium).commit(batch);
    expect(() => new TopologyScene({ medium })).toThrow(expect.objectContaining({ code: "ERR_STORE_CORRUPT" }));
  });
});
