import { isMessagingError } from "polymq/internal";
import { encodePublishProperties, type PublishProperties, webText } from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import { makeMessage } from "../../core/message.ts";
import { Delivery, type DeliveryPhase, decodeDelivery, encodeDelivery } from "./delivery.ts";
import { bytesOf, hexBytes, publishPacket, Scene } from "./scene.test-support.ts";

const RICH: PublishProperties = {
  payloadFormat: 1,
  contentType: "text/plain",
  responseTopic: "answers/here",
  correlationData: hexBytes("00ff10"),
  userProperties: [
    ["b", "1"],
    ["a", "2"],
    ["b", "1"],
    ["__proto__", "polluted"],
    ["", ""],
  ],
};

describe("a stored delivery", () => {
  const message = makeMessage({ topic: "t", payload: bytesOf("x") }, { nextSequence: () => 1, takenAtMs: () => 0 });

  test.each(["waiting", "sent", "released"] as const)(
    "in phase %s is read as it was written",
    (phase: DeliveryPhase) => {
      for (const qos of [1, 2] as const) {
        const delivery = new Delivery(message, qos, true, [1, 268_435_455]);
        delivery.packetId = 65_535;
        const read = decodeDelivery(message, encodeDelivery(delivery, phase));
        expect(read.phase).toBe(phase);
        expect(read.delivery).toMatchObject({ qos, retain: true, identifiers: [1, 268_435_455] });
        expect(read.delivery.packetId).toBe(phase === "waiting" ? 0 : 65_535);
        expect(read.delivery.dup).toBe(phase !== "waiting");
      }
    },
  );

  test.each(["", "01", "0100", "000001", "030001", "310001", "01000100"])(
    "of the form %s is ERR_STORE_CORRUPT",
    (hex) => {
      let code = "";
      try {
        decodeDelivery(message, hexBytes(hex));
      } catch (error) {
        if (isMessagingError(error)) code = error.code;
      }
      expect(code).toBe("ERR_STORE_CORRUPT");
    },
  );
});

