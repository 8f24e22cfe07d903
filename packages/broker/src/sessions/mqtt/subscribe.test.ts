import { describe, expect, test } from "vitest";
import {
  deferredDecisions,
  hexBytes,
  publishPacket,
  type RawClient,
  Scene,
  subscribePacket,
} from "./scene.test-support.ts";

/** Subscribes with an identifier; returns the codes. */
async function subscribeWith(client: RawClient, identifier: number, ...filters: Parameters<typeof subscribePacket>[0]) {
  await client.send(subscribePacket(filters, { properties: { subscriptionIdentifier: identifier } }));
  return client.one("suback").reasonCodes;
}

describe("SUBACK", () => {
  test("has the identifier of its SUBSCRIBE and a code for each filter, in order [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-2.2.1-6]", async () => {
    const scene = new Scene({ auth: { authorizeSubscribe: (_who, filter) => filter !== "no" } });
    const client = await scene.client("a");
    const filters = [{ filter: "a", qos: 2 }, { filter: "b", qos: 0 }, "no", { filter: "c", qos: 1 }] as const;
    await client.send(subscribePacket(filters, { packetId: 513 }));
    expect(client.packets).toEqual([{ type: "suback", packetId: 513, reasonCodes: [2, 0, 0x87, 1], properties: null }]);
    expect(scene.hub.router.subscriptionCount).toBe(3);
  });

  test("of 3.1.1 says 0x80 for every refusal [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1] [MQTT3-3.9.3-2] [MQTT3-2.3.1-7]", async () => {
    const scene = new Scene({
      auth: { authorizeSubscribe: (_who, filter) => filter !== "no" },
      mqtt: { topicLevelsMax: 2 },
      sessions: { subscriptionsMax: 2 },
    });
    const client = await scene.client("a", { level: 4 });
    const filters = [{ filter: "a", qos: 2 }, "no", "a/b/c", { filter: "b", qos: 1 }, "c"] as const;
    await client.send(subscribePacket(filters, { packetId: 9 }));
    expect(client.packets).toEqual([
      { type: "suback", packetId: 9, reasonCodes: [2, 0x80, 0x80, 1, 0x80], properties: null },
    ]);
  });

  test("comes for a client that takes small packets, when it is small enough", async () => {
    const client = await new Scene().client("a", { properties: { maximumPacketSize: 30 } });
    expect(await client.subscribe("t")).toEqual([2]);
  });

  test("that is too large for the client ends the connection with 0x95, also when the decision came late", async () => {
    for (const answer of [true, Promise.resolve(true)]) {
      const scene = new Scene({ auth: { authorizeSubscribe: () => answer } });
      const client = await scene.client("a", { properties: { maximumPacketSize: 30 } });
      await client.send(subscribePacket(Array.from({ length: 40 }, (_, i) => `t${i}`)));
      expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x95 }]);
      expect(client.closed).toBe(true);
    }
  });
});

