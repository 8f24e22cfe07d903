import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../base/errors.ts";
import { randomInteger, seededRandom } from "../../testing/seeded-random.ts";
import { connected, type Stage } from "./client-setup.test-support.ts";
import { encoded } from "./fake-server.test-support.ts";

/** What the connection ended with, and the reason code of our DISCONNECT, or null for none. */
async function ending(stage: Stage, bytes: Uint8Array): Promise<{ code: ErrorCode | undefined; said: number | null }> {
  const link = stage.link;
  link.take();
  link.sendBytes(bytes);
  await stage.clock.advance(2_000);
  const code = stage.of("connectionLost").at(-1)?.error.code;
  return { code, said: link.take("disconnect")[0]?.reasonCode ?? null };
}

const publishQoS2 = (packetId: number): Uint8Array =>
  Uint8Array.of(0x34, 7, 0, 1, 0x74, packetId >> 8, packetId & 255, 0, 0x61);

describe("a 5.0 server that breaks the protocol gets the right DISCONNECT, and the client reconnects", () => {
  test.each([
    [
      "an alias that was never announced [MQTT-3.1.2-26] [MQTT-3.3.2-11]",
      Uint8Array.of(0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 1),
      "ERR_TOPIC_ALIAS_INVALID",
      0x94,
    ],
    ["an alias that stands for nothing", Uint8Array.of(0x30, 6, 0, 0, 3, 0x23, 0, 1), "ERR_TOPIC_ALIAS_INVALID", 0x94],
    ["alias 0 [MQTT-3.3.2-8]", Uint8Array.of(0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 0), "ERR_TOPIC_ALIAS_INVALID", 0x94],
    ["an empty topic without alias", Uint8Array.of(0x30, 3, 0, 0, 0), "ERR_PROTOCOL_VIOLATION", 0x82],
    ["a topic with a wildcard [MQTT-3.3.2-2]", Uint8Array.of(0x30, 4, 0, 1, 0x23, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["a topic that is not UTF-8 [MQTT-1.5.4-1]", Uint8Array.of(0x30, 4, 0, 1, 0xff, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["a topic with U+0000 [MQTT-1.5.4-2]", Uint8Array.of(0x30, 4, 0, 1, 0, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["QoS 3 [MQTT-3.3.1-4]", Uint8Array.of(0x36, 6, 0, 1, 0x74, 0, 1, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["DUP at QoS 0 [MQTT-3.3.1-2]", Uint8Array.of(0x38, 4, 0, 1, 0x74, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["packet id 0", Uint8Array.of(0x32, 6, 0, 1, 0x74, 0, 0, 0), "ERR_MALFORMED_PACKET", 0x81],
    [
      "a remaining length in five bytes [MQTT-1.5.5-1]",
      Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01),
      "ERR_MALFORMED_PACKET",
      0x81,
    ],
    ["packet type 0", Uint8Array.of(0x00, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["wrong flags of PUBREL [MQTT-2.1.3-1] [MQTT-3.6.1-1]", Uint8Array.of(0x60, 2, 0, 1), "ERR_MALFORMED_PACKET", 0x81],
    ["wrong flags of AUTH [MQTT-3.15.1-1]", Uint8Array.of(0xf1, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["wrong flags of DISCONNECT [MQTT-3.14.1-1]", Uint8Array.of(0xe1, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["a property twice", Uint8Array.of(0x30, 8, 0, 1, 0x74, 4, 1, 0, 1, 0), "ERR_PROTOCOL_VIOLATION", 0x82],
    ["an unknown property", Uint8Array.of(0x30, 6, 0, 1, 0x74, 2, 0x7f, 0), "ERR_MALFORMED_PACKET", 0x81],
    ["a property list longer than its packet", Uint8Array.of(0x30, 4, 0, 1, 0x74, 9), "ERR_MALFORMED_PACKET", 0x81],
    [
      "a PUBACK code that does not exist [MQTT-3.4.2-1]",
      Uint8Array.of(0x40, 3, 0, 1, 0x33),
      "ERR_PROTOCOL_VIOLATION",
      0x82,
    ],
    ["a second CONNACK [MQTT-3.2.0-2]", Uint8Array.of(0x20, 3, 0, 0, 0), "ERR_UNEXPECTED_PACKET", 0x82],
    [
      "a CONNECT",
      encoded(
        {
          type: "connect",
          level: 5,
          cleanStart: true,
          keepAliveSeconds: 0,
          clientId: "x",
          username: null,
          password: null,
          will: null,
          properties: null,
        },
        5,
      ),
      "ERR_UNEXPECTED_PACKET",
      0x82,
    ],
    ["a SUBSCRIBE", Uint8Array.of(0x82, 7, 0, 1, 0, 0, 1, 0x74, 0), "ERR_UNEXPECTED_PACKET", 0x82],
    ["a PINGREQ", Uint8Array.of(0xc0, 0), "ERR_UNEXPECTED_PACKET", 0x82],
    ["a SUBACK that nobody waits for", Uint8Array.of(0x90, 4, 0, 9, 0, 0), "ERR_PROTOCOL_VIOLATION", 0x82],
    ["an UNSUBACK that nobody waits for", Uint8Array.of(0xb0, 4, 0, 9, 0, 0), "ERR_PROTOCOL_VIOLATION", 0x82],
  ] as const)("%s [MQTT-4.13.2-1]", async (_, bytes, code, said) => {
    const stage = await connected({ protocolVersion: 5 });
    expect(await ending(stage, bytes)).toEqual({ code, said });
    expect(stage.client.state).toBe("connected");
    expect(stage.server.connections).toHaveLength(2);
    await stage.now(stage.client.publish("t", "x", { qos: 1 }));
    await stage.finish();
  });

  test("a packet above our maximum packet size: 0x95, and nothing of it is kept [MQTT-3.1.2-24]", async () => {
    const stage = await connected({ protocolVersion: 5, maximumPacketSize: 100 });
    expect(await ending(stage, Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f))).toEqual({
      code: "ERR_PACKET_TOO_LARGE",
      said: 0x95,
    });
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("more QoS 1 and 2 messages than our receive maximum: 0x93 [MQTT-3.3.4-9]", async () => {
    const stage = await connected({ protocolVersion: 5, receiveMaximum: 3 });
    await stage.now(
      stage.client.subscribe("t", { qos: 2, handler: () => new Promise(() => undefined), concurrency: 10 }),
    );
    stage.server.options = { mode: "raw" };
    const link = stage.link;
    for (let id = 1; id <= 3; id++) link.sendBytes(publishQoS2(id));
    await stage.clock.settle();
    expect(stage.of("connectionLost")).toEqual([]);
    stage.server.options = {};
    expect(await ending(stage, publishQoS2(4))).toEqual({ code: "ERR_RECEIVE_MAXIMUM_EXCEEDED", said: 0x93 });
    await stage.finish();
  });

  test("QoS 2 ids without their PUBREL count against the receive maximum, so a flood is bounded", async () => {
    const stage = await connected({ protocolVersion: 5, receiveMaximum: 5 });
    await stage.now(stage.client.subscribe("t", { qos: 2, handler: () => undefined }));
    stage.server.options = { mode: "raw" };
    const link = stage.link;
    for (let id = 1; id <= 5; id++) link.sendBytes(publishQoS2(id));
    await stage.clock.settle();
    expect(link.take("pubrec")).toHaveLength(5);
    stage.server.options = {};
    expect(await ending(stage, publishQoS2(6))).toEqual({ code: "ERR_RECEIVE_MAXIMUM_EXCEEDED", said: 0x93 });
    await stage.finish();
  });

  test.each([
    ["too few", [0]],
    ["too many", [0, 0, 0]],
  ])("a SUBACK with %s reason codes", async (_, codes) => {
    const stage = await connected({ protocolVersion: 5, server: { onSubscribe: () => codes } });
    const link = stage.link;
    await stage.refused(stage.client.subscribe(["a", "b"]), "ERR_PROTOCOL_VIOLATION");
    await stage.clock.settle();
    expect(link.take("disconnect")[0]?.reasonCode).toBe(0x82);
    stage.server.options = {};
    await stage.clock.advance(2_000);
    await stage.now(stage.client.subscribe("a"));
    await stage.finish();
  });

  test("an UNSUBACK with a wrong number of reason codes", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onUnsubscribe: () => [0, 0] } });
    await stage.refused(stage.client.unsubscribe("a"), "ERR_PROTOCOL_VIOLATION");
    await stage.clock.settle();
    expect(stage.of("connectionLost")).toHaveLength(1);
    await stage.finish();
  });

  test.each([
    ["PUBREC for a QoS 1 message", { type: "pubrec" }],
    ["PUBCOMP for a QoS 1 message", { type: "pubcomp" }],
  ] as const)("%s", async (_, { type }) => {
    const stage = await connected({ protocolVersion: 5, server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    await stage.clock.settle();
    const packetId = stage.server.received[0]?.packetId ?? 0;
    stage.server.options = {};
    expect((await ending(stage, encoded({ type, packetId, reasonCode: 0, properties: null }, 5))).code).toBe(
      "ERR_PROTOCOL_VIOLATION",
    );
    await stage.now(publishing);
    await stage.finish();
  });

  test("acknowledgements of unknown packet ids are no reason to end a connection", async () => {
    const stage = await connected({ protocolVersion: 5 });
    for (const type of ["puback", "pubrec", "pubcomp", "pubrel"] as const) {
      stage.link.send({ type, packetId: 4_711, reasonCode: 0, properties: null });
    }
    await stage.clock.settle();
    expect(stage.of("connectionLost")).toEqual([]);
    await stage.finish();
  });
});

describe("a 3.1.1 server that breaks the protocol is left without a word [MQTT3-4.8.0-1]", () => {
  test.each([
    ["wrong flags [MQTT3-2.2.2-2]", Uint8Array.of(0x41, 2, 0, 1)],
    ["QoS 3 [MQTT3-3.3.1-4]", Uint8Array.of(0x36, 5, 0, 1, 0x74, 0, 1)],
    ["a topic with U+0000 [MQTT3-1.5.3-2]", Uint8Array.of(0x30, 3, 0, 1, 0)],
    ["a topic that is not UTF-8 [MQTT3-1.5.3-1]", Uint8Array.of(0x30, 3, 0, 1, 0xc0)],
    ["wrong flags of PUBREL [MQTT3-3.6.1-1]", Uint8Array.of(0x60, 2, 0, 1)],
    ["an AUTH", Uint8Array.of(0xf0, 0)],
    ["a SUBACK with code 3", Uint8Array.of(0x90, 3, 0, 1, 3)],
  ])("%s", async (_, bytes) => {
    const stage = await connected({ protocolVersion: 4 });
    const { code, said } = await ending(stage, bytes);
    expect(["ERR_MALFORMED_PACKET", "ERR_PROTOCOL_VIOLATION", "ERR_UNEXPECTED_PACKET"]).toContain(code);
    expect(said).toBeNull();
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });
});

describe("random bytes", () => {
  test.each([4, 5] as const)(
    "at level %i end in a typed error and a new connection, never in anything else",
    async (protocolVersion) => {
      const random = seededRandom(protocolVersion);
      const stage = await connected({ protocolVersion, topicAliasMaximum: 5, reconnect: { delay: () => 1 } });
      await stage.now(stage.client.subscribe("#", { qos: 2, handler: () => undefined }));
      for (let round = 0; round < 150; round++) {
        const bytes = new Uint8Array(randomInteger(random, 1, 60)).map(() => randomInteger(random, 0, 255));
        const link = stage.link;
        link.sendBytes(bytes);
        await stage.clock.advance(10);
        // What looks like the start of a long packet waits for its rest: the link breaks before it comes.
        if (link.ended === "open") link.cut();
        await stage.clock.advance(1_100);
        expect(stage.client.state).toBe("connected");
      }
      expect(stage.of("connectionLost").length).toBe(150);
      await stage.now(stage.client.publish("t", "alive", { qos: 1 }));
      await stage.finish();
    },
  );

  test("in the place of valid packets, one flipped bit at a time, harm nobody either", async () => {
    const random = seededRandom(99);
    const stage = await connected({ protocolVersion: 5, reconnect: { delay: () => 1 } });
    await stage.now(stage.client.subscribe("#", { qos: 2, handler: () => undefined }));
    const packet = encoded(
      {
        type: "publish",
        topic: "some/topic",
        payload: Uint8Array.of(1, 2, 3),
        qos: 2,
        retain: false,
        dup: false,
        packetId: 5,
        properties: { contentType: "c", userProperties: [["a", "b"]], subscriptionIdentifiers: [3] },
      },
      5,
    );
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const flipped = packet.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      stage.link.sendBytes(flipped);
      await stage.clock.advance(5);
      if (stage.link.ended === "open" && random() < 0.5) stage.link.cut();
      await stage.clock.advance(1_100);
      expect(stage.client.state).toBe("connected");
    }
    await stage.finish();
  });
});
