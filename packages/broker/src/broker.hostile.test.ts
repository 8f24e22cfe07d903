import { randomInteger, seededRandom } from "polymq/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "./broker.ts";
import { MemoryGauge, MIB } from "./chaos/memory.test-support.ts";
import {
  connectPacket,
  encode,
  hexBytes,
  publishPacket,
  subscribePacket,
  textOf,
} from "./sessions/mqtt/scene.test-support.ts";
import { SocketClient } from "./socket-client.test-support.ts";

/** A broker with a witness: two well-behaved clients whose messages must go on arriving. */
let broker: Broker;
let from: SocketClient;
let to: SocketClient;

beforeEach(async () => {
  broker = await startBroker({ port: 0, sysIntervalSeconds: 0, mqtt: { receiveMaximum: 100 } });
  to = await SocketClient.connect(broker.port, { clientId: "witness-to" });
  from = await SocketClient.connect(broker.port, { clientId: "witness-from" });
  to.send(subscribePacket(["witness"]));
  await to.next("suback");
});

afterEach(async () => {
  for (const client of [from, to]) client.destroy();
  await broker.close();
});

/** The witnesses talk: the broker is alive, and has neither mixed up nor lost anything of theirs. */
async function undisturbed(): Promise<void> {
  for (const qos of [1, 2] as const) {
    from.send(publishPacket("witness", { qos, packetId: qos, text: `still ${qos}` }));
    expect((await from.next(qos === 1 ? "puback" : "pubrec")).reasonCode).toBe(0);
    expect(textOf((await to.next("publish")).payload)).toBe(`still ${qos}`);
  }
  from.send({ type: "pubrel", packetId: 2, reasonCode: 0, properties: null });
  await from.next("pubcomp");
  expect(broker.inspect().metrics.internalErrors).toBe(0);
}

/** What is held more than at the start; the bytes of what was collected are given back some turns later. */
async function heldBytes(memory: MemoryGauge): Promise<number> {
  memory.grownBytes();
  await undisturbed();
  return memory.grownBytes();
}

/** Says what an evil client has to say; resolves with the code of the DISCONNECT that it gets, or null without one. */
async function say(draft: { readonly level?: 4 | 5 }, ...parts: readonly Uint8Array[]): Promise<number | null> {
  const evil = await SocketClient.connect(broker.port, { clientId: "evil", ...draft });
  for (const part of parts) evil.write(part);
  await evil.closed;
  const goodbye = evil.packets.find((packet) => packet.type === "disconnect");
  return goodbye?.type === "disconnect" ? goodbye.reasonCode : null;
}

describe("random bytes", () => {
  test("in place of CONNECT end the connection, and nobody else notices", async () => {
    const random = seededRandom(1);
    for (let i = 0; i < 150; i++) {
      const bytes = new Uint8Array(randomInteger(random, 1, 300)).map(() => randomInteger(random, 0, 255));
      if (i % 2 === 0) bytes[0] = 0x10;
      const evil = await SocketClient.open(broker.port);
      evil.write(bytes);
      evil.socket.end();
      await evil.closed;
    }
    await undisturbed();
    expect(broker.inspect().attachedCount).toBe(2);
  });

  test("behind CONNECT end the connection, and nobody else notices", async () => {
    const random = seededRandom(2);
    for (let i = 0; i < 150; i++) {
      const bytes = new Uint8Array(randomInteger(random, 2, 300)).map(() => randomInteger(random, 0, 255));
      const evil = await SocketClient.connect(broker.port, { clientId: `evil${i}`, level: i % 2 === 0 ? 4 : 5 });
      evil.write(bytes);
      evil.socket.end();
      await evil.closed;
    }
    await undisturbed();
    expect(broker.inspect().attachedCount).toBe(2);
  });

  test("in place of a bit here and there never harm the others", async () => {
    const random = seededRandom(3);
    const talk = [
      connectPacket({ clientId: "flip", properties: { sessionExpirySeconds: 0, userProperties: [["a", "b"]] } }),
      subscribePacket(["a/+", "$share/g/b"], { properties: { subscriptionIdentifier: 3 } }),
      publishPacket("a/b", { qos: 1, packetId: 1, properties: { contentType: "c", userProperties: [["k", "v"]] } }),
      publishPacket("b", { qos: 2, packetId: 2 }),
      { type: "pubrel", packetId: 2, reasonCode: 0, properties: null },
      { type: "unsubscribe", packetId: 5, filters: ["a/+"], properties: null },
    ] as const;
    const whole = Buffer.concat(talk.map((packet) => encode(packet, 5)));
    for (let i = 0; i < 200; i++) {
      const bytes = new Uint8Array(whole);
      for (let flips = randomInteger(random, 1, 3); flips > 0; flips--) {
        const at = randomInteger(random, 0, bytes.length - 1);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInteger(random, 0, 7));
      }
      const evil = await SocketClient.open(broker.port);
      // It may be told things that its own decoder cannot read, when its level was flipped.
      evil.socket.removeAllListeners("data");
      evil.socket.resume();
      evil.write(bytes.subarray(0, randomInteger(random, 1, bytes.length)));
      evil.socket.end();
      await evil.closed;
    }
    await undisturbed();
    expect(broker.inspect().attachedCount).toBe(2);
  });
});

