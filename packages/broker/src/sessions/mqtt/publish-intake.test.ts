import { describe, expect, test } from "vitest";
import {
  connectPacket,
  deferredDecisions,
  hexBytes,
  publishPacket,
  Scene,
  subscribePacket,
  textOf,
} from "./scene.test-support.ts";

const LEVELS = [4, 5] as const;

describe("a message", () => {
  test.each(LEVELS)(
    "of QoS 0 is not answered, of QoS 1 by PUBACK, of QoS 2 by PUBREC (level %i) [MQTT-3.3.4-1] [MQTT3-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-2.2.1-5] [MQTT3-2.3.1-6]",
    async (level) => {
      const scene = new Scene();
      const all = await scene.client("all");
      await all.subscribe("#");
      const client = await scene.client("a", { level });
      await client.publish("t", "0");
      expect(client.packets).toEqual([]);
      await client.publish("t", "1", { qos: 1, packetId: 7 });
      expect(client.packets).toEqual([{ type: "puback", packetId: 7, reasonCode: 0, properties: null }]);
      client.packets.length = 0;
      await client.publish("t", "2", { qos: 2, packetId: 8 });
      expect(client.packets).toEqual([{ type: "pubrec", packetId: 8, reasonCode: 0, properties: null }]);
      expect(all.texts()).toEqual(["0", "1", "2"]);
    },
  );

  test("that nobody has subscribed to is acknowledged with 0x10 at 5.0, and with nothing else at 3.1.1 [MQTT-3.4.2-1] [MQTT-3.5.2-1]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.publish("t", "1", { qos: 1, packetId: 1 });
    await client.publish("t", "2", { qos: 2, packetId: 2 });
    expect(client.packets).toMatchObject([
      { type: "puback", packetId: 1, reasonCode: 0x10 },
      { type: "pubrec", packetId: 2, reasonCode: 0x10 },
    ]);
    const old = await scene.client("b", { level: 4 });
    await old.publish("t", "1", { qos: 1, packetId: 1 });
    expect(old.packets).toMatchObject([{ type: "puback", packetId: 1 }]);
    expect(scene.hub.statistics.messagesUnmatched).toBe(3);
  });

  test("acknowledgements leave in the order of arrival, whatever the QoS and the decision", async () => {
    const scene = new Scene({ auth: { authorizePublish: (_who, topic) => topic !== "no" } });
    const client = await scene.client("a");
    await client.send(
      publishPacket("t", { qos: 1, packetId: 3 }),
      publishPacket("no", { qos: 2, packetId: 4 }),
      publishPacket("t", { qos: 2, packetId: 5 }),
      publishPacket("no", { qos: 1, packetId: 6 }),
    );
    expect(client.packets).toMatchObject([
      { type: "puback", packetId: 3, reasonCode: 0x10 },
      { type: "pubrec", packetId: 4, reasonCode: 0x87 },
      { type: "pubrec", packetId: 5, reasonCode: 0x10 },
      { type: "puback", packetId: 6, reasonCode: 0x87 },
    ]);
  });

  test("reaches every client with a matching subscription, in the order in which it was sent [MQTT-3.3.2-3] [MQTT3-3.3.2-3] [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT3-4.6.0-5] [MQTT3-4.6.0-6]", async () => {
    const scene = new Scene();
    const [x, y, other] = [await scene.client("x"), await scene.client("y", { level: 4 }), await scene.client("o")];
    await x.subscribe("a/+");
    await y.subscribe("a/#");
    await other.subscribe("b/#");
    const from = await scene.client("from");
    const numbers = Array.from({ length: 50 }, (_, i) => i + 1);
    await from.send(...numbers.map((i) => publishPacket("a/b", { qos: 1, packetId: i, text: `q1-${i}` })));
    await from.send(...numbers.map((i) => publishPacket("a/b", { qos: 2, packetId: 100 + i, text: `q2-${i}` })));
    const wanted = [...numbers.map((i) => `q1-${i}`), ...numbers.map((i) => `q2-${i}`)];
    expect(x.texts()).toEqual(wanted);
    expect(y.texts()).toEqual(wanted);
    expect(other.texts()).toEqual([]);
  });

  test("arrives with the topic, characters and all, that it was sent with [MQTT-4.7.3-4] [MQTT3-4.7.3-4] [MQTT-1.5.4-3] [MQTT3-1.5.3-3]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    // U+00C5 and A with a ring beside it look alike and are not the same.
    const topics = ["\u00c5", "A\u030a", "\ufeffbom", "a b", "/", "//", "\u{1f600}/x"];
    await client.subscribe(...topics);
    for (const topic of topics) await client.publish(topic, topic);
    const got = client.take("publish").map((packet) => [packet.topic, textOf(packet.payload)]);
    expect(got).toEqual(topics.map((topic) => [topic, topic]));
  });

  test("with an empty payload and 256 KiB of one arrive as they were", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("t");
    const large = new Uint8Array(262_144).map((_, i) => (i * 7) ^ (i >> 8));
    await client.send(publishPacket("t", { payload: new Uint8Array(0) }), publishPacket("t", { payload: large }));
    const [empty, full] = client.take("publish");
    expect(empty?.payload.length).toBe(0);
    expect(Buffer.compare(full?.payload ?? new Uint8Array(0), large)).toBe(0);
  });

  test("in pieces of three bytes arrives whole", async () => {
    const scene = new Scene();
    const sub = await scene.client("sub");
    await sub.subscribe("t");
    const client = scene.open(4, 3);
    await client.write(hexBytes("100d00044d5154540402000000016131090001743132333435363132"));
    await scene.clock.settle();
    expect(sub.texts()).toEqual(["123456"]);
  });
});