describe("properties of a message", () => {
  test("reach a 5.0 subscriber as they were, repeats and order too [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]", async () => {
    for (const qos of [0, 1, 2] as const) {
      const scene = new Scene();
      const sub = await scene.client("sub");
      await sub.subscribe("t");
      const client = await scene.client("a");
      await client.publish("t", "x", { qos, packetId: qos, properties: RICH });
      expect(sub.one("publish").properties).toEqual(RICH);
    }
  });

  test("are kept with a retained and with a queued message", async () => {
    const scene = new Scene();
    const away = await scene.keeper("away");
    await away.subscribe("t");
    await away.drop();
    const client = await scene.client("a");
    await client.publish("t", "x", { qos: 1, packetId: 1, retain: true, properties: RICH });
    const back = await scene.keeper("away");
    expect(back.one("publish").properties).toEqual(RICH);
    const late = await scene.client("late");
    await late.subscribe("t");
    expect(late.one("publish").properties).toEqual(RICH);
  });

  test("do not reach a 3.1.1 subscriber, and its own messages have none", async () => {
    const scene = new Scene();
    const old = await scene.client("old", { level: 4 });
    const young = await scene.client("young");
    for (const client of [old, young]) await client.subscribe("t");
    await young.publish("t", "from 5", { properties: RICH });
    await old.publish("t", "from 4");
    expect(old.take("publish").map((packet) => packet.properties)).toEqual([null, null]);
    expect(young.take("publish").map((packet) => packet.properties)).toEqual([RICH, null]);
  });

  test("an object with evil names stays data", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("__proto__/constructor", "+/toString");
    await client.publishWith("__proto__/constructor", { userProperties: [["__proto__", "{}"]] });
    await client.publishWith("x/toString", { userProperties: [["constructor", "x"]] });
    expect(client.take("publish").map((packet) => [packet.topic, packet.properties?.userProperties])).toEqual([
      ["__proto__/constructor", [["__proto__", "{}"]]],
      ["x/toString", [["constructor", "x"]]],
    ]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("so many that none fits beside them are not sent to anybody who would have to refuse them", async () => {
    const scene = new Scene();
    const [plain, numbered] = [await scene.keeper("plain"), await scene.keeper("numbered")];
    await plain.subscribe("t");
    await numbered.send({
      type: "subscribe",
      packetId: 1,
      properties: { subscriptionIdentifier: 5 },
      filters: [{ filter: "t", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    });
    const client = await scene.client("a");
    const userProperties = Array.from({ length: 999 }, () => ["k", "v"] as const);
    await client.publish("t", "many", { qos: 1, packetId: 1, properties: { userProperties } });
    await client.publish("t", "few", { qos: 1, packetId: 1 });
    expect(plain.texts()).toEqual(["many", "few"]);
    expect(numbered.texts()).toEqual(["few"]);
    expect(scene.metrics.messagesTooLarge).toBe(1);
    expect(scene.hub.statistics.messagesDropped).toBe(1);
    await numbered.drop();
    const again = await scene.keeper("numbered");
    expect(again.texts()).toEqual(["few"]);
    expect(scene.errors).toEqual([]);
  });
});

describe("message expiry", () => {
  test("is told to a connected subscriber as it came [MQTT-3.3.2-6]", async () => {
    const client = await new Scene().client("a");
    await client.subscribe("t");
    await client.publishWith("t", { messageExpirySeconds: 90, contentType: "a" });
    expect(client.one("publish").properties).toEqual({ messageExpirySeconds: 90, contentType: "a" });
  });

  test("is lessened by the time in the queue, and of a retained message by its age [MQTT-3.3.2-6]", async () => {
    const scene = new Scene();
    const away = await scene.keeper("away");
    await away.subscribe("t");
    await away.drop();
    const client = await scene.client("a");
    const properties = { messageExpirySeconds: 90 };
    await client.publish("t", "x", { qos: 1, packetId: 1, retain: true, properties });
    await scene.advance(30.5);
    const back = await scene.keeper("away");
    expect(back.one("publish").properties).toEqual({ messageExpirySeconds: 60 });
    const late = await scene.client("late");
    await late.subscribe("t");
    expect(late.one("publish").properties).toEqual({ messageExpirySeconds: 60 });
  });

  test("that is over keeps a message from being sent, queued or retained [MQTT-3.3.2-5]", async () => {
    const scene = new Scene();
    const away = await scene.keeper("away");
    await away.subscribe("t");
    await away.drop();
    const client = await scene.client("a");
    const properties = { messageExpirySeconds: 10 };
    await client.publish("t", "short", { qos: 1, packetId: 1, retain: true, properties });
    await client.publish("t", "long", { qos: 1, packetId: 2 });
    await scene.advance(10);
    const back = await scene.keeper("away");
    expect(back.texts()).toEqual(["long"]);
    const late = await scene.client("late");
    await late.subscribe("t");
    expect(late.texts()).toEqual([]);
    expect(scene.metrics.messagesExpired).toBe(1);
  });

  test("frees the memory of a session that stays away", async () => {
    const scene = new Scene();
    const away = await scene.keeper("away");
    await away.subscribe("t");
    await away.drop();
    const client = await scene.client("a");
    for (let i = 1; i <= 100; i++)
      await client.publish("t", "x", { qos: 1, packetId: i, properties: { messageExpirySeconds: 5 } });
    await scene.advance(61);
    expect(scene.metrics.messagesExpired).toBe(100);
    expect((await scene.keeper("away")).texts()).toEqual([]);
  });

  test("that runs out in flight does not end the handshake [MQTT-4.3.3-7] [MQTT-4.3.3-13]", async () => {
    const scene = new Scene();
    const sub = await scene.keeper("sub");
    await sub.subscribe("t");
    const client = await scene.client("a");
    await client.publish("t", "x", { qos: 2, packetId: 1, properties: { messageExpirySeconds: 5 } });
    const { packetId } = sub.one("publish");
    await sub.drop();
    await scene.advance(70);
    const again = await scene.keeper("sub");
    expect(again.one("publish")).toMatchObject({ packetId, dup: true, properties: { messageExpirySeconds: 0 } });
    await again.ack("pubrec", packetId);
    expect(again.one("pubrel").packetId).toBe(packetId);
    await again.ack("pubcomp", packetId);
    expect(again.packets).toEqual([]);
  });
});

describe("topic aliases of a client", () => {
  test("up to the maximum are understood, and not passed on [MQTT-3.3.2-12]", async () => {
    const scene = new Scene({ mqtt: { topicAliasMaximum: 5 } });
    const sub = await scene.client("sub");
    await sub.subscribe("#");
    const client = await scene.client("a");
    for (const topicAlias of [1, 5]) await client.publishWith(`t${topicAlias}`, { topicAlias });
    for (const topicAlias of [5, 1, 5]) await client.publishWith("", { topicAlias, contentType: "c" });
    const got = sub.take("publish").map((packet) => [packet.topic, packet.properties]);
    expect(got).toEqual([
      ["t1", null],
      ["t5", null],
      ["t5", { contentType: "c" }],
      ["t1", { contentType: "c" }],
      ["t5", { contentType: "c" }],
    ]);
  });

  test("may be given to another topic", async () => {
    const client = await new Scene().client("a");
    await client.subscribe("#");
    await client.publishWith("one", { topicAlias: 1 });
    await client.publishWith("two", { topicAlias: 1 });
    await client.publishWith("", { topicAlias: 1 });
    expect(client.take("publish").map((packet) => packet.topic)).toEqual(["one", "two", "two"]);
  });

  test.each([
    ["above the maximum", 6, "t"],
    ["that was never set", 2, ""],
  ])("%s end the connection with 0x94", async (_what, topicAlias, topic) => {
    const client = await new Scene({ mqtt: { topicAliasMaximum: 5 } }).client("a");
    await client.publishWith(topic, { topicAlias });
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x94 }]);
    expect(client.closed).toBe(true);
  });

  test("of 0 end the connection with 0x94 [MQTT-3.3.2-8]", async () => {
    const client = await new Scene().client("a");
    await client.write(hexBytes("30080001740323000078"));
    expect(client.one("disconnect").reasonCode).toBe(0x94);
  });

  test("end with the connection [MQTT-3.3.2-7]", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.publishWith("t", { topicAlias: 1 });
    await client.drop();
    const again = await scene.keeper("a");
    await again.publishWith("", { topicAlias: 1 });
    expect(again.one("disconnect").reasonCode).toBe(0x94);
  });
});

