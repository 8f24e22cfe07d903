import { describe, expect, test } from "vitest";
import { connected, type Setup, setup, stateOf } from "./client-setup.test-support.ts";

/** The first bytes of the frames that the server got, by packet type. */
function firstBytes(frames: readonly Uint8Array[]): Map<number, number> {
  return new Map(frames.map((frame) => [(frame[0] ?? 0) >> 4, frame[0] ?? 0]));
}

describe.each([4, 5] as const)("on the wire at level %i", (protocolVersion) => {
  test('the protocol name is "MQTT" and the level is its own [MQTT-3.1.2-1]', async () => {
    const stage = await connected({ protocolVersion });
    const name = stage.link.frames[0]?.subarray(2, 9);
    expect(name).toEqual(Uint8Array.of(0, 4, 0x4d, 0x51, 0x54, 0x54, protocolVersion));
    await stage.finish();
  });

  test("fixed header flags are those of the specification [MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT3-2.2.2-1] [MQTT3-3.6.1-1] [MQTT3-3.8.1-1] [MQTT3-3.10.1-1]", async () => {
    const stage = await connected({ protocolVersion, keepAliveSeconds: 1 });
    const { client, link } = stage;
    await stage.now(client.subscribe("t", { qos: 2, handler: () => undefined }));
    await stage.now(client.publish("x", "x", { qos: 2 }));
    link.publish("t", "x", { qos: 1 });
    link.publish("t", "x", { qos: 2 });
    await stage.clock.advance(2_000);
    await stage.now(client.unsubscribe("t"));
    await stage.now(client.disconnect());
    expect([...firstBytes(link.frames)].sort(([a], [b]) => a - b)).toEqual([
      [1, 0x10],
      [3, 0x34],
      [4, 0x40],
      [5, 0x50],
      [6, 0x62],
      [7, 0x70],
      [8, 0x82],
      [10, 0xa2],
      [12, 0xc0],
      [14, 0xe0],
    ]);
    await stage.finish();
  });

  test("a user name that is not UTF-8 is never sent [MQTT-3.1.3-12] [MQTT3-3.1.3-11]", async () => {
    for (const username of ["\ud800", "a\0b"]) {
      const stage = setup({ protocolVersion, username });
      await stage.refused(stage.client.connect(), "ERR_INVALID_ARGUMENT");
      expect(stage.server.connections.flatMap((each) => each.frames)).toEqual([]);
      await stage.finish();
    }
  });

  test("DUP of a message that is passed on says nothing of the one received [MQTT-3.3.1-3]", async () => {
    const stage = await connected({ protocolVersion });
    const passed: Promise<unknown>[] = [];
    const handler = (message: { payload: Uint8Array; dup: boolean }): void => {
      expect(message.dup).toBe(true);
      passed.push(stage.client.publish("out", message.payload, { qos: 1 }));
    };
    await stage.now(stage.client.subscribe("in", { qos: 1, handler }));
    const body = protocolVersion === 5 ? [0, 0x78] : [0x78];
    stage.link.sendBytes(Uint8Array.of(0x3a, 6 + body.length, 0, 2, 0x69, 0x6e, 0, 9, ...body));
    await stage.clock.settle();
    await stage.now(Promise.all(passed));
    expect(stage.server.received).toMatchObject([{ topic: "out", dup: false }]);
    await stage.finish();
  });

  test("state of a session without expiry lives as long as its connection [MQTT-4.1.0-1] [MQTT3-4.1.0-2]", async () => {
    const stage = await connected({ protocolVersion, ackTimeoutMs: 0, server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    await stage.clock.advance(3_600_000);
    expect(await stateOf(publishing)).toBe("pending");
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    await stage.now(publishing);
    await stage.finish();
  });
});

test("a PUBREC for an unknown packet id is answered by PUBREL 0x92 [MQTT-3.6.2-1]", async () => {
  const stage = await connected({ protocolVersion: 5, server: { mode: "engine" } });
  stage.server.options = { mode: "raw" };
  stage.link.send({ type: "pubrec", packetId: 99, reasonCode: 0, properties: null });
  await stage.clock.settle();
  expect(stage.link.take("pubrel")).toEqual([{ type: "pubrel", packetId: 99, reasonCode: 0x92, properties: null }]);
  await stage.finish();
});

test("reason string and user properties of DISCONNECT are left out when they are too large for the server [MQTT-3.14.2-3] [MQTT-3.14.2-4]", async () => {
  const stage = await connected({
    protocolVersion: 5,
    server: { onConnect: () => ({ properties: { maximumPacketSize: 60 } }) },
  });
  await stage.now(
    stage.client.disconnect({ reasonCode: 0x04, reasonString: "x".repeat(70), userProperties: { a: "y".repeat(70) } }),
  );
  expect(stage.link.take("disconnect")).toEqual([{ type: "disconnect", reasonCode: 0x04, properties: null }]);
  await stage.finish();
});

test("a QoS 2 message that has expired on the way is completed all the same [MQTT-4.3.3-7] [MQTT-4.3.3-13]", async () => {
  const lasting: Setup = { protocolVersion: 5, sessionExpirySeconds: 0xffff_ffff };
  const stage = await connected({
    ...lasting,
    answer: (_, count) => (count === 1 || count > 5 ? "server" : new Error("down")),
  });
  stage.server.options = { mode: "raw" };
  const publishing = stage.promises.track(
    stage.client.publish("t", "x", { qos: 2, properties: { messageExpirySeconds: 1 } }),
  );
  await stage.clock.settle();
  stage.server.options = {};
  stage.link.cut();
  await stage.clock.advance(3_600_000);
  await stage.now(publishing);
  expect(stage.link.types().slice(0, 3)).toEqual(["connect", "publish", "pubrel"]);
  await stage.finish();
});