describe("a message of QoS 2", () => {
  test("that is repeated before PUBREL is answered again and delivered once [MQTT-4.3.3-10] [MQTT3-4.3.3-2]", async () => {
    const scene = new Scene();
    const sub = await scene.client("sub");
    await sub.subscribe("t");
    const client = await scene.client("a");
    await client.publish("t", "once", { qos: 2, packetId: 9 });
    await client.publish("t", "once", { qos: 2, packetId: 9, dup: true });
    await client.publish("t", "once", { qos: 2, packetId: 9 });
    expect(client.take("pubrec").map((packet) => packet.packetId)).toEqual([9, 9, 9]);
    expect(sub.texts()).toEqual(["once"]);
  });

  test("frees its identifier with PUBREL and PUBCOMP [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT3-4.3.3-2]", async () => {
    const scene = new Scene();
    const sub = await scene.client("sub");
    await sub.subscribe("t");
    const client = await scene.client("a");
    await client.publish("t", "1", { qos: 2, packetId: 9 });
    await client.ack("pubrel", 9);
    expect(client.one("pubcomp")).toMatchObject({ packetId: 9, reasonCode: 0 });
    await client.publish("t", "2", { qos: 2, packetId: 9 });
    expect(sub.texts()).toEqual(["1", "2"]);
  });

  test("that was refused leaves no identifier behind [MQTT-4.3.3-9]", async () => {
    let allowed = false;
    const scene = new Scene({ auth: { authorizePublish: () => allowed, cacheMs: 0 } });
    const client = await scene.client("a");
    await client.subscribe("t");
    await client.publish("t", "refused", { qos: 2, packetId: 9 });
    expect(client.one("pubrec").reasonCode).toBe(0x87);
    allowed = true;
    await client.publish("t", "taken", { qos: 2, packetId: 9 });
    expect(client.one("pubrec").reasonCode).toBe(0);
    expect(client.texts()).toEqual(["taken"]);
  });

  test("of an unknown identifier: PUBREL is answered by PUBCOMP 0x92 in a new session [MQTT-3.7.2-1]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.ack("pubrel", 77);
    expect(client.one("pubcomp")).toMatchObject({ packetId: 77, reasonCode: 0x92 });
  });

  test("whose PUBCOMP got lost: PUBREL is answered by PUBCOMP 0 in a resumed session", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.publish("t", "x", { qos: 2, packetId: 5 });
    await client.ack("pubrel", 5);
    await client.drop();
    const again = await scene.keeper("a");
    await again.ack("pubrel", 5);
    expect(again.one("pubcomp")).toMatchObject({ packetId: 5, reasonCode: 0 });
  });

  test("is remembered over a lost connection: its repetition is not delivered again [MQTT-4.3.3-10] [MQTT-4.1.0-1] [MQTT3-4.1.0-1]", async () => {
    const scene = new Scene();
    const sub = await scene.client("sub");
    await sub.subscribe("t");
    const client = await scene.keeper("a");
    await client.publish("t", "once", { qos: 2, packetId: 9 });
    await client.drop();
    const again = await scene.keeper("a");
    await again.publish("t", "once", { qos: 2, packetId: 9, dup: true });
    expect(again.one("pubrec").packetId).toBe(9);
    expect(sub.texts()).toEqual(["once"]);
  });
});