describe("a length that is only claimed", () => {
  test("of 2^28 bytes ends the connection with 0x95 at once", async () => {
    expect(await say({}, hexBytes("30ffffff7f"))).toBe(0x95);
    expect(await say({ level: 4 }, hexBytes("30ffffff7f"))).toBeNull();
    await undisturbed();
  });

  test("in CONNECT too", async () => {
    const evil = await SocketClient.open(broker.port);
    evil.write(hexBytes("10ffffff7f0004"));
    await evil.closed;
    await undisturbed();
  });

  test("within the limit reserves no memory", async () => {
    const clients: SocketClient[] = [];
    const memory = new MemoryGauge();
    for (let i = 0; i < 100; i++) {
      const evil = await SocketClient.connect(broker.port, { clientId: `claims${i}` });
      // A PUBLISH of 1 MiB of which 12 bytes come.
      evil.write(hexBytes("3080804000017400 00000000".replaceAll(" ", "")));
      evil.send();
      clients.push(evil);
    }
    await undisturbed();
    expect(await heldBytes(memory)).toBeLessThan(20 * MIB);
    for (const evil of clients) evil.destroy();
  });

  test.each([
    ["a topic longer than its packet", "3004ffff7400", 0x81],
    ["properties longer than their packet", "300600017405 0000", 0x81],
    ["a user property cut short", "3009000174052600016100", 0x81],
    ["a filter longer than its packet", "8208000100ffff617400", 0x81],
  ])("%s is malformed", async (_name, hex, code) => {
    expect(await say({}, hexBytes(hex.replaceAll(" ", "")))).toBe(code);
    await undisturbed();
  });
});

describe("packets in the wrong place", () => {
  test.each([
    ["a second CONNECT", encode(connectPacket(), 5), 0x82],
    ["CONNACK", hexBytes("2003000000"), 0x82],
    ["SUBACK", hexBytes("9004000a0000"), 0x82],
    ["PINGRESP", hexBytes("d000"), 0x82],
    ["AUTH", hexBytes("f000"), 0x82],
    ["PUBREC for a QoS 1 message", hexBytes("50020001"), null],
  ])("%s", async (name, bytes, code) => {
    if (code !== null) {
      expect(await say({}, bytes)).toBe(code);
      await undisturbed();
      return;
    }
    expect(name).toContain("PUBREC");
    const evil = await SocketClient.connect(broker.port, { clientId: "evil" });
    evil.send(subscribePacket([{ filter: "mine", qos: 1 }]), publishPacket("mine", { qos: 1, packetId: 1 }));
    const { packetId } = await evil.next("publish");
    evil.send({ type: "pubrec", packetId, reasonCode: 0, properties: null });
    await evil.closed;
    expect((await evil.next("disconnect")).reasonCode).toBe(0x82);
    await undisturbed();
  });

  test("before CONNECT end the connection", async () => {
    for (const hex of ["c000", "300300017478", "82060001000001 7400", "e000"]) {
      const evil = await SocketClient.open(broker.port);
      evil.write(hexBytes(hex.replaceAll(" ", "")));
      await evil.closed;
      expect(evil.packets).toEqual([]);
    }
    await undisturbed();
  });
});

describe("property lists", () => {
  test("with a thousand entries are taken, one with more ends the connection", async () => {
    const user = hexBytes("2600016b000176");
    const packet = (count: number): Uint8Array => {
      const properties = Buffer.concat(Array.from({ length: count }, () => user));
      const length = properties.length;
      const body = Buffer.concat([hexBytes("000174"), Uint8Array.of((length & 0x7f) | 0x80, length >> 7), properties]);
      return Buffer.concat([Uint8Array.of(0x30, (body.length & 0x7f) | 0x80, body.length >> 7), body]);
    };
    expect(await say({}, packet(1_001))).toBe(0x81);
    const fine = await SocketClient.connect(broker.port, { clientId: "fine" });
    fine.write(packet(1_000));
    fine.send({ type: "pingreq" });
    await fine.next("pingresp");
    fine.destroy();
    await undisturbed();
  });

  test("with one property twice end the connection with 0x82", async () => {
    expect(await say({}, hexBytes("30080001740401000100"))).toBe(0x82);
    await undisturbed();
  });
});