describe("topic aliases of the broker", () => {
  test("save the topic from its second use on, up to the client's maximum [MQTT-3.1.2-26] [MQTT-3.3.2-11]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { topicAliasMaximum: 2 } });
    await client.subscribe("#");
    for (const topic of ["one", "two", "one", "two", "three", "one"]) await client.publish(topic, "x");
    const got = client.take("publish").map((packet) => [packet.topic, packet.properties?.topicAlias]);
    expect(got).toEqual([
      ["one", 1],
      ["two", 2],
      ["", 1],
      ["", 2],
      ["three", 1],
      ["one", 2],
    ]);
  });

  test("are fewer than the client allows when the broker is set so", async () => {
    const scene = new Scene({ mqtt: { outboundTopicAliasMaximum: 1 } });
    const client = await scene.client("a", { properties: { topicAliasMaximum: 100 } });
    await client.subscribe("#");
    for (const topic of ["one", "two", "three"]) await client.publish(topic, "x");
    expect(client.take("publish").map((packet) => packet.properties?.topicAlias)).toEqual([1, 1, 1]);
  });

  test("are not used for a client that allows none [MQTT-3.1.2-27]", async () => {
    const client = await new Scene().client("a");
    await client.subscribe("#");
    for (const topic of ["t", "t"]) await client.publish(topic, "x");
    expect(client.take("publish").map((packet) => [packet.topic, packet.properties])).toEqual([
      ["t", null],
      ["t", null],
    ]);
  });

  test("begin anew with each connection, messages sent again included [MQTT-3.3.2-7]", async () => {
    const scene = new Scene();
    const properties = { topicAliasMaximum: 5 };
    const client = await scene.keeper("a", { properties });
    await client.subscribe("t");
    await client.publish("t", "1", { qos: 1, packetId: 1 });
    await client.drop();
    const again = await scene.keeper("a", { properties });
    expect(again.one("publish")).toMatchObject({ topic: "t", dup: true, properties: { topicAlias: 1 } });
  });
});