describe("a message of QoS 1", () => {
  test("with an identifier whose PUBACK was sent is a new one, whatever its DUP [MQTT-4.3.2-5] [MQTT3-4.3.2-2]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("t");
    await client.publish("t", "1", { qos: 1, packetId: 3 });
    await client.publish("t", "2", { qos: 1, packetId: 3, dup: true });
    expect(client.take("puback")).toHaveLength(2);
    expect(client.texts()).toEqual(["1", "2"]);
  });

  test("with DUP set is forwarded without it [MQTT-3.3.1-3] [MQTT3-3.3.1-3] [MQTT-3.3.1-2] [MQTT3-3.3.1-2] [MQTT-4.3.1-1] [MQTT3-4.3.1-1]", async () => {
    const scene = new Scene();
    const subscribers = [await scene.client("q0"), await scene.client("q1")] as const;
    await subscribers[0].subscribe({ filter: "t", qos: 0 });
    await subscribers[1].subscribe({ filter: "t", qos: 1 });
    const client = await scene.client("a");
    await client.publish("t", "x", { qos: 1, packetId: 3, dup: true });
    expect(subscribers.map((each) => each.one("publish"))).toMatchObject([
      { dup: false, qos: 0, packetId: 0 },
      { dup: false, qos: 1 },
    ]);
  });
});

describe("a topic", () => {
  test.each(["$SYS", "$SYS/broker/version"])("%s is the broker's own: refused with 0x87 at 5.0", async (topic) => {
    const scene = new Scene();
    const spy = await scene.client("spy");
    await spy.subscribe("$SYS/#", "#");
    const client = await scene.client("a");
    await client.send(
      publishPacket(topic),
      publishPacket(topic, { qos: 1, packetId: 1, retain: true }),
      publishPacket(topic, { qos: 2, packetId: 2 }),
    );
    expect(client.packets).toMatchObject([
      { type: "puback", reasonCode: 0x87 },
      { type: "pubrec", reasonCode: 0x87 },
    ]);
    const old = await scene.client("old", { level: 4 });
    await old.publish(topic, "x", { qos: 1, packetId: 1 });
    expect(old.one("puback").packetId).toBe(1);
    expect(spy.texts()).toEqual([]);
    expect(scene.hub.retained.count).toBe(0);
    expect(scene.metrics.messagesDenied).toBe(4);
  });

  test("that only begins like $SYS is nobody's own", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("$SYSTEM/x");
    await client.publish("$SYSTEM/x", "mine");
    expect(client.texts()).toEqual(["mine"]);
  });

  test("with more levels than allowed is refused with 0x90, and the connection goes on", async () => {
    const scene = new Scene({ mqtt: { topicLevelsMax: 3 } });
    const client = await scene.client("a");
    await client.publish("a/b/c/d", "x", { qos: 1, packetId: 1 });
    expect(client.one("puback").reasonCode).toBe(0x90);
    await client.publish("a/b/c", "x", { qos: 1, packetId: 1 });
    expect(client.one("puback").reasonCode).toBe(0x10);
  });
});

