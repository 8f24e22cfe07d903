import { describe, expect, test } from "vitest";
import { publishPacket, type RawClient, Scene, subscribePacket, textOf } from "./scene.test-support.ts";

/** Retains a text on each topic. */
async function retain(scene: Scene, ...topics: readonly string[]): Promise<RawClient> {
  const client = await scene.client("retainer");
  for (const topic of topics) await client.publish(topic, topic, { retain: true, qos: 1, packetId: 1 });
  client.packets.length = 0;
  return client;
}

describe("a retained message", () => {
  test("comes with a new subscription, flagged, at the lower QoS [MQTT-3.3.1-9] [MQTT3-3.3.1-5] [MQTT3-3.3.1-6] [MQTT3-3.3.1-8] [MQTT3-3.3.1-9]", async () => {
    const scene = new Scene();
    await retain(scene, "a/1", "a/2", "b");
    for (const level of [4, 5] as const) {
      const client = await scene.client("c", { level });
      await client.send(subscribePacket([{ filter: "a/#", qos: 0 }]));
      expect(client.packets.map((packet) => packet.type)).toEqual(["suback", "publish", "publish"]);
      client.packets.shift();
      const got = client.take("publish").map((packet) => [packet.topic, packet.retain, packet.qos]);
      expect(got).toEqual([
        ["a/1", true, 0],
        ["a/2", true, 0],
      ]);
      await client.subscribe({ filter: "b", qos: 2 });
      expect(client.one("publish")).toMatchObject({ topic: "b", retain: true, qos: 1 });
    }
  });

  test("is replaced by the next one on its topic, of QoS 0 as well [MQTT-3.3.1-5] [MQTT3-3.3.1-7]", async () => {
    const scene = new Scene();
    const client = await retain(scene, "t");
    await client.publish("t", "newer", { retain: true });
    await client.subscribe("t");
    expect(client.texts()).toEqual(["newer"]);
    expect(scene.hub.retained.count).toBe(1);
  });

  test("is removed by an empty one, which is delivered and not stored [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT3-3.3.1-10] [MQTT3-3.3.1-11]", async () => {
    const scene = new Scene();
    const client = await retain(scene, "t");
    const live = await scene.client("live");
    await live.subscribe("t");
    live.packets.length = 0;
    await client.publish("t", "", { retain: true });
    expect(live.one("publish")).toMatchObject({ retain: false, payload: new Uint8Array(0) });
    await client.subscribe("t");
    expect(client.packets).toEqual([]);
    expect(scene.hub.retained.count).toBe(0);
  });

  test("is left as it is by a message without retain [MQTT-3.3.1-8] [MQTT3-3.3.1-12]", async () => {
    const scene = new Scene();
    const client = await retain(scene, "t");
    await client.publish("t", "passing by");
    await client.publish("t", "");
    await client.subscribe("t");
    expect(client.texts()).toEqual(["t"]);
  });

  test("outlives its publisher's session [MQTT3-3.1.2-7]", async () => {
    const scene = new Scene();
    await (await retain(scene, "t")).disconnect();
    const client = await scene.client("c");
    await client.subscribe("t");
    expect(client.texts()).toEqual(["t"]);
  });

  test("comes again with a repeated subscription, loses nothing meanwhile [MQTT-3.8.4-4] [MQTT3-3.8.4-3]", async () => {
    const scene = new Scene();
    await retain(scene, "t");
    for (const level of [4, 5] as const) {
      const client = await scene.client("c", { level });
      await client.subscribe("t");
      await client.subscribe("t");
      expect(client.texts()).toEqual(["t", "t"]);
    }
  });

  test("with retain handling 1 comes with a new subscription only [MQTT-3.3.1-10]", async () => {
    const scene = new Scene();
    await retain(scene, "t");
    const client = await scene.client("c");
    await client.subscribe({ filter: "t", retainHandling: 1 });
    expect(client.texts()).toEqual(["t"]);
    await client.subscribe({ filter: "t", retainHandling: 1 });
    expect(client.texts()).toEqual([]);
    await client.unsubscribe("t");
    await client.subscribe({ filter: "t", retainHandling: 1 });
    expect(client.texts()).toEqual(["t"]);
  });

  test("with retain handling 2 does not come [MQTT-3.3.1-11]", async () => {
    const scene = new Scene();
    await retain(scene, "t");
    const client = await scene.client("c");
    await client.subscribe({ filter: "t", retainHandling: 2 });
    expect(client.texts()).toEqual([]);
  });

  test("has the identifier of the subscription that it comes for", async () => {
    const scene = new Scene();
    await retain(scene, "t");
    const client = await scene.client("c");
    await client.send(subscribePacket(["t"], { properties: { subscriptionIdentifier: 5 } }));
    expect(client.one("publish").properties).toEqual({ subscriptionIdentifiers: [5] });
  });

  test("beyond the limit is delivered but not retained", async () => {
    const scene = new Scene({ retained: { countMax: 1 } });
    const client = await retain(scene, "one");
    await client.subscribe("two");
    await client.publish("two", "x", { retain: true });
    expect(client.texts()).toEqual(["x"]);
    expect(scene.hub.retained.refusedCount).toBe(1);
  });

  test("sent to a broker without retained messages ends the connection with 0x9A or 0x80", async () => {
    const client = await new Scene({ mqtt: { retainAvailable: false } }).client("a");
    await client.publish("t", "x", { retain: true });
    expect([0x9a, 0x80]).toContain(client.one("disconnect").reasonCode);
    expect(client.closed).toBe(true);
  });
});

