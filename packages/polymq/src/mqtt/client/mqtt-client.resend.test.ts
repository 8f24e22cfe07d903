import { describe, expect, test } from "vitest";
import { connected, type Setup, type Stage, stateOf } from "./client-setup.test-support.ts";

describe("messages in flight", () => {
  const persistent: Setup = { protocolVersion: 5, sessionExpirySeconds: 60 };

  /** A client with messages "0", "1", … in flight, alternating QoS 1 and 2, none of which the server has answered. */
  async function inFlight(count: number, options: Setup): Promise<{ stage: Stage; all: Promise<unknown>[] }> {
    const stage = await connected({ ...options });
    stage.server.options = { mode: "raw" };
    const all = Array.from({ length: count }, (_, i) =>
      stage.promises.track(stage.client.publish("t", String(i), { qos: i % 2 === 0 ? 1 : 2 })),
    );
    await stage.clock.settle();
    stage.link.take();
    stage.server.options = {};
    return { stage, all };
  }

  test.each([
    ["5.0", persistent],
    ["3.1.1", { protocolVersion: 4, cleanStart: false }],
  ] as const)(
    "of %s are sent again with DUP, their packet ids and in order [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT3-2.3.1-3] [MQTT3-3.3.1-1] [MQTT3-4.4.0-1] [MQTT3-4.6.0-1]",
    async (_, options) => {
      const { stage, all } = await inFlight(5, options);
      stage.server.options = { mode: "raw" };
      stage.link.cut();
      await stage.clock.settle();
      stage.link.send({ type: "connack", sessionPresent: true, reasonCode: 0, properties: null });
      await stage.clock.settle();
      const again = stage.link.take("publish");
      expect(again.map((packet) => [new TextDecoder().decode(packet.payload), packet.packetId, packet.dup])).toEqual([
        ["0", 1, true],
        ["1", 2, true],
        ["2", 3, true],
        ["3", 4, true],
        ["4", 5, true],
      ]);
      for (const { packetId, qos } of again) {
        if (qos === 1) stage.link.send({ type: "puback", packetId, reasonCode: 0, properties: null });
        else {
          stage.link.send({ type: "pubrec", packetId, reasonCode: 0, properties: null });
          stage.link.send({ type: "pubcomp", packetId, reasonCode: 0, properties: null });
        }
      }
      await stage.now(Promise.all(all));
      await stage.finish();
    },
  );

  test("without the session are published anew, as new messages", async () => {
    const { stage, all } = await inFlight(3, { protocolVersion: 5 });
    stage.link.cut();
    await stage.now(Promise.all(all));
    expect(stage.link.take("publish").map((packet) => packet.dup)).toEqual([false, false, false]);
    expect(stage.server.payloads).toEqual(["0", "1", "2"]);
    await stage.finish();
  });

  test("are sent again before new ones, and within the new receive maximum [MQTT-4.9.0-2]", async () => {
    const { stage, all } = await inFlight(4, persistent);
    stage.server.options = {
      onConnect: () => ({ properties: { receiveMaximum: 2 }, sessionPresent: true }),
      onMessage: () => null,
    };
    stage.link.cut();
    const later = stage.promises.track(stage.client.publish("t", "new", { qos: 1 }));
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["0", "1"]);
    for (let i = 0; i < 5; i++) {
      const ticket = stage.server.received[i]?.ticket ?? -1;
      stage.link.settle(ticket);
      await stage.clock.settle();
    }
    await stage.now(Promise.all([...all, later]));
    expect(stage.server.payloads).toEqual(["0", "1", "2", "3", "new"]);
    await stage.finish();
  });

  test("do not time out while they wait for their turn to be sent again", async () => {
    const stage = await connected({ ...persistent, ackTimeoutMs: 1_000, reconnect: { delay: () => 5_000 } });
    stage.server.options = { mode: "raw" };
    const all = [0, 1].map((i) => stage.promises.track(stage.client.publish("t", String(i), { qos: 1 })));
    await stage.clock.settle();
    stage.server.options = {
      onConnect: () => (stage.server.connections.length === 2 ? "close" : { properties: { receiveMaximum: 1 } }),
      onMessage: () => null,
    };
    stage.link.cut();
    await stage.clock.advance(5_900);
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    await stage.clock.advance(500);
    stage.link.settle(stage.server.received[1]?.ticket ?? -1);
    await stage.now(Promise.all(all));
    await stage.finish();
  });

  test("after PUBREC: PUBREL is sent again and PUBLISH never [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.6.0-4] [MQTT3-4.3.3-1] [MQTT3-4.6.0-4]", async () => {
    const stage = await connected(persistent);
    stage.server.options = { mode: "raw" };
    const all = [1, 2, 3].map((i) => stage.promises.track(stage.client.publish("t", String(i), { qos: 2 })));
    await stage.clock.settle();
    for (const packetId of [2, 1, 3]) stage.link.send({ type: "pubrec", packetId, reasonCode: 0, properties: null });
    await stage.clock.settle();
    expect(stage.link.take("pubrel").map((packet) => packet.packetId)).toEqual([2, 1, 3]);
    stage.link.cut();
    await stage.clock.settle();
    stage.link.send({ type: "connack", sessionPresent: true, reasonCode: 0, properties: null });
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["connect", "pubrel", "pubrel", "pubrel"]);
    for (const packetId of [1, 2, 3]) stage.link.send({ type: "pubcomp", packetId, reasonCode: 0, properties: null });
    await stage.now(Promise.all(all));
    await stage.finish();
  });

  test("after PUBREC and without the session: the message has arrived, nothing is sent again", async () => {
    const stage = await connected(persistent);
    stage.server.options = { mode: "raw" };
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    await stage.clock.settle();
    stage.link.send({ type: "pubrec", packetId: 1, reasonCode: 0, properties: null });
    await stage.clock.settle();
    stage.server.options = {};
    stage.server.sessions.clear();
    stage.link.cut();
    await stage.now(publishing);
    expect(stage.link.types()).toEqual(["connect"]);
    await stage.finish();
  });

  test.each([8, 40_000])("of %i bytes are sent again with the bytes that they had at publish()", async (length) => {
    const stage = await connected({ ...persistent, highWaterBytes: 100_000 });
    stage.server.options = { mode: "raw" };
    const payload = new Uint8Array(length).fill(0x61);
    // Of the large ones some leave at once, others wait for room.
    const all = [1, 2, 1, 2, 1, 2].map((qos) =>
      stage.promises.track(stage.client.publish("t", payload, { qos: qos as 1 | 2 })),
    );
    payload.fill(0x21);
    await stage.clock.settle();
    payload.fill(0x3f);
    stage.server.options = {};
    stage.link.cut();
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(all.map(() => "a".repeat(length)));
    await stage.finish();
  });

  test("keep their bytes over many connections and much other traffic", async () => {
    const stage = await connected({ ...persistent, reconnect: { delay: () => 1 } });
    const held = new Map<string, number>();
    const onMessage = (message: { payload: string; ticket: number }): number | null => {
      if (!message.payload.startsWith("held")) return 0;
      held.set(message.payload, message.ticket);
      return null;
    };
    stage.server.options = { onMessage };
    const all: Promise<unknown>[] = [];
    for (let round = 0; round < 6; round++) {
      all.push(stage.promises.track(stage.client.publish("t", `held ${round}`, { qos: round % 2 === 0 ? 1 : 2 })));
      for (let i = 0; i < 40; i++) await stage.now(stage.client.publish("t", "x".repeat(3_000)));
      stage.link.cut();
      await stage.clock.advance(10);
    }
    for (const ticket of held.values()) stage.link.settle(ticket);
    expect([...held.keys()]).toEqual([0, 1, 2, 3, 4, 5].map((i) => `held ${i}`));
    await stage.clock.settle();
    for (const promise of all) expect(await stateOf(promise)).not.toBe("pending");
    await stage.finish();
  });

  test("begun between a protocol error and the end of its connection are sent whole on the next one", async () => {
    const stage = await connected(persistent);
    let publishing: Promise<unknown> = Promise.resolve();
    stage.link.pause();
    stage.link.sendBytes(Uint8Array.of(0xf3, 0));
    stage.clock.nextTurn(() => {
      publishing = stage.promises.track(stage.client.publish("t", "whole and unharmed", { qos: 1 }));
    });
    await stage.clock.advance(3_000);
    await stage.now(publishing);
    expect(stage.server.payloads).toEqual(["whole and unharmed"]);
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_MALFORMED_PACKET");
    await stage.finish();
  });

  test("of a message that the next server cannot take are refused", async () => {
    const { stage, all } = await inFlight(2, persistent);
    stage.server.options = { onConnect: () => ({ properties: { maximumQoS: 1 } }) };
    stage.link.cut();
    await stage.now(all[0] ?? Promise.resolve());
    await stage.refused(all[1] ?? Promise.resolve(), "ERR_NOT_SUPPORTED_BY_SERVER");
    await stage.finish();
  });

  test("after disconnect(): in a session that lasts they are sent again by the next connect()", async () => {
    const { stage, all } = await inFlight(2, persistent);
    await stage.now(stage.client.disconnect());
    for (const promise of all) await stage.refused(promise, "ERR_NOT_CONNECTED");
    await stage.now(stage.client.connect());
    expect(stage.server.payloads).toEqual(["0", "1"]);
    expect(stage.link.take("publish").every((packet) => packet.dup)).toBe(true);
    await stage.finish();
  });

  test("after disconnect(): without a session they are forgotten", async () => {
    const { stage, all } = await inFlight(2, { protocolVersion: 5 });
    await stage.now(stage.client.disconnect());
    for (const promise of all) await stage.refused(promise, "ERR_NOT_CONNECTED");
    await stage.now(stage.client.connect());
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["connect"]);
    await stage.finish();
  });
});
