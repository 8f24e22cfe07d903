import { memoryPair } from "polymq/testing";
import { describe, expect, test, vi } from "vitest";
import { MqttConnection } from "./mqtt-connection.ts";
import {
  connectPacket,
  encode,
  hexBytes,
  publishPacket,
  type RawClient,
  Scene,
  subscribePacket,
} from "./scene.test-support.ts";

const LEVELS = [4, 5] as const;

describe("keep alive", () => {
  test.each(LEVELS)(
    "a silent client is gone after one and a half periods (level %i) [MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT3-3.1.2-24]",
    async (level) => {
      const scene = new Scene();
      const client = await scene.client("a", { level, keepAliveSeconds: 20 });
      await scene.advance(29.9);
      expect(client.closed).toBe(false);
      await scene.advance(0.2);
      expect(client.packets).toMatchObject(level === 5 ? [{ type: "disconnect", reasonCode: 0x8d }] : []);
      expect(client.closed).toBe(true);
      expect(scene.hub.sessions.attachedCount).toBe(0);
    },
  );

  test("any packet counts, and PINGREQ is answered [MQTT-3.12.4-1] [MQTT3-3.12.4-1]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { keepAliveSeconds: 20 });
    for (let i = 0; i < 5; i++) {
      await scene.advance(29);
      if (i % 2 === 0) await client.publish("t", "x");
      else {
        await client.send({ type: "pingreq" });
        expect(client.one("pingresp")).toEqual({ type: "pingresp" });
      }
    }
    expect(client.closed).toBe(false);
    const old = await scene.client("b", { level: 4 });
    await old.send({ type: "pingreq" });
    expect(old.packets).toEqual([{ type: "pingresp" }]);
  });

  test("0 lets a client be silent for ever", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await scene.advance(10 * 86_400);
    expect(client.closed).toBe(false);
  });

  test("of the server holds for 5.0 clients", async () => {
    const scene = new Scene({ mqtt: { serverKeepAliveSeconds: 10 } });
    const client = await scene.client("a", { keepAliveSeconds: 1_000 });
    await scene.advance(15.1);
    expect(client.closed).toBe(true);
  });
});

describe("DISCONNECT", () => {
  test("of a client ends its connection without an answer [MQTT-3.14.4-1] [MQTT-3.14.4-2]", async () => {
    const scene = new Scene();
    for (const level of LEVELS) {
      const client = await scene.client("a", { level });
      await client.disconnect();
      expect(client.packets).toEqual([]);
      expect(client.closed).toBe(true);
      expect(scene.hub.sessions.attachedCount).toBe(0);
    }
  });

  test("what comes behind it is not looked at [MQTT-3.14.4-1]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send({ type: "disconnect", reasonCode: 0, properties: null }, publishPacket("t", { retain: true }));
    expect(scene.hub.retained.count).toBe(0);
  });

  test("of the broker is its last packet, and the connection ends [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-3.14.2-1] [MQTT-3.14.2-2]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("t");
    for (const connection of scene.context.connections) connection.end(0x8b);
    scene.hub.publish(scene.hub.makeMessage({ topic: "t", payload: new Uint8Array(1) }));
    await scene.clock.settle();
    expect(client.packets).toEqual([{ type: "disconnect", reasonCode: 0x8b, properties: null }]);
    expect(client.closed).toBe(true);
  });

  test("is not sent before CONNACK [MQTT-3.14.0-1]", async () => {
    const scene = new Scene({ auth: { authenticate: () => new Promise(() => undefined) } });
    const client = scene.open();
    await client.send(connectPacket());
    for (const connection of scene.context.connections) connection.end(0x8b);
    await scene.clock.settle();
    expect(client.packets).toEqual([]);
    expect(client.closed).toBe(true);
  });

  test("with a reason that only servers give is a protocol error: 0x82", async () => {
    const client = await new Scene().client("a");
    await client.write(hexBytes("e0028e00"));
    expect(client.one("disconnect").reasonCode).toBe(0x82);
  });
});

