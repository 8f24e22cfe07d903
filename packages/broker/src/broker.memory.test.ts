import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "./broker.ts";
import { MIB } from "./chaos/memory.test-support.ts";
import { publishPacket, subscribePacket, textOf } from "./sessions/mqtt/scene.test-support.ts";
import { SocketClient } from "./socket-client.test-support.ts";

/** Hundreds of clients, none of them beyond its own limits, against what all may hold together. Two others must not notice. */
const SESSIONS = 300;
const LIMIT = 8 * MIB;
const BODY = "x".repeat(64 * 1_024);

let broker: Broker;
let from: SocketClient;
let to: SocketClient;

beforeEach(async () => {
  broker = await startBroker({ port: 0, sysIntervalSeconds: 0, sessions: { heldBytesMax: LIMIT } });
  to = await SocketClient.connect(broker.port, { clientId: "witness-to" });
  from = await SocketClient.connect(broker.port, { clientId: "witness-from" });
  to.send(subscribePacket(["witness"]));
  await to.next("suback");
});

afterEach(async () => {
  for (const client of [from, to]) client.destroy();
  await broker.close();
});

async function undisturbed(): Promise<void> {
  for (const packetId of [1, 2, 3]) {
    from.send(publishPacket("witness", { qos: 1, packetId, text: `still ${packetId}` }));
    expect((await from.next("puback")).reasonCode).toBe(0);
    const { payload, packetId: id } = await to.next("publish");
    expect(textOf(payload)).toBe(`still ${packetId}`);
    to.send({ type: "puback", packetId: id, reasonCode: 0, properties: null });
  }
  expect(broker.inspect().metrics.internalErrors).toBe(0);
}

/** Publishes one after the other, and counts the reason codes. */
async function flood(topics: readonly string[], retain: boolean): Promise<Map<number, number>> {
  const evil = await SocketClient.connect(broker.port, { clientId: "flood" });
  const codes = new Map<number, number>();
  for (const topic of topics) {
    evil.send(publishPacket(topic, { qos: 1, packetId: 1, text: BODY, retain }));
    const { reasonCode } = await evil.next("puback");
    codes.set(reasonCode, (codes.get(reasonCode) ?? 0) + 1);
  }
  evil.destroy();
  return codes;
}

describe("a flood", () => {
  test("of large messages to hundreds of sessions that are away stays below the limit", async () => {
    const properties = { sessionExpirySeconds: 3_600 };
    for (let i = 0; i < SESSIONS; i++) {
      const away = await SocketClient.connect(broker.port, { clientId: `away${i}`, properties });
      away.send(subscribePacket([`to/${i}`]));
      await away.next("suback");
      away.destroy();
      await away.closed;
    }
    const topics = Array.from({ length: SESSIONS }, (_, i) => `to/${i}`);
    const codes = await flood(topics, false);
    const taken = codes.get(0) ?? 0;
    expect(taken).toBeGreaterThan(90);
    expect(codes.get(0x97)).toBe(SESSIONS - taken);
    expect(broker.inspect().heldBytes).toBeLessThan(LIMIT);
    expect(broker.inspect().heldRefusedCount).toBe(SESSIONS - taken);
    await undisturbed();
  });

  test("of retained messages stays below the limit", async () => {
    const topics = Array.from({ length: SESSIONS }, (_, i) => `r/${i}`);
    const codes = await flood(topics, true);
    const { retainedCount, heldBytes } = broker.inspect();
    expect(retainedCount).toBeGreaterThan(90);
    expect(codes.get(0x97)).toBe(SESSIONS - retainedCount);
    expect(heldBytes).toBeLessThan(LIMIT);
    await undisturbed();
  });
});