describe("a message larger than a client takes", () => {
  test("is dropped for it alone, and counts as delivered [MQTT-3.1.2-24] [MQTT-3.1.2-25]", async () => {
    const scene = new Scene();
    const small = await scene.keeper("small", { properties: { maximumPacketSize: 100 } });
    const large = await scene.client("large");
    for (const client of [small, large]) await client.subscribe("t");
    const client = await scene.client("a");
    for (const qos of [0, 1, 2] as const) {
      await client.publish("t", "x".repeat(200), { qos, packetId: qos });
      await client.publish("t", `small ${qos}`, { qos, packetId: qos === 0 ? 0 : qos + 2 });
    }
    expect(small.texts()).toEqual(["small 0", "small 1", "small 2"]);
    expect(large.texts()).toHaveLength(6);
    expect(scene.metrics.messagesTooLarge).toBe(3);
    expect(scene.hub.statistics.messagesDropped).toBe(3);
    expect(small.closed).toBe(false);
  });

  test("does not come back after a reconnect, nor hold up what waits behind it", async () => {
    const scene = new Scene();
    const first = await scene.keeper("a");
    await first.subscribe("t");
    await first.drop();
    const client = await scene.client("b");
    await client.publish("t", "x".repeat(200), { qos: 1, packetId: 1 });
    await client.publish("t", "after", { qos: 1, packetId: 2 });
    const small = await scene.keeper("a", { properties: { maximumPacketSize: 100 } });
    expect(small.texts()).toEqual(["after"]);
    expect(scene.hub.statistics.messagesDropped).toBe(1);
    await small.drop();
    expect((await scene.keeper("a")).texts()).toEqual(["after"]);
  });

  test("that was in flight is given up when it does not fit any more", async () => {
    const scene = new Scene();
    const first = await scene.keeper("a");
    await first.subscribe("t");
    const client = await scene.client("b");
    await client.publish("t", "x".repeat(200), { qos: 2, packetId: 1 });
    expect(first.texts()).toHaveLength(1);
    await first.drop();
    const small = await scene.keeper("a", { properties: { maximumPacketSize: 100 } });
    expect(small.texts()).toEqual([]);
    await small.drop();
    expect((await scene.keeper("a")).texts()).toEqual([]);
  });

  test("goes to another member of the group [MQTT-4.8.2-3]", async () => {
    const scene = new Scene();
    const small = await scene.client("small", { properties: { maximumPacketSize: 100 } });
    const large = await scene.client("large");
    for (const client of [small, large]) await client.subscribe("$share/g/t");
    const client = await scene.client("a");
    for (let i = 1; i <= 4; i++) await client.publish("t", "x".repeat(200), { qos: 1, packetId: i });
    expect(small.texts()).toEqual([]);
    expect(large.texts()).toHaveLength(4);
    expect(scene.hub.statistics.messagesDropped).toBe(0);
  });
});

describe("a packet larger than the broker takes", () => {
  test("ends the connection with 0x95 before it has come in whole", async () => {
    const scene = new Scene({ mqtt: { maximumPacketSize: 1_024 } });
    const client = await scene.client("a");
    await client.subscribe("t");
    await client.publish("t", "x".repeat(1_000));
    expect(client.texts()).toHaveLength(1);
    await client.write(hexBytes("30ffffff7f"));
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x95 }]);
    expect(client.closed).toBe(true);
  });
});