describe("a subscription", () => {
  test("delivers at the lower QoS of message and subscription [MQTT-3.8.4-8] [MQTT3-3.8.4-6]", async () => {
    for (const level of [4, 5] as const) {
      const scene = new Scene();
      const from = await scene.client("from");
      for (const granted of [0, 1, 2] as const) {
        const client = await scene.client(`c${granted}`, { level });
        await client.subscribe({ filter: "t", qos: granted });
        for (const qos of [0, 1, 2] as const) await from.publish("t", "x", { qos, packetId: qos });
        await from.ack("pubrel", 2);
        expect(client.take("publish").map((packet) => packet.qos)).toEqual(
          [0, 1, 2].map((qos) => Math.min(qos, granted)),
        );
      }
    }
  });

  test("is granted no higher QoS than the broker has, and asking for one is no error [MQTT-3.2.2-10]", async () => {
    const client = await new Scene({ mqtt: { maximumQoS: 1 } }).client("a");
    expect(await client.subscribe({ filter: "a", qos: 0 }, { filter: "b", qos: 1 }, { filter: "c", qos: 2 })).toEqual([
      0, 1, 1,
    ]);
  });

  test.each([
    ["a/+", ["a/b", "a/"], ["a", "a/b/c", "b/a"]],
    ["a/#", ["a", "a/b", "a/b/c"], ["b", "ab"]],
    ["+/+", ["/x", "a/b"], ["a"]],
    ["+", ["a"], ["/a", "$a"]],
    ["#", ["a", "a/b", "/"], ["$a", "$a/b"]],
    ["$a/#", ["$a", "$a/b"], ["a"]],
    ["+/b", ["a/b", "/b"], ["$a/b"]],
    ["a//b", ["a//b"], ["a/b"]],
  ])(
    "to %s matches what it should [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT3-4.7.2-1]",
    async (filter, matching, others) => {
      const scene = new Scene();
      for (const level of [4, 5] as const) {
        const client = await scene.client("a", { level });
        await client.subscribe(filter);
        for (const topic of [...matching, ...others]) await client.publish(topic, "x");
        expect(client.take("publish").map((packet) => packet.topic)).toEqual(matching);
      }
    },
  );

  test.each(["a/b#", "#/a", "a+", "+a/b", "a/#/b", ""])(
    "to the filter %j is malformed [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT3-4.7.3-1]",
    async (filter) => {
      const bytes = new TextEncoder().encode(filter);
      const scene = new Scene();
      for (const level of [4, 5] as const) {
        const client = await scene.client("a", { level });
        const properties = level === 5 ? [0] : [];
        const body = [0, 10, ...properties, 0, bytes.length, ...bytes, 0];
        await client.write(Uint8Array.of(0x82, body.length, ...body));
        expect(client.packets).toMatchObject(level === 5 ? [{ type: "disconnect", reasonCode: 0x81 }] : []);
        expect(client.closed).toBe(true);
      }
    },
  );

  test("with reserved option bits, QoS 3 or retain handling 3 ends the connection [MQTT-3.8.3-5] [MQTT3-3.8.3-4] [MQTT-3.8.1-1] [MQTT3-3.8.1-1] [MQTT-2.1.3-1] [MQTT3-2.2.2-2]", async () => {
    const scene = new Scene();
    const cases = [
      [5, "8207000a0000017440", 0x81],
      [5, "8207000a0000017403", 0x82],
      [5, "8207000a0000017430", 0x82],
      [5, "8007000a0000017400", 0x81],
      [4, "8206000a00017403", null],
      [4, "8206000a00017404", null],
      [4, "8006000a00017400", null],
    ] as const;
    for (const [level, hex, code] of cases) {
      const client = await scene.client("a", { level });
      await client.write(hexBytes(hex));
      expect(client.packets).toMatchObject(code === null ? [] : [{ type: "disconnect", reasonCode: code }]);
      expect(client.closed).toBe(true);
    }
  });

  test("of own messages can be left out with No Local, whoever else gets them [MQTT-3.8.3-3]", async () => {
    const scene = new Scene();
    const [a, b] = [await scene.client("a"), await scene.client("b")];
    for (const client of [a, b]) await client.subscribe({ filter: "t", noLocal: true });
    for (const qos of [0, 1, 2] as const) await a.publish("t", `from a ${qos}`, { qos, packetId: qos });
    await b.publish("t", "from b");
    expect(a.texts()).toEqual(["from b"]);
    expect(b.texts()).toEqual(["from a 0", "from a 1", "from a 2"]);
  });

  test("with No Local leaves out its own retained message, too [MQTT-3.8.3-3]", async () => {
    const scene = new Scene();
    const [a, b] = [await scene.client("a"), await scene.client("b")];
    await a.publish("t/a", "a's", { retain: true });
    await b.publish("t/b", "b's", { retain: true });
    await a.subscribe({ filter: "t/#", noLocal: true });
    expect(a.texts()).toEqual(["b's"]);
  });

  test("that is shared may not have No Local [MQTT-3.8.3-4]", async () => {
    const client = await new Scene().client("a");
    const filter = new TextEncoder().encode("$share/g/t");
    const body = [0, 10, 0, 0, filter.length, ...filter, 0x04];
    await client.write(Uint8Array.of(0x82, body.length, ...body));
    expect(client.closed).toBe(true);
    expect(client.one("disconnect").reasonCode).toBe(0x82);
  });

  test("passes the retain flag on with Retain As Published, and clears it without [MQTT-3.3.1-12] [MQTT-3.3.1-13] [MQTT3-3.3.1-9]", async () => {
    const scene = new Scene();
    const as = await scene.client("as");
    await as.subscribe({ filter: "t", retainAsPublished: true });
    const not = await scene.client("not");
    await not.subscribe("t");
    const old = await scene.client("old", { level: 4 });
    await old.subscribe("t");
    for (const qos of [0, 1] as const)
      for (const retain of [true, false]) await old.publish("t", "x", { qos, packetId: qos, retain });
    const flags = (client: RawClient): boolean[] => client.take("publish").map((packet) => packet.retain);
    expect(flags(as)).toEqual([true, false, true, false]);
    expect(flags(not)).toEqual([false, false, false, false]);
    expect(flags(old)).toEqual([false, false, false, false]);
  });

  test("again to the same filter takes the place of the first, and loses nothing in between [MQTT-3.8.4-3] [MQTT3-3.8.4-3] [MQTT-3.8.4-4]", async () => {
    const scene = new Scene();
    for (const level of [4, 5] as const) {
      const client = await scene.client("a", { level });
      await client.send(
        subscribePacket([{ filter: "t", qos: 0 }]),
        publishPacket("t", { text: "1", qos: 1, packetId: 1 }),
        subscribePacket([{ filter: "t", qos: 1 }]),
        publishPacket("t", { text: "2", qos: 1, packetId: 2 }),
      );
      expect(client.take("publish").map((packet) => packet.qos)).toEqual([0, 1]);
      expect(scene.hub.router.subscriptionCount).toBe(1);
    }
  });
});