describe("packets that a server does not take", () => {
  test.each([
    ["CONNACK", "2003000000", 0x82],
    ["SUBACK", "900400010000", 0x82],
    ["UNSUBACK", "b0040001 0000", 0x82],
    ["PINGRESP", "d000", 0x82],
    ["AUTH without a method", "f000", 0x82],
    ["type 0", "0000", 0x81],
    ["PINGREQ with flags", "c100", 0x81],
    ["AUTH with flags", "f100", 0x81],
    ["PUBLISH of QoS 3", "360400017400", 0x81],
    ["PUBLISH with a wildcard", "30050001 2b00 78", 0x81],
    ["PUBLISH with subscription identifier", "300700017402 0b0178", 0x82],
    ["a remaining length of five bytes", "30ffffffff7f", 0x81],
  ])(
    "%s ends the connection [MQTT-4.13.1-1] [MQTT-3.15.1-1] [MQTT-3.3.1-4] [MQTT-3.3.2-2] [MQTT-4.7.0-1]",
    async (_name, hex, code) => {
      const scene = new Scene();
      const client = await scene.client("a");
      await client.write(hexBytes(hex.replaceAll(" ", "")));
      expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: code }]);
      expect(client.closed).toBe(true);
    },
  );

  test.each(["20020000", "9003000100", "b0020001", "d000", "f000", "0000", "c100", "3605000174000178", "300400012b78"])(
    "%s ends a 3.1.1 connection without a word [MQTT3-4.8.0-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2] [MQTT3-3.3.1-4] [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]",
    async (hex) => {
      const client = await new Scene().client("a", { level: 4 });
      await client.write(hexBytes(hex));
      expect(client.packets).toEqual([]);
      expect(client.closed).toBe(true);
    },
  );

  test("QoS above the broker's maximum: 0x9B", async () => {
    const scene = new Scene({ mqtt: { maximumQoS: 1 } });
    const client = await scene.client("a");
    await client.publish("t", "x", { qos: 2, packetId: 1 });
    expect(client.one("disconnect").reasonCode).toBe(0x9b);
    const old = await scene.client("b", { level: 4 });
    await old.publish("t", "x", { qos: 2, packetId: 1 });
    expect(old.closed).toBe(true);
  });

  test("a reason string comes unless the client wants none, also with the packet that ends the connection", async () => {
    const scene = new Scene();
    const wants = await scene.client("a");
    const wantsNot = await scene.client("b", { properties: { requestProblemInformation: false } });
    for (const client of [wants, wantsNot]) await client.write(hexBytes("0000"));
    expect(wants.one("disconnect").properties?.reasonString).toBeTruthy();
    expect(wantsNot.one("disconnect").properties).toBeNull();
  });

  test("a client that takes only small packets is told without the reason string [MQTT-3.14.2-3] [MQTT-3.1.2-24]", async () => {
    const client = await new Scene().client("a", { properties: { maximumPacketSize: 25 } });
    await client.write(hexBytes("0000"));
    expect(client.packets).toEqual([{ type: "disconnect", reasonCode: 0x81, properties: null }]);
  });
});