describe("topic aliases", () => {
  test.each([
    ["0", "30070001740323000000", 0x94],
    ["above the maximum", "300700017403230021", 0x94],
    ["never set", "3006000003230005", 0x94],
  ])("that are %s end the connection with 0x94", async (_name, hex, code) => {
    expect(await say({}, hexBytes(hex))).toBe(code);
    await undisturbed();
  });
});

describe("names that mean something to the language", () => {
  test("are topics, filters, client ids and user properties like any others", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "__proto__/__proto__"];
    for (const clientId of names) {
      const client = await SocketClient.connect(broker.port, {
        clientId,
        will: { topic: clientId, payload: new Uint8Array(0), qos: 0, retain: false, properties: null },
        properties: { userProperties: [["__proto__", "x"]] },
      });
      client.send(subscribePacket([...names, "$share/__proto__/#"]));
      expect((await client.next("suback")).reasonCodes).toEqual([2, 2, 2, 2, 2, 2]);
      for (const topic of names) {
        client.send(
          publishPacket(topic, { text: topic, retain: true, properties: { userProperties: [[topic, topic]] } }),
        );
      }
      client.send({ type: "unsubscribe", packetId: 9, filters: ["valueOf", "__proto__"], properties: null });
      expect((await client.next("unsuback")).reasonCodes).toEqual([0x11, 0]);
      client.destroy();
      await client.closed;
    }
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
    expect(broker.inspect().retainedCount).toBe(names.length);
    await undisturbed();
  });
});

describe("floods", () => {
  test("of 10,000 subscriptions and more are cut off at the limit", async () => {
    const evil = await SocketClient.connect(broker.port, { clientId: "evil" });
    const codes: number[] = [];
    for (let i = 0; i < 11; i++) {
      const filters = Array.from({ length: 1_000 }, (_, n) => `${i}/+/${n}/#`);
      evil.send(subscribePacket(filters, { packetId: i + 1 }));
      codes.push(...(await evil.next("suback")).reasonCodes);
    }
    expect(codes.filter((code) => code === 2)).toHaveLength(10_000);
    expect(codes.slice(10_000).every((code) => code === 0x97)).toBe(true);
    await undisturbed();
    evil.destroy();
    await evil.closed;
    await undisturbed();
    expect(broker.inspect().subscriptionCount).toBe(1);
  });

  test("of QoS 2 messages over the receive maximum end with 0x93; those before it were taken", async () => {
    const flood = Array.from({ length: 500 }, (_, i) => encode(publishPacket("flood", { qos: 2, packetId: i + 1 }), 5));
    const evil = await SocketClient.connect(broker.port, { clientId: "evil" });
    evil.write(Buffer.concat(flood));
    await evil.closed;
    expect((await evil.next("disconnect")).reasonCode).toBe(0x93);
    expect(broker.inspect().statistics["messagesUnmatched"]).toBe(100);
    await undisturbed();
  });

  test("of QoS 0 messages to a client that does not read leave memory bounded and the others alone", async () => {
    const lazy = await SocketClient.connect(broker.port, { clientId: "lazy" });
    lazy.send(subscribePacket([{ filter: "flood", qos: 0 }]));
    await lazy.next("suback");
    lazy.socket.pause();
    const evil = await SocketClient.connect(broker.port, { clientId: "evil" });
    const memory = new MemoryGauge();
    const block = Buffer.concat(
      Array.from({ length: 64 }, () => encode(publishPacket("flood", { payload: new Uint8Array(16_000) }), 5)),
    );
    for (let i = 0; i < 60; i++) {
      if (!evil.socket.write(block)) await new Promise<void>((resolve) => evil.socket.once("drain", resolve));
    }
    evil.send({ type: "pingreq" });
    await evil.next("pingresp");
    // 58 MiB came in; the limit for one client is 4 MiB.
    expect(await heldBytes(memory)).toBeLessThan(15 * MIB);
    expect(broker.inspect().metrics.messagesDroppedSlow).toBeGreaterThan(1_000);
    await undisturbed();
    for (const client of [lazy, evil]) client.destroy();
  });

  test("of connections that come and go leave nothing behind", async () => {
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(
        Array.from({ length: 40 }, (_, i) => SocketClient.connect(broker.port, { clientId: `c${i % 20}` })),
      );
      for (const client of clients) client.destroy();
      await Promise.all(clients.map((client) => client.closed));
    }
    await undisturbed();
    expect(broker.inspect()).toMatchObject({ sessionCount: 2, attachedCount: 2 });
  });
});