describe("overlapping subscriptions", () => {
  test("bring a message once, at the highest QoS [MQTT-3.3.4-2] [MQTT3-3.3.5-1]", async () => {
    const scene = new Scene();
    for (const level of [4, 5] as const) {
      const client = await scene.client("a", { level });
      await client.subscribe({ filter: "a/b", qos: 0 }, { filter: "a/+", qos: 2 }, { filter: "#", qos: 1 });
      await client.publish("a/b", "x", { qos: 2, packetId: 1 });
      expect(client.one("publish").qos).toBe(2);
    }
  });

  test("bring the identifiers of all that have one [MQTT-3.3.4-3] [MQTT-3.3.4-4]", async () => {
    const client = await new Scene().client("a");
    await subscribeWith(client, 7, "a/b");
    await subscribeWith(client, 268_435_455, "a/+");
    await client.subscribe("#");
    await subscribeWith(client, 9, "other");
    await client.publish("a/b", "x", { properties: { contentType: "c" } });
    const { properties } = client.one("publish");
    expect([...(properties?.subscriptionIdentifiers ?? [])].sort()).toEqual([268_435_455, 7]);
    expect(properties?.contentType).toBe("c");
  });

  test("with identifiers: one replaced by another, or by none, is told so", async () => {
    const client = await new Scene().client("a");
    const told = async (): Promise<readonly number[] | undefined> => {
      await client.publish("t", "x");
      return client.one("publish").properties?.subscriptionIdentifiers;
    };
    await subscribeWith(client, 1, "t");
    expect(await told()).toEqual([1]);
    await subscribeWith(client, 2, "t");
    expect(await told()).toEqual([2]);
    await client.subscribe("t");
    expect(await told()).toBeUndefined();
  });

  test("and a shared one: the shared copy holds the shared one's identifier [MQTT-3.3.4-5]", async () => {
    const client = await new Scene().client("a");
    await subscribeWith(client, 1, "t");
    await subscribeWith(client, 2, "$share/g/t");
    await client.publish("t", "x");
    expect(client.take("publish").map((packet) => packet.properties?.subscriptionIdentifiers)).toEqual([[1], [2]]);
  });
});