describe("a client that does not read", () => {
  const payload = new Uint8Array(8_000);

  async function slow(scene: Scene): Promise<{ client: RawClient; other: RawClient; from: RawClient }> {
    const client = await scene.client("slow", { properties: { sessionExpirySeconds: 60 } });
    const other = await scene.client("other");
    await client.subscribe({ filter: "q0", qos: 0 }, { filter: "q1", qos: 1 }, { filter: "q2", qos: 2 });
    await other.subscribe("q0", "q1", "q2");
    client.transport.pause();
    return { client, other, from: await scene.client("from") };
  }

  function unsent(scene: Scene): number {
    return Math.max(...[...scene.context.connections].map((connection) => connection.outbox.unsentBytes));
  }

  test("does not get QoS 0 messages beyond the limit; they are counted, and the others get all", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 65_536 } });
    const { client, other, from } = await slow(scene);
    for (let i = 0; i < 200; i++) await from.send(publishPacket("q0", { payload }));
    expect(unsent(scene)).toBeLessThan(65_536 * 2 + 16_000);
    expect(other.take("publish")).toHaveLength(200);
    const dropped = scene.metrics.messagesDroppedSlow;
    expect(dropped).toBeGreaterThan(150);
    expect(scene.hub.statistics.messagesDropped).toBe(dropped);
    client.transport.resume();
    await scene.clock.settle();
    expect(client.take("publish")).toHaveLength(200 - dropped);
    await from.publish("q0", "again");
    expect(client.texts()).toEqual(["again"]);
  });

  test("has its QoS 1 and 2 messages queued up to the limit, and gets them in order when it reads again", async () => {
    const scene = new Scene({
      sessions: { unsentBytesMax: 65_536, queuedMessagesMax: 40, whenQueueFull: "dropNewest" },
    });
    const { client, other, from } = await slow(scene);
    for (let i = 0; i < 100; i++) {
      await from.send(
        publishPacket(i % 2 === 0 ? "q1" : "q2", { payload: payload.with(0, i), qos: 1, packetId: i + 1 }),
      );
      for (const packet of other.packets.splice(0))
        if (packet.type === "publish") await other.ack("puback", packet.packetId);
    }
    expect(from.take("puback")).toHaveLength(100);
    expect(unsent(scene)).toBeLessThan(65_536 * 2 + 16_000);
    const dropped = scene.metrics.messagesDroppedFull;
    expect(dropped).toBeGreaterThan(20);
    expect(dropped).toBeLessThan(60);
    client.transport.resume();
    await scene.clock.settle();
    const got: (number | undefined)[] = [];
    for (let some = client.take("publish"); some.length > 0; some = client.take("publish")) {
      for (const packet of some) {
        got.push(packet.payload[0]);
        await client.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual(Array.from({ length: 100 - dropped }, (_, i) => i));
    await from.publish("q1", "again", { qos: 1, packetId: 1 });
    expect(client.texts()).toEqual(["again"]);
  });

  test("and is taken over gets what was on its way when it reads in time, DISCONNECT last", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 1_000_000 } });
    const { client, from } = await slow(scene);
    for (let i = 0; i < 60; i++) await from.send(publishPacket("q0", { payload }));
    await scene.client("slow");
    client.transport.resume();
    await scene.clock.settle();
    expect(client.take("publish")).toHaveLength(60);
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x8e }]);
    expect(client.closed).toBe(true);
  });

  test("and is told that the broker stops has the time it was given to take everything", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 1_000_000 } });
    const { client, from } = await slow(scene);
    for (let i = 0; i < 60; i++) await from.send(publishPacket("q0", { payload }));
    for (const connection of [...scene.context.connections]) connection.end(0x8b, 5_000);
    await scene.advance(4.9);
    expect(scene.context.connections.size).toBe(1);
    client.transport.resume();
    await scene.clock.settle();
    expect(client.take("publish")).toHaveLength(60);
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x8b }]);
  });

  test("and is taken over is cut off when it goes on not reading", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 1_000_000 } });
    const { client, from } = await slow(scene);
    for (let i = 0; i < 60; i++) await from.send(publishPacket("q0", { payload }));
    await scene.client("slow");
    expect(scene.context.connections.size).toBe(4);
    await scene.advance(1.1);
    expect(scene.context.connections.size).toBe(3);
    expect(client.closed).toBe(true);
  });
});

describe("a client that does not read the answers it asks for", () => {
  const pings = new Uint8Array(20_000).map((_, i) => (i % 2 === 0 ? 0xc0 : 0));

  test("is not read any further, and gets them all when it reads", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 65_536 } });
    const client = await scene.client("a");
    client.transport.pause();
    for (let i = 0; i < 30; i++) await client.write(pings);
    const [connection] = scene.context.connections;
    expect(connection?.outbox.unsentBytes).toBeLessThan(2 * 65_536 + 70_000);
    expect(scene.metrics.bytesReceived).toBeLessThan(300_000);
    client.transport.resume();
    await scene.clock.settle();
    expect(client.take("pingresp")).toHaveLength((30 * pings.length) / 2);
    await client.send({ type: "pingreq" });
    expect(client.packets).toEqual([{ type: "pingresp" }]);
  });

  test("is cut off by its keep alive when it never does", async () => {
    const scene = new Scene({ sessions: { unsentBytesMax: 65_536 } });
    const client = await scene.client("a", { keepAliveSeconds: 10 });
    client.transport.pause();
    for (let i = 0; i < 30; i++) await client.write(pings);
    await scene.advance(17);
    expect(scene.context.connections.size).toBe(0);
  });
});