describe("a message that is not allowed", () => {
  const denied = { auth: { authorizePublish: (_who: unknown, topic: string) => topic !== "no" } };

  test("is refused with 0x87 at 5.0 [MQTT-3.4.2-1] [MQTT-3.5.2-1]", async () => {
    const client = await new Scene(denied).client("a");
    await client.publish("no", "x", { qos: 1, packetId: 1 });
    await client.publish("no", "x", { qos: 2, packetId: 2 });
    expect(client.packets).toMatchObject([
      { type: "puback", packetId: 1, reasonCode: 0x87 },
      { type: "pubrec", packetId: 2, reasonCode: 0x87 },
    ]);
  });

  test("is acknowledged as usual at 3.1.1 [MQTT3-3.3.5-2]", async () => {
    const client = await new Scene(denied).client("a", { level: 4 });
    await client.publish("no", "x", { qos: 1, packetId: 1 });
    await client.publish("no", "x", { qos: 2, packetId: 2 });
    await client.ack("pubrel", 2);
    expect(client.packets.map((packet) => packet.type)).toEqual(["puback", "pubrec", "pubcomp"]);
  });

  test.each(LEVELS)("reaches nobody and is not retained (level %i)", async (level) => {
    const scene = new Scene(denied);
    const spy = await scene.client("spy");
    await spy.subscribe("#");
    const client = await scene.client("a", { level });
    for (const qos of [0, 1, 2] as const) await client.publish("no", "x", { qos, packetId: qos, retain: true });
    expect(spy.texts()).toEqual([]);
    expect(scene.hub.retained.count).toBe(0);
    expect(scene.metrics.messagesDenied).toBe(3);
    expect(client.closed).toBe(false);
  });

  test("by the permissions of a user neither", async () => {
    const scene = new Scene({ anonymous: { publish: ["mine/%c/#"] } });
    const spy = await scene.client("spy");
    await spy.subscribe("#");
    const client = await scene.client("a");
    await client.publish("mine/a/x", "yes");
    await client.publish("mine/b/x", "no", { qos: 1, packetId: 1 });
    expect(client.one("puback").reasonCode).toBe(0x87);
    expect(spy.texts()).toEqual(["yes"]);
  });
});