describe("what is not available", () => {
  const off = {
    mqtt: {
      sharedSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      wildcardSubscriptionAvailable: false,
    },
  };

  test("is refused with 0x9E, 0xA1 and 0xA2 [MQTT-3.9.3-2]", async () => {
    const client = await new Scene(off).client("a");
    expect(await client.subscribe("$share/g/t", "a/+", "#", "t")).toEqual([0x9e, 0xa2, 0xa2, 2]);
    expect(await subscribeWith(client, 1, "t")).toEqual([0xa1]);
  });

  test("is refused with 0x80 at 3.1.1 [MQTT3-3.8.3-2]", async () => {
    const client = await new Scene(off).client("a", { level: 4 });
    expect(await client.subscribe("$share/g/t", "a/+", "#", "t")).toEqual([0x80, 0x80, 0x80, 2]);
  });
});

describe("limits", () => {
  test("of the text of a session's filters: 0x97, and a shorter one still fits", async () => {
    const scene = new Scene({ sessions: { subscriptionBytesMax: 1_000 } });
    const client = await scene.client("a");
    expect(await client.subscribe("x".repeat(900), "y".repeat(900))).toEqual([2, 0x97]);
    expect(await client.subscribe("z")).toEqual([2]);
  });

  test("of subscriptions per session: 0x97, and a replaced one is none more", async () => {
    const scene = new Scene({ sessions: { subscriptionsMax: 3 } });
    const client = await scene.client("a");
    expect(await client.subscribe("1", "2", "3", "4", "1")).toEqual([2, 2, 2, 0x97, 2]);
    await client.unsubscribe("2");
    expect(await client.subscribe("4")).toEqual([2]);
    expect(scene.metrics.subscriptionsRefused).toBe(1);
    expect(scene.metrics.subscriptionsAccepted).toBe(5);
  });

  test("of levels: 0x8F", async () => {
    const client = await new Scene({ mqtt: { topicLevelsMax: 3 } }).client("a");
    expect(await client.subscribe("a/b/c", "a/b/c/d", "$share/g/a/b/c", "$share/g/a/b/c/d")).toEqual([
      2, 0x8f, 2, 0x8f,
    ]);
  });
});

describe("permission", () => {
  test("that is missing is 0x87, and 0x80 at 3.1.1", async () => {
    const scene = new Scene({ anonymous: { subscribe: ["mine/#"] } });
    const filters = ["mine/x", "#", "mine/+/a", "$share/g/mine/#", "$share/g/#"];
    expect(await (await scene.client("a")).subscribe(...filters)).toEqual([2, 0x87, 2, 2, 0x87]);
    expect(await (await scene.client("b", { level: 4 })).subscribe(...filters)).toEqual([2, 0x80, 2, 2, 0x80]);
    expect(scene.metrics.subscriptionsRefused).toBe(4);
  });

  test("is asked for with the group, when there is one", async () => {
    const asked: unknown[] = [];
    const scene = new Scene({
      auth: {
        authorizeSubscribe: (who, filter, { group }) => {
          asked.push([who.clientId, filter, group]);
          return true;
        },
      },
    });
    await (await scene.client("a")).subscribe("x/+", "$share/g/y");
    expect(asked).toEqual([
      ["a", "x/+", null],
      ["a", "y", "g"],
    ]);
  });

  test("that comes late leaves SUBSCRIBE and UNSUBSCRIBE in their order", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizeSubscribe: asked.ask } });
    const client = await scene.client("a");
    await client.send(
      subscribePacket(["slow"], { packetId: 1 }),
      { type: "unsubscribe", packetId: 2, filters: ["slow"], properties: null },
      subscribePacket(["slow2", "other"], { packetId: 3 }),
    );
    await client.send({ type: "pingreq" });
    expect(client.packets).toEqual([]);
    asked.answer("slow", true);
    await scene.clock.settle();
    expect(client.packets).toMatchObject([
      { type: "suback", packetId: 1, reasonCodes: [2] },
      { type: "unsuback", packetId: 2, reasonCodes: [0] },
    ]);
    asked.answer("other", false);
    asked.answer("slow2", true);
    await scene.clock.settle();
    expect(client.packets.slice(2)).toMatchObject([
      { type: "suback", packetId: 3, reasonCodes: [2, 0x87] },
      { type: "pingresp" },
    ]);
    expect(scene.hub.inspect().sessions[0]?.subscriptions).toEqual(["slow2"]);
    expect(asked.names).toEqual(["slow", "slow2", "other"]);
  });

  test("that comes after the client has gone makes no subscription", async () => {
    const asked = deferredDecisions();
    const scene = new Scene({ auth: { authorizeSubscribe: asked.ask } });
    const client = await scene.keeper("a");
    await client.send(subscribePacket(["t"]));
    await client.drop();
    const again = await scene.keeper("a");
    asked.answer("t", true);
    await scene.clock.settle();
    expect(again.packets).toEqual([]);
    expect(scene.hub.router.subscriptionCount).toBe(0);
  });
});