describe("counters", () => {
  test("of bytes are those of the connections", async () => {
    const scene = new Scene();
    const client = scene.open();
    const packets = [connectPacket(), subscribePacket(["t"]), publishPacket("t", { qos: 1, packetId: 1 })];
    await client.send(...packets);
    expect(scene.metrics.bytesReceived).toBe(packets.reduce((sum, packet) => sum + encode(packet, 5).length, 0));
    expect(scene.metrics.bytesSent).toBe(client.packets.reduce((sum, packet) => sum + encode(packet, 5).length, 0));
  });

  test("of messages and clients say what happened", async () => {
    const scene = new Scene();
    const [a, b] = [await scene.client("a"), await scene.client("b")];
    for (const client of [a, b]) await client.subscribe("t");
    await a.publish("t", "four");
    await a.publish("nobody", "x");
    await b.drop();
    expect(scene.hub.statistics).toMatchObject({
      messagesIn: 2,
      bytesIn: 5,
      messagesOut: 2,
      bytesOut: 8,
      messagesUnmatched: 1,
      messagesDropped: 0,
    });
    expect(scene.metrics).toMatchObject({
      clientsAccepted: 2,
      clientsConnected: 1,
      clientsConnectedMax: 2,
      clientsRefused: 0,
    });
  });
});

