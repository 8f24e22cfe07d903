import { describe, expect, test } from "vitest";
import type { Message, MessageView } from "../message.ts";
import { exchangeOf, routingKeyOf } from "../queues/message-address.ts";
import { Recorder } from "../session.test-support.ts";
import type { DeliverResult } from "../subscription.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

/** A subscriber of a filter. */
function subscriber(scene: TopologyScene, filter: string, recorder = new Recorder(filter)): Recorder {
  scene.hub.router.subscribe(recorder, { filter, guaranteeMax: 1 });
  return recorder;
}

function received(recorder: Recorder): string[] {
  return recorder.got.map((one) => `${one.topic} ${one.text}`);
}

/** A subscriber that keeps what it gets. */
class Keeper extends Recorder {
  readonly kept: Message[] = [];

  override deliver(message: MessageView): DeliverResult {
    this.kept.push(message.keep());
    return "queued";
  }
}

describe("the topics' exchange", () => {
  test("takes messages to subscribers of the topic, with / for the dots of the key", () => {
    const scene = new TopologyScene();
    const session = subscriber(scene, "sensors/+/temp");
    expect([scene.send("amq.topic", "sensors.kitchen.temp"), scene.send("amq.topic", "sensors.temp")]).toEqual([
      "routed",
      "unroutable",
    ]);
    expect(received(session)).toEqual(["sensors/kitchen/temp m"]);
  });

  test("takes what is published to topics to its bindings", () => {
    const scene = new TopologyScene();
    scene.queue("q");
    scene.bind("amq.topic", "q", "sensors.*.temp");
    scene.publish("/sensors/kitchen/temp", "1");
    scene.publish("/sensors/kitchen/light", "2");
    const { got, texts } = scene.take("q").consumer;
    expect([texts, got.map(({ message }) => [exchangeOf(message), routingKeyOf(message)])]).toEqual([
      ["1"],
      [["amq.topic", "sensors.kitchen.temp"]],
    ]);
    scene.unbind("amq.topic", "q", "sensors.*.temp");
    scene.publish("/sensors/kitchen/temp", "3");
    expect(scene.waiting("q")).toEqual([0]);
  });

  test("takes topics on to exchanges that are bound to it, and messages of exchanges to topics", () => {
    const scene = new TopologyScene();
    scene.exchange("behind", "fanout");
    scene.exchange("before", "fanout");
    scene.queue("q");
    scene.link("amq.topic", "behind", "a.#");
    scene.bind("behind", "q");
    scene.link("before", "amq.topic");
    const session = subscriber(scene, "a/#");
    scene.publish("/a/b", "1");
    scene.send("before", "a.c", "2");
    expect([scene.take("q").consumer.texts, received(session)]).toEqual([
      ["1", "2"],
      ["a/b 1", "a/c 2"],
    ]);
  });

  test("gives a queue that is bound and takes the topic as well one copy", () => {
    const scene = new TopologyScene();
    scene.hub.queues.declare({ name: "q", topics: ["a/#"] });
    scene.hub.queues.declare({ name: "r", topics: ["a/#"] });
    scene.bind("amq.topic", "q", "a.*");
    scene.publish("/a/b", "1");
    scene.send("amq.topic", "a.b", "2");
    expect([scene.take("q").consumer.texts, scene.take("r").consumer.texts]).toEqual([
      ["1", "2"],
      ["1", "2"],
    ]);
  });

  test("keeps away from reserved topics and from wildcards in keys", () => {
    const scene = new TopologyScene();
    const session = subscriber(scene, "$SYS/#");
    const all = subscriber(scene, "#");
    for (const key of ["$SYS.x", "", "a.#", "+.b", "$queue.q"]) expect(scene.send("amq.topic", key)).toBe("unroutable");
    expect([received(session), received(all)]).toEqual([[], []]);
  });

  test("tells apart the messages that a subscriber keeps of one publication with several keys", () => {
    const scene = new TopologyScene();
    const keeper = new Keeper("k");
    subscriber(scene, "#", keeper);
    expect(scene.send("amq.topic", "a.b", "m", { moreKeys: ["a.c"] })).toBe("routed");
    expect(keeper.kept.map((one) => [one.topic, one.routingKey])).toEqual([
      ["a/b", "a.b"],
      ["a/c", "a.c"],
    ]);
  });
});

describe("the default exchange", () => {
  test("takes what no queue is called to the plain topic", () => {
    const scene = new TopologyScene();
    const session = subscriber(scene, "a/+");
    scene.queue("a.q");
    scene.queue("bound");
    scene.bind("amq.topic", "bound", "a.b");
    expect(["a.b", "a/c", "a.q", "b"].map((key) => scene.send("", key, key))).toEqual([
      "routed",
      "routed",
      "routed",
      "unroutable",
    ]);
    expect(received(session)).toEqual(["a/b a.b", "a/c a/c"]);
    expect(scene.waiting("a.q", "bound")).toEqual([1, 1]);
  });

  test("takes addresses of queues, which are made where that is allowed", () => {
    const scene = new TopologyScene({ autoCreateQueues: "durable" });
    expect(scene.send("", "$queue/orders/eu", "m")).toBe("routed");
    const { got } = scene.take("orders", { filter: "eu" }).consumer;
    expect(got.map(({ message }) => [message.topic, exchangeOf(message), routingKeyOf(message)])).toEqual([
      ["$queue/orders/eu", "$queue", "orders/eu"],
    ]);
  });

  test("refuses addresses that lead nowhere, and says why", () => {
    const scene = new TopologyScene();
    expect([scene.send("", "$queue/no"), scene.host.refusal?.code]).toEqual(["refused", "ERR_QUEUE_NOT_FOUND"]);
    expect([scene.send("", "$queue/q/$ack"), scene.host.refusal?.code]).toEqual(["refused", "ERR_INVALID_TOPIC"]);
  });
});

describe("another virtual host", () => {
  test("has exchanges, queues and topics of its own, and none of the plain ones", () => {
    const scene = new TopologyScene({ topology: { virtualHosts: ["dev"] } });
    const dev = scene.hosted("dev");
    const session = subscriber(scene, "#");
    scene.queue("q");
    expect([scene.send("", "q", "m", {}, dev), scene.send("amq.topic", "a.b", "m", {}, dev)]).toEqual([
      "unroutable",
      "unroutable",
    ]);
    dev.declareQueue({ name: "q", durable: true, exclusive: false, autoDelete: false }, scene.owner);
    expect([scene.send("", "q", "m", {}, dev), scene.send("", "$queue/q", "m", {}, dev)]).toEqual([
      "routed",
      "unroutable",
    ]);
    scene.publish("/a/b", "plain");
    expect([scene.waiting("q"), received(session), dev.queueNames()]).toEqual([[0], ["a/b plain"], ["q"]]);
    expect([scene.hub.topology.host("no"), scene.exchange("x", "direct"), dev.exchange("x")]).toEqual([
      null,
      { is: "created" },
      null,
    ]);
  });
});