describe("many retained messages", () => {
  const topics = Array.from({ length: 40 }, (_, i) => `t/${String(i).padStart(2, "0")}`);

  test("come in order and complete through a window that is smaller", async () => {
    const scene = new Scene();
    await retain(scene, ...topics);
    const client = await scene.client("c", { properties: { receiveMaximum: 3 } });
    await client.subscribe("t/#");
    const got: string[] = [];
    for (let some = client.take("publish"); some.length > 0; some = client.take("publish")) {
      expect(some.length).toBeLessThanOrEqual(3);
      for (const packet of some) {
        got.push(textOf(packet.payload));
        await client.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual(topics);
  });

  test("come complete to a client that reads slowly, and memory stays bounded", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 65_536 } });
    const retainer = await scene.client("retainer");
    const payload = new Uint8Array(10_000);
    for (const topic of topics) await retainer.send(publishPacket(topic, { payload, retain: true }));
    const client = await scene.client("c");
    client.transport.pause();
    await client.send(subscribePacket(["t/#"]));
    const [unsent] = [...scene.context.connections]
      .map((connection) => connection.outbox.unsentBytes)
      .sort((a, b) => b - a);
    expect(unsent).toBeLessThan(65_536 * 2 + 20_000);
    client.transport.resume();
    await scene.clock.settle();
    expect(client.take("publish").map((packet) => packet.topic)).toEqual(topics);
    expect(scene.hub.statistics.messagesDropped).toBe(0);
  });

  test("of several subscriptions come one after the other", async () => {
    const scene = new Scene();
    await retain(scene, ...topics, "u");
    const client = await scene.client("c", { properties: { receiveMaximum: 5 } });
    await client.subscribe({ filter: "t/#", qos: 1 });
    await client.subscribe({ filter: "u", qos: 0 }, { filter: "t/00", qos: 0 });
    const got: string[] = [];
    for (let some = client.take("publish"); some.length > 0; some = client.take("publish")) {
      for (const packet of some) {
        got.push(packet.topic);
        if (packet.qos === 1) await client.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual([...topics, "u", "t/00"]);
  });

  test("stop with UNSUBSCRIBE [MQTT-3.10.4-2]", async () => {
    const scene = new Scene();
    await retain(scene, ...topics);
    const client = await scene.client("c", { properties: { receiveMaximum: 1 } });
    await client.subscribe("t/#");
    const { packetId } = client.one("publish");
    await client.unsubscribe("t/#");
    await client.ack("puback", packetId);
    expect(client.packets).toEqual([]);
  });

  test("go on after a lost connection, when the session does", async () => {
    const scene = new Scene();
    await retain(scene, ...topics);
    const client = await scene.keeper("c", { properties: { receiveMaximum: 1 } });
    await client.subscribe("t/#");
    await client.drop();
    const again = await scene.keeper("c");
    expect(again.take("publish").map((packet) => packet.topic)).toEqual(topics);
  });

  test("that change while they wait come once, in their newest form", async () => {
    const scene = new Scene();
    const retainer = await retain(scene, ...topics);
    const client = await scene.client("c", { properties: { receiveMaximum: 1 } });
    await client.subscribe({ filter: "t/#", qos: 1 });
    const first = client.one("publish");
    await retainer.publish("t/20", "changed", { qos: 0, retain: true });
    await retainer.publish("t/21", "", { qos: 0, retain: true });
    await retainer.publish("t/99", "new", { qos: 0, retain: true });
    expect(client.texts()).toEqual(["changed", "", "new"]);
    const got: string[] = [];
    await client.ack("puback", first.packetId);
    for (let some = client.take("publish"); some.length > 0; some = client.take("publish")) {
      for (const packet of some) {
        got.push(packet.topic);
        await client.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual(topics.slice(1).filter((topic) => topic !== "t/20" && topic !== "t/21"));
  });

  test("that were published after the subscription do not come a second time", async () => {
    const scene = new Scene();
    const retainer = await retain(scene, ...topics, "u/old");
    const client = await scene.client("c", { properties: { receiveMaximum: 1 } });
    await client.subscribe({ filter: "t/#", qos: 1 }, { filter: "u/#", qos: 0 });
    await retainer.publish("u/new", "new", { retain: true });
    const got: string[] = [];
    for (let some = client.take("publish"); some.length > 0; some = client.take("publish")) {
      for (const packet of some) {
        got.push(packet.topic);
        if (packet.qos === 1) await client.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual(["t/00", "u/new", ...topics.slice(1), "u/old"]);
  });

  test("asked for again and again by a client that does not read wait once per filter", async () => {
    const scene = new Scene();
    await retain(scene, ...topics);
    const client = await scene.client("c", { properties: { receiveMaximum: 1 } });
    for (let i = 0; i < 50; i++) await client.send(subscribePacket(["t/#"], { packetId: i + 1 }));
    expect(client.take("suback")).toHaveLength(50);
    const got: string[] = [];
    for (let some = client.take("publish"); some.length > 0; some = client.take("publish")) {
      for (const packet of some) {
        got.push(packet.topic);
        await client.ack("puback", packet.packetId);
      }
    }
    // The first message was under way when the second SUBSCRIBE began anew.
    expect(got).toEqual(["t/00", ...topics]);
  });
});