describe("a text", () => {
  const ILL_FORMED = "eda080"; // a surrogate
  const NUL = "00";
  const text = (hex: string): string => `${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;
  const packet = (first: string, body: string): Uint8Array =>
    hexBytes(`${first}${(body.length / 2).toString(16).padStart(2, "0")}${body}`);
  const property = (id: string, value: string): string =>
    `${(value.length / 2 + 1).toString(16).padStart(2, "0")}${id}${value}`;

  test.each([
    ["topic", (bad: string) => packet("30", `${text(bad)}00`)],
    ["topic filter", (bad: string) => packet("82", `000a00${text(bad)}00`)],
    ["filter to unsubscribe", (bad: string) => packet("a2", `000a00${text(bad)}`)],
    ["response topic", (bad: string) => packet("30", `${text("74")}${property("08", text(bad))}`)],
    ["content type", (bad: string) => packet("30", `${text("74")}${property("03", text(bad))}`)],
    ["user property's name", (bad: string) => packet("30", `${text("74")}${property("26", text(bad) + text("61"))}`)],
    ["user property's value", (bad: string) => packet("30", `${text("74")}${property("26", text("61") + text(bad))}`)],
  ])(
    "as %s that is no UTF-8 or holds U+0000 ends the connection [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.3.2-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19] [MQTT-4.7.3-2]",
    async (_what, make) => {
      for (const bad of [ILL_FORMED, NUL, "ff", "61c0af"]) {
        const client = await new Scene().client("a");
        await client.write(make(bad));
        expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x81 }]);
        expect(client.closed).toBe(true);
      }
    },
  );

  test("that is no UTF-8 or holds U+0000 ends a 3.1.1 connection [MQTT3-1.5.3-1] [MQTT3-1.5.3-2] [MQTT3-3.3.2-1] [MQTT3-4.7.3-2]", async () => {
    for (const bad of [ILL_FORMED, NUL]) {
      for (const bytes of [packet("30", text(bad)), packet("82", `000a${text(bad)}00`)]) {
        const client = await new Scene().client("a", { level: 4 });
        await client.write(bytes);
        expect(client.closed).toBe(true);
      }
    }
  });

  test("as response topic with a wildcard ends the connection [MQTT-3.3.2-14]", async () => {
    for (const wildcard of ["2b", "612f23"]) {
      const client = await new Scene().client("a");
      await client.write(packet("30", `${text("74")}${property("08", text(wildcard))}`));
      expect(client.one("disconnect").reasonCode).toBe(0x81);
    }
  });

  test("as topic and filter may have 65,535 bytes [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", async () => {
    const scene = new Scene();
    const topic = "x".repeat(65_535);
    for (const level of [4, 5] as const) {
      const client = await scene.client("a", { level });
      expect(await client.subscribe(topic)).toEqual([2]);
      await client.publish(topic, "long");
      expect(client.one("publish").topic).toBe(topic);
    }
  });
});

describe("bytes on the wire", () => {
  /** Everything that the broker sends in answer to bytes, in hex. */
  async function answer(scene: Scene, hex: string): Promise<string> {
    let sent = "";
    const pair = memoryPair({ clock: scene.clock });
    const connection = new MqttConnection(scene.context);
    connection.onOpen(pair.server.attach(connection));
    pair.client.attach({
      onBytes: (chunk) => {
        sent += Buffer.from(chunk).toString("hex");
      },
      onDrain: () => undefined,
      onClosed: () => undefined,
    });
    pair.client.write(hexBytes(hex.replaceAll(" ", "")));
    await scene.clock.settle();
    return sent;
  }

  test("of 3.1.1 are what the specification says, and nothing else is needed [MQTT3-7.0.0-2] [MQTT3-3.2.2-1]", async () => {
    const connect = "100d 0004 4d515454 04 02 003c 0001 61";
    const subscribe = "8206 000a 0001 74 01";
    const publish = "3206 0001 74 0005 78";
    const unsubscribe = "a205 000b 0001 74";
    const sent = await answer(new Scene(), `${connect}${subscribe}${publish}${unsubscribe}c000`);
    expect(sent).toBe(["20020000", "9003000a01", "32060001740001" + "78", "b002000b", "d000", "40020005"].join(""));
  });

  test("of 5.0 have a property length of 0 where there are no properties, and no flags beside session present [MQTT-2.2.2-1] [MQTT-3.2.2-1]", async () => {
    const connect = "100e 0004 4d515454 05 02 003c 00 0001 61";
    const subscribe = "8207 000a 00 0001 74 01";
    const publish = "3207 0001 74 0005 00 78";
    const sent = await answer(new Scene(), `${connect}${subscribe}${publish}`);
    expect(sent).toMatch(/^20..0000/);
    expect(sent.slice(sent.indexOf("9004"))).toBe("9004000a0001" + "3207000174000100" + "78" + "40020005");
  });

  test("with a length that is written too long are refused [MQTT-1.5.5-1]", async () => {
    const client = await new Scene().client("a");
    await client.write(hexBytes("c08000"));
    expect(client.one("disconnect").reasonCode).toBe(0x81);
  });

  test("that trip up the broker itself end the connection they came on, and no other [MQTT3-4.8.0-2]", async () => {
    const scene = new Scene();
    const other = await scene.client("other");
    for (const level of [4, 5] as const) {
      const client = await scene.client("a", { level });
      const route = vi.spyOn(scene.hub, "publish").mockImplementationOnce(() => {
        throw new Error("a defect");
      });
      await client.publish("t", "x", { qos: 1, packetId: 1 });
      route.mockRestore();
      expect(client.take("puback")).toEqual([]);
      expect(client.closed).toBe(true);
    }
    await other.publish("t", "x", { qos: 1, packetId: 1 });
    expect(other.one("puback").packetId).toBe(1);
  });
});

describe("bytes in any pieces", () => {
  test("mean the same, and answers of one turn leave in one write [MQTT-6.0.0-2]", async () => {
    const packets = [
      connectPacket({ clientId: "a" }),
      subscribePacket(["#"]),
      publishPacket("t", { qos: 1, packetId: 1 }),
      publishPacket("t", { qos: 2, packetId: 2, properties: { userProperties: [["k", "v"]] } }),
      { type: "pingreq" } as const,
    ];
    const seen: unknown[] = [];
    for (const chunkBytes of [1_000_000, 7, 1]) {
      const client = new Scene().open(5, chunkBytes);
      await client.send(...packets);
      const types = client.packets.map((packet) => packet.type).sort();
      seen.push(types);
      if (chunkBytes === 1_000_000) expect(client.chunks).toBe(1);
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });
});