describe("UNSUBSCRIBE", () => {
  test("is answered with a code for each filter, in order [MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT-2.2.1-6]", async () => {
    const client = await new Scene().client("a");
    await client.subscribe("a/b", "a/+", "$share/g/a");
    const filters = ["a/+", "a/#", "A/b", "$share/h/a", "$share/g/a"];
    await client.send({ type: "unsubscribe", packetId: 77, filters, properties: null });
    expect(client.packets).toEqual([
      { type: "unsuback", packetId: 77, reasonCodes: [0, 0x11, 0x11, 0x11, 0], properties: null },
    ]);
    await client.publish("a/b", "still");
    await client.publish("a/c", "no more");
    expect(client.texts()).toEqual(["still"]);
  });

  test("of 3.1.1 is answered, also when there was nothing [MQTT3-3.10.4-1] [MQTT3-3.10.4-4] [MQTT3-3.10.4-5] [MQTT3-3.10.4-6]", async () => {
    const client = await new Scene().client("a", { level: 4 });
    await client.subscribe("a", "b");
    await client.send({ type: "unsubscribe", packetId: 78, filters: ["a", "never", "b"], properties: null });
    expect(client.packets).toEqual([{ type: "unsuback", packetId: 78, reasonCodes: [], properties: null }]);
    client.packets.length = 0;
    await client.publish("a", "x");
    expect(client.packets).toEqual([]);
  });

  test("ends new messages; deliveries under way are finished [MQTT-3.10.4-2] [MQTT-3.10.4-3] [MQTT3-3.10.4-2] [MQTT3-3.10.4-3]", async () => {
    const scene = new Scene({ mqtt: { maxInflight: 1 } });
    for (const level of [4, 5] as const) {
      const client = await scene.client("a", { level });
      await client.subscribe("t");
      const from = await scene.client("b");
      await from.publish("t", "under way", { qos: 2, packetId: 1 });
      await from.publish("t", "queued", { qos: 1, packetId: 2 });
      await client.unsubscribe("t");
      await from.publish("t", "too late", { qos: 1, packetId: 3 });
      const { packetId } = client.one("publish");
      await client.ack("pubrec", packetId);
      expect(client.one("pubrel").packetId).toBe(packetId);
      await client.ack("pubcomp", packetId);
      expect(client.texts()).toEqual(["queued"]);
    }
  });

  test("with wrong flags ends the connection [MQTT-3.10.1-1] [MQTT3-3.10.1-1]", async () => {
    const scene = new Scene();
    for (const [level, hex] of [
      [5, "a006000a00000174"],
      [4, "a005000a000174"],
    ] as const) {
      const client = await scene.client("a", { level });
      await client.write(hexBytes(hex));
      expect(client.closed).toBe(true);
    }
  });
});