describe("the broker's receive maximum", () => {
  test("is enforced: one message more ends the connection with 0x93 [MQTT-4.9.0-3]", async () => {
    const never = new Promise<boolean>(() => undefined);
    const scene = new Scene({ mqtt: { receiveMaximum: 3 }, auth: { authorizePublish: () => never } });
    const client = await scene.client("a");
    const flood = [1, 2, 3].map((packetId) => publishPacket("t", { qos: 1, packetId }));
    await client.send(...flood, { type: "pingreq" });
    expect(client.packets).toEqual([{ type: "pingresp" }]);
    client.packets.length = 0;
    const other = await scene.client("b");
    await other.send(...flood, publishPacket("t", { qos: 2, packetId: 4 }));
    expect(other.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x93 }]);
    expect(other.closed).toBe(true);
    expect(client.closed).toBe(false);
  });

  test("counts QoS 2 messages until their PUBREL", async () => {
    const scene = new Scene({ mqtt: { receiveMaximum: 2 } });
    const client = await scene.client("a");
    for (const packetId of [1, 2]) await client.publish("t", "x", { qos: 2, packetId });
    await client.ack("pubrel", 1);
    await client.publish("t", "x", { qos: 2, packetId: 3 });
    expect(client.closed).toBe(false);
    await client.publish("t", "x", { qos: 1, packetId: 4 });
    expect(client.one("disconnect").reasonCode).toBe(0x93);
  });
});

describe("a client's receive maximum", () => {
  test("holds messages back until there is room, in order, and no other packet [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { receiveMaximum: 2 } });
    await client.subscribe({ filter: "t", qos: 1 });
    for (let i = 1; i <= 5; i++) await client.publish("t", `${i}`, { qos: 1, packetId: i });
    expect(client.take("puback")).toHaveLength(5);
    const [one, two, ...none] = client.take("publish");
    expect(none).toEqual([]);
    await client.send({ type: "pingreq" }, publishPacket("t", { text: "QoS 0" }));
    expect(client.one("pingresp")).toBeDefined();
    expect(client.texts()).toEqual(["QoS 0"]);
    await client.ack("puback", two?.packetId ?? 0);
    expect(client.texts()).toEqual(["3"]);
    await client.ack("puback", one?.packetId ?? 0);
    expect(client.texts()).toEqual(["4"]);
  });

  test("counts a QoS 2 message until its PUBCOMP, or a PUBREC that refuses it [MQTT-4.4.0-2]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { receiveMaximum: 1 } });
    await client.subscribe("t");
    const from = await scene.client("b");
    for (let i = 1; i <= 3; i++) await from.publish("t", `${i}`, { qos: 2, packetId: i });
    const first = client.one("publish");
    await client.ack("pubrec", first.packetId);
    expect(client.texts()).toEqual([]);
    expect(client.one("pubrel").packetId).toBe(first.packetId);
    await client.ack("pubcomp", first.packetId);
    const second = client.one("publish");
    await client.ack("pubrec", second.packetId, 0x97);
    expect(client.one("publish").packetId).not.toBe(0);
    expect(client.packets).toEqual([]);
  });

  test("is lowered by the broker's own bound, at 3.1.1 too", async () => {
    const scene = new Scene({ mqtt: { maxInflight: 3 } });
    for (const level of [4, 5] as const) {
      const client = await scene.client(`c${level}`, { level });
      await client.subscribe(`t${level}`);
      const from = await scene.client("from");
      for (let i = 1; i <= 5; i++) await from.publish(`t${level}`, `${i}`, { qos: 1, packetId: i });
      expect(client.texts()).toEqual(["1", "2", "3"]);
    }
  });

  test("identifiers in flight are not 0 and not used twice [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT3-2.3.1-4] [MQTT3-2.3.1-1] [MQTT-2.2.1-2] [MQTT3-2.3.1-5]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("t");
    const from = await scene.client("b", { level: 4 });
    for (let i = 1; i <= 200; i++) await from.publish("t", `${i}`, { qos: i % 2 === 0 ? 1 : 2, packetId: i });
    const ids = client.take("publish").map((packet) => packet.packetId);
    expect(new Set(ids).size).toBe(200);
    expect(ids).not.toContain(0);
    await from.publish("t", "0");
    expect(client.one("publish").packetId).toBe(0);
  });
});

describe("a client's property block", () => {
  test("is read as its encoder wrote it", () => {
    // The two halves that the tests above compare are the codec's: this holds them against the bytes of the specification.
    const block = encodePublishProperties(webText(), { payloadFormat: 1, userProperties: [["a", "b"]] });
    expect(Buffer.from(block).toString("hex")).toBe("010126000161000162");
  });
});