describe("while the application decides", () => {
  test("messages keep their order, and their acknowledgements", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizePublish: asked.ask } });
    const sub = await scene.client("sub");
    await sub.subscribe("#");
    const client = await scene.client("a");
    await client.send(
      publishPacket("one", { text: "1", qos: 1, packetId: 1 }),
      publishPacket("two", { text: "2" }),
      publishPacket("one", { text: "3", qos: 2, packetId: 3 }),
      publishPacket("three", { text: "4", qos: 1, packetId: 4 }),
    );
    expect(asked.names).toEqual(["one", "two", "three"]);
    asked.answer("three", true);
    asked.answer("two", true);
    await scene.clock.settle();
    expect(sub.texts()).toEqual([]);
    expect(client.packets).toEqual([]);
    asked.answer("one", true);
    await scene.clock.settle();
    expect(sub.texts()).toEqual(["1", "2", "3", "4"]);
    expect(client.packets).toMatchObject([
      { type: "puback", packetId: 1 },
      { type: "pubrec", packetId: 3 },
      { type: "puback", packetId: 4 },
    ]);
  });

  test("a message that is refused is left out of their order", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizePublish: asked.ask } });
    const sub = await scene.client("sub");
    await sub.subscribe("#");
    const client = await scene.client("a");
    await client.send(
      publishPacket("no", { text: "1", qos: 1, packetId: 1 }),
      publishPacket("yes", { text: "2", qos: 1, packetId: 2 }),
    );
    asked.answer("yes", true);
    asked.answer("no", false);
    await scene.clock.settle();
    expect(sub.texts()).toEqual(["2"]);
    expect(client.take("puback").map((packet) => packet.reasonCode)).toEqual([0x87, 0]);
  });

  test("no more is read, and reading goes on afterwards", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizePublish: asked.ask } });
    const client = await scene.client("a");
    await client.publish("t", "1", { qos: 1, packetId: 1 });
    const received = scene.metrics.bytesReceived;
    await client.publish("t", "2", { qos: 1, packetId: 2 });
    await client.send({ type: "pingreq" });
    expect(scene.metrics.bytesReceived).toBe(received);
    asked.answer("t", true);
    await scene.clock.settle();
    expect(client.take("puback").map((packet) => packet.packetId)).toEqual([1, 2]);
    expect(client.packets).toEqual([{ type: "pingresp" }]);
  });

  test("the client's keep alive does not run out", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizePublish: asked.ask, timeoutMs: 60_000 } });
    const client = await scene.client("a", { keepAliveSeconds: 2 });
    await client.publish("t", "1", { qos: 1, packetId: 1 });
    await scene.advance(20);
    expect(client.closed).toBe(false);
    asked.answer("t", true);
    await scene.clock.settle();
    expect(client.one("puback").packetId).toBe(1);
    await scene.advance(2.9);
    expect(client.closed).toBe(false);
    await scene.advance(0.2);
    expect(client.closed).toBe(true);
  });

  test("a hook that never answers is a refusal after its deadline", async () => {
    const scene = new Scene({
      auth: { authorizePublish: () => new Promise<boolean>(() => undefined), timeoutMs: 3_000 },
    });
    const client = await scene.client("a");
    await client.publish("t", "x", { qos: 1, packetId: 1 });
    await scene.advance(2.9);
    expect(client.packets).toEqual([]);
    await scene.advance(0.2);
    expect(client.one("puback").reasonCode).toBe(0x87);
    expect(scene.metrics.hooksFailed).toBe(1);
  });

  test.each(["goodbye", "lost connection"])(
    "a message whose sender is gone with a %s is published all the same",
    async (end) => {
      const asked = deferredDecisions();
      const scene = new Scene({ auth: { authorizePublish: asked.ask } });
      const sub = await scene.client("sub");
      await sub.subscribe("#");
      const client = scene.open();
      await client.send(
        connectPacket({ clientId: "a" }),
        publishPacket("t", { text: "last words" }),
        ...(end === "goodbye" ? [{ type: "disconnect" as const, reasonCode: 0, properties: null }] : []),
      );
      await client.drop();
      asked.answer("t", true);
      await scene.clock.settle();
      expect(sub.texts()).toEqual(["last words"]);
    },
  );

  test("a message that is repeated on the next connection is acknowledged there, and published once", async () => {
    for (const qos of [1, 2] as const) {
      const asked = deferredDecisions();
      const scene = new Scene({ auth: { authorizePublish: asked.ask } });
      const sub = await scene.client("sub");
      await sub.subscribe("#");
      const client = await scene.keeper("a");
      await client.publish("t", "once", { qos, packetId: 4 });
      await client.drop();
      const again = await scene.keeper("a");
      await again.publish("t", "once", { qos, packetId: 4, dup: true });
      asked.answer("t", true);
      await scene.clock.settle();
      expect(again.one(qos === 1 ? "puback" : "pubrec")).toMatchObject({ packetId: 4, reasonCode: 0 });
      expect(sub.texts()).toEqual(["once"]);
    }
  });

  test("an answer is reused for the connection and topic as long as the settings say", async () => {
    const topics: string[] = [];
    const authorizePublish = (_who: unknown, topic: string): Promise<boolean> => {
      topics.push(topic);
      return Promise.resolve(true);
    };
    const scene = new Scene({ auth: { authorizePublish, cacheMs: 1_000 } });
    const client = await scene.client("a");
    for (let i = 0; i < 3; i++) await client.publish("t", "x");
    expect(topics).toEqual(["t"]);
    await scene.advance(1);
    await client.publish("t", "x");
    expect(topics).toEqual(["t", "t"]);
  });

  test("a SUBSCRIBE behind a held message is carried out", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizePublish: asked.ask } });
    const client = await scene.client("a");
    await client.send(publishPacket("t", { qos: 1, packetId: 1, text: "x" }), subscribePacket(["other"]));
    expect(client.one("suback").reasonCodes).toEqual([2]);
    asked.answer("t", true);
    await scene.clock.settle();
    expect(client.one("puback").packetId).toBe(1);
  });
});
