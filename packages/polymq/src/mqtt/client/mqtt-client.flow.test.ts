import { describe, expect, test } from "vitest";
import type { QoS } from "../codec/packets.ts";
import { connected, type Setup, type Stage, stateOf } from "./client-setup.test-support.ts";

/** A stage whose server holds every acknowledgement back. */
function holding(options: Setup = {}): Promise<Stage> {
  return connected({ ...options, server: { ...options.server, onMessage: () => null } });
}

/** Publishes `count` messages with payloads "0", "1", … and tracks their promises. */
function publishAll(stage: Stage, count: number, qos: QoS): Promise<unknown>[] {
  return Array.from({ length: count }, (_, i) => stage.promises.track(stage.client.publish("t", String(i), { qos })));
}

/** Acknowledges the oldest messages that are held back. */
function acknowledge(stage: Stage, from: number, count: number): void {
  for (const message of stage.server.received.slice(from, from + count)) stage.link.settle(message.ticket);
}

describe("the in-flight window", () => {
  test.each([1, 2] as const)(
    "at QoS %i is the server's receive maximum, exactly [MQTT-3.3.4-7] [MQTT-4.9.0-1] [MQTT-4.9.0-2]",
    async (qos) => {
      const stage = await holding({
        protocolVersion: 5,
        server: { onConnect: () => ({ properties: { receiveMaximum: 3 } }) },
      });
      const all = publishAll(stage, 10, qos);
      await stage.clock.settle();
      expect(stage.server.payloads).toEqual(["0", "1", "2"]);
      expect(stage.client.waiting.messages).toBe(7);
      acknowledge(stage, 0, 1);
      await stage.clock.settle();
      expect(stage.server.payloads).toEqual(["0", "1", "2", "3"]);
      stage.server.options = { ...stage.server.options, onMessage: () => 0 };
      acknowledge(stage, 1, 3);
      await stage.now(Promise.all(all));
      expect(stage.server.payloads).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
      await stage.finish();
    },
  );

  test("a QoS 2 message keeps its place until PUBCOMP", async () => {
    const stage = await connected({
      protocolVersion: 5,
      maxInflight: 1,
      server: { mode: "engine", onMessage: () => null },
    });
    const all = publishAll(stage, 2, 2);
    await stage.clock.settle();
    stage.server.options = { mode: "raw" };
    const packetId = stage.server.received[0]?.packetId ?? 0;
    stage.link.send({ type: "pubrec", packetId, reasonCode: 0, properties: null });
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["publish", "pubrel"]);
    stage.link.send({ type: "pubcomp", packetId, reasonCode: 0, properties: null });
    await stage.clock.settle();
    const [second] = stage.link.take("publish");
    expect(second).toBeDefined();
    stage.link.send({ type: "pubrec", packetId: second?.packetId ?? 0, reasonCode: 0, properties: null });
    stage.link.send({ type: "pubcomp", packetId: second?.packetId ?? 0, reasonCode: 0, properties: null });
    await stage.now(Promise.all(all));
    await stage.finish();
  });

  test("is maxInflight where the server allows more", async () => {
    const stage = await holding({ maxInflight: 2 });
    const all = publishAll(stage, 5, 1);
    await stage.clock.settle();
    expect(stage.server.received).toHaveLength(2);
    stage.server.options = {};
    acknowledge(stage, 0, 2);
    await stage.now(Promise.all(all));
    await stage.finish();
  });

  test("when full holds back publishes and nothing else [MQTT-3.3.4-8] [MQTT-4.9.0-3]", async () => {
    const stage = await holding({ maxInflight: 1, keepAliveSeconds: 2, ackTimeoutMs: 0 });
    for (const promise of publishAll(stage, 2, 1)) promise.catch(() => undefined);
    await stage.now(stage.client.subscribe("a", { qos: 1, handler: () => undefined }));
    stage.link.publish("a", "x", { qos: 1 });
    await stage.clock.advance(1_600);
    await stage.now(stage.client.unsubscribe("a"));
    expect(stage.link.types()).toEqual(["publish", "subscribe", "puback", "pingreq", "unsubscribe"]);
    await stage.finish();
  });

  test('when full refuses with ERR_MAX_INFLIGHT if whenInflightFull is "reject"', async () => {
    const stage = await holding({ maxInflight: 2, whenInflightFull: "reject" });
    const all = publishAll(stage, 2, 1);
    await stage.refused(stage.client.publish("t", "2", { qos: 1 }), "ERR_MAX_INFLIGHT");
    await stage.refused(stage.client.publish("t", "2", { qos: 2 }), "ERR_MAX_INFLIGHT");
    await stage.now(stage.client.publish("t", "0 goes"));
    acknowledge(stage, 0, 1);
    await stage.clock.settle();
    const next = stage.promises.track(stage.client.publish("t", "3", { qos: 1 }));
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["0", "1", "0 goes", "3"]);
    acknowledge(stage, 1, 1);
    acknowledge(stage, 3, 1);
    await stage.now(Promise.all([...all, next]));
    await stage.finish();
  });

  test("a QoS 0 message waits behind those that wait for the window, so that order is kept", async () => {
    const stage = await holding({ maxInflight: 1 });
    const first = publishAll(stage, 2, 1);
    const zero = stage.promises.track(stage.client.publish("t", "zero"));
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["0"]);
    acknowledge(stage, 0, 1);
    await stage.now(zero);
    expect(stage.server.payloads).toEqual(["0", "1", "zero"]);
    acknowledge(stage, 1, 1);
    await stage.now(Promise.all(first));
    await stage.finish();
  });

  test.each([
    ["messages", { maxMessages: 3 }, 3],
    ["bytes", { maxBytes: 4 }, 2],
  ])("messages that wait for it are bounded in %s", async (_, waiting, fit) => {
    const stage = await holding({ maxInflight: 1, waiting });
    const all = publishAll(stage, 1 + fit, 1);
    await stage.refused(stage.client.publish("t", "x", { qos: 1 }), "ERR_MAX_INFLIGHT");
    stage.server.options = {};
    await stage.clock.settle();
    acknowledge(stage, 0, 1);
    await stage.now(Promise.all(all));
    expect(stage.server.received).toHaveLength(1 + fit);
    await stage.finish();
  });
});

describe("the acknowledgement's deadline", () => {
  test.each([1, 2] as const)("at QoS %i ends the wait with ERR_TIMEOUT", async (qos) => {
    const stage = await holding({ ackTimeoutMs: 1_000 });
    const [publishing = Promise.resolve()] = publishAll(stage, 1, qos);
    await stage.clock.advance(999);
    expect(await stateOf(publishing)).toBe("pending");
    await stage.clock.advance(252);
    await stage.refused(publishing, "ERR_TIMEOUT");
    await stage.finish();
  });

  test("starts when the message is sent, not when it begins to wait for the window", async () => {
    const stage = await holding({ ackTimeoutMs: 1_000, maxInflight: 1 });
    const [first = Promise.resolve(), second = Promise.resolve()] = publishAll(stage, 2, 1);
    await stage.clock.advance(900);
    acknowledge(stage, 0, 1);
    await stage.now(first);
    await stage.clock.advance(900);
    expect(await stateOf(second)).toBe("pending");
    await stage.clock.advance(400);
    await stage.refused(second, "ERR_TIMEOUT");
    await stage.finish();
  });

  test("does not run while the server takes no bytes, and starts when they have left", async () => {
    const stage = await holding({
      ackTimeoutMs: 1_000,
      writeTimeoutMs: 0,
      server: { transport: { highWaterBytes: 100 } },
    });
    stage.link.pause();
    const publishing = stage.promises.track(stage.client.publish("t", new Uint8Array(200), { qos: 1 }));
    await stage.clock.advance(5_000);
    expect(await stateOf(publishing)).toBe("pending");
    stage.link.resume();
    await stage.clock.advance(900);
    expect(await stateOf(publishing)).toBe("pending");
    await stage.clock.advance(400);
    await stage.refused(publishing, "ERR_TIMEOUT");
    await stage.finish();
  });

  test("starts anew when the message is sent again after a reconnect", async () => {
    const stage = await holding({
      ackTimeoutMs: 1_000,
      cleanStart: false,
      reconnect: { initialDelayMs: 600, jitter: "none" },
    });
    const [publishing = Promise.resolve()] = publishAll(stage, 1, 1);
    await stage.clock.advance(900);
    stage.link.cut();
    await stage.clock.advance(900);
    expect(await stateOf(publishing)).toBe("pending");
    await stage.clock.advance(400);
    await stage.refused(publishing, "ERR_TIMEOUT");
    await stage.finish();
  });

  test("0 turns it off", async () => {
    const stage = await holding({ ackTimeoutMs: 0 });
    const [publishing = Promise.resolve()] = publishAll(stage, 1, 1);
    await stage.clock.advance(600_000);
    expect(await stateOf(publishing)).toBe("pending");
    acknowledge(stage, 0, 1);
    await stage.now(publishing);
    await stage.finish();
  });

  test("a message given up keeps its place, and a late acknowledgement is no error", async () => {
    const stage = await holding({ ackTimeoutMs: 1_000, maxInflight: 1 });
    const [first = Promise.resolve()] = publishAll(stage, 1, 1);
    await stage.clock.advance(1_300);
    await stage.refused(first, "ERR_TIMEOUT");
    stage.server.options = {};
    acknowledge(stage, 0, 1);
    await stage.now(stage.client.publish("t", "next", { qos: 1 }));
    expect(stage.of("connectionLost")).toEqual([]);
    await stage.finish();
  });

  test("also ends subscribe() and unsubscribe()", async () => {
    const stage = await connected({
      ackTimeoutMs: 1_000,
      server: { onSubscribe: () => null, onUnsubscribe: () => null },
    });
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    const unsubscribing = stage.promises.track(stage.client.unsubscribe("t"));
    await stage.clock.advance(1_300);
    await stage.refused(subscribing, "ERR_TIMEOUT");
    await stage.refused(unsubscribing, "ERR_TIMEOUT");
    await stage.finish();
  });
});

describe("backpressure", () => {
  test("publish waits above highWaterBytes and goes on when the server reads again", async () => {
    const stage = await connected({
      highWaterBytes: 10_000,
      server: { transport: { highWaterBytes: 1_000 } },
      writeTimeoutMs: 0,
    });
    stage.link.pause();
    const payload = new Uint8Array(1_000);
    const states: string[] = [];
    const all = Array.from({ length: 30 }, () => stage.promises.track(stage.client.publish("t", payload)));
    await stage.clock.settle();
    for (const promise of all) states.push(await stateOf(promise));
    const sent = states.filter((state) => state === "resolved").length;
    expect(sent).toBeGreaterThanOrEqual(9);
    expect(sent).toBeLessThan(15);
    expect(stage.client.waiting.messages).toBe(30 - sent);
    stage.link.resume();
    await stage.now(Promise.all(all));
    expect(stage.server.received).toHaveLength(30);
    await stage.finish();
  });

  test("a loop that awaits each publish lets the event loop turn", async () => {
    const stage = await connected({ highWaterBytes: 4_096 });
    let turns = 0;
    let done = false;
    const count = (): void => {
      if (done) return;
      turns++;
      stage.clock.nextTurn(count);
    };
    stage.clock.nextTurn(count);
    const payload = new Uint8Array(100);
    const loop = (async (): Promise<void> => {
      for (let i = 0; i < 1_000; i++) await stage.client.publish("t", payload);
      done = true;
    })();
    await stage.now(loop);
    expect(turns).toBeGreaterThan(20);
    expect(stage.server.received).toHaveLength(1_000);
    await stage.finish();
  });

  test("publishes that nobody awaits are bounded: ERR_OUTBOUND_BACKPRESSURE beyond the limits", async () => {
    const stage = await connected({
      highWaterBytes: 1_000,
      waiting: { maxMessages: 5 },
      writeTimeoutMs: 0,
      server: { transport: { highWaterBytes: 1_000 } },
    });
    stage.link.pause();
    const payload = new Uint8Array(600);
    const all = Array.from({ length: 7 }, () => stage.promises.track(stage.client.publish("t", payload)));
    await stage.refused(stage.client.publish("t", payload), "ERR_OUTBOUND_BACKPRESSURE");
    await stage.refused(stage.client.publish("t", payload, { qos: 1 }), "ERR_OUTBOUND_BACKPRESSURE");
    stage.link.resume();
    await stage.now(Promise.all(all));
    expect(stage.server.received).toHaveLength(7);
    await stage.finish();
  });

  test("a server that takes no bytes for writeTimeoutMs counts as dead", async () => {
    const stage = await connected({ writeTimeoutMs: 2_000, server: { transport: { highWaterBytes: 100 } } });
    stage.link.pause();
    const publishing = stage.promises.track(stage.client.publish("t", new Uint8Array(200), { qos: 1 }));
    await stage.clock.advance(1_999);
    expect(stage.client.state).toBe("connected");
    await stage.clock.advance(2);
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_WRITE_TIMEOUT");
    await stage.now(publishing);
    await stage.finish();
  });
});

describe("while a reconnect is under way", () => {
  /** A client that lost its connection and cannot get another one until `up` is set. */
  async function offline(options: Setup): Promise<{ stage: Stage; up: () => Promise<void> }> {
    let reachable = true;
    const stage = await connected({ ...options, answer: () => (reachable ? "server" : new Error("down")) });
    reachable = false;
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.client.state).toBe("reconnecting");
    return {
      stage,
      up: async () => {
        reachable = true;
        await stage.clock.advance(300_000);
        expect(stage.client.state).toBe("connected");
      },
    };
  }

  test("by default QoS 0 is refused and QoS 1 and 2 wait", async () => {
    const { stage, up } = await offline({});
    await stage.refused(stage.client.publish("t", "0"), "ERR_NOT_CONNECTED");
    const all = [1, 2].map((qos) => stage.promises.track(stage.client.publish("t", String(qos), { qos: qos as QoS })));
    await up();
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(["1", "2"]);
    await stage.finish();
  });

  test("reject refuses every QoS", async () => {
    const { stage } = await offline({ whenOffline: "reject" });
    for (const qos of [0, 1, 2] as const)
      await stage.refused(stage.client.publish("t", "x", { qos }), "ERR_NOT_CONNECTED");
    await stage.finish();
  });

  test("block keeps every QoS, in order", async () => {
    const { stage, up } = await offline({ whenOffline: "block" });
    const all = [0, 1, 2, 0].map((qos, i) =>
      stage.promises.track(stage.client.publish("t", String(i), { qos: qos as QoS })),
    );
    await up();
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(["0", "1", "2", "3"]);
    await stage.finish();
  });

  test.each([
    ["messages", { maxMessages: 2 }],
    ["bytes", { maxBytes: 4 }],
  ])("block refuses with ERR_OFFLINE_FULL beyond its limit in %s", async (_, waiting) => {
    const { stage, up } = await offline({ whenOffline: "block", waiting });
    const all = [1, 2].map((i) => stage.promises.track(stage.client.publish("t", String(i), { qos: 1 })));
    await stage.refused(stage.client.publish("t", "3", { qos: 1 }), "ERR_OFFLINE_FULL");
    expect(stage.of("messageDropped")).toEqual([]);
    await up();
    await stage.now(Promise.all(all));
    await stage.finish();
  });

  test.each([
    ["messages", { maxMessages: 2 }],
    ["bytes", { maxBytes: 4 }],
  ])("dropNewest drops the message that does not fit, in %s", async (_, waiting) => {
    const { stage, up } = await offline({ whenOffline: "dropNewest", waiting });
    const all = [1, 2].map((i) => stage.promises.track(stage.client.publish("t", String(i), { qos: 1 })));
    await stage.refused(stage.client.publish("t", "3"), "ERR_OFFLINE_FULL");
    expect(stage.of("messageDropped")).toEqual([
      { type: "messageDropped", direction: "outbound", reason: "offlineFull", topic: "t", qos: 0, payloadBytes: 1 },
    ]);
    await up();
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(["1", "2"]);
    await stage.finish();
  });

  test.each([
    ["messages", { maxMessages: 2 }],
    ["bytes", { maxBytes: 4 }],
  ])("dropOldest drops the oldest for the new one, in %s", async (_, waiting) => {
    const { stage, up } = await offline({ whenOffline: "dropOldest", waiting });
    const [first = Promise.resolve(), ...rest] = [1, 2, 3].map((i) =>
      stage.promises.track(stage.client.publish("t", String(i), { qos: 1 })),
    );
    await stage.refused(first, "ERR_OFFLINE_FULL");
    expect(stage.of("messageDropped")).toHaveLength(1);
    await up();
    await stage.now(Promise.all(rest));
    expect(stage.server.payloads).toEqual(["2", "3"]);
    await stage.finish();
  });

  test("dropOldest drops nothing for a message that could never fit", async () => {
    const { stage, up } = await offline({ whenOffline: "dropOldest", waiting: { maxBytes: 10 } });
    const kept = stage.promises.track(stage.client.publish("t", "kept", { qos: 1 }));
    await stage.refused(stage.client.publish("t", new Uint8Array(11), { qos: 1 }), "ERR_OFFLINE_FULL");
    await up();
    await stage.now(kept);
    await stage.finish();
  });

  test("what waits fails when no further attempt will be made", async () => {
    const { stage } = await offline({ whenOffline: "block", reconnect: { maxAttempts: 3 } });
    const all = [0, 1].map((qos) => stage.promises.track(stage.client.publish("t", "x", { qos: qos as QoS })));
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    await stage.clock.advance(300_000);
    for (const promise of [...all, subscribing]) await stage.refused(promise, "ERR_RECONNECT_EXHAUSTED");
    expect(stage.client.state).toBe("disconnected");
    expect(stage.client.waiting).toEqual({ messages: 0, bytes: 0 });
    await stage.finish();
  });

  test("what waits is checked against the server that comes", async () => {
    const { stage, up } = await offline({ protocolVersion: 5, whenOffline: "block" });
    stage.server.options = { onConnect: () => ({ properties: { maximumQoS: 1, maximumPacketSize: 50 } }) };
    const two = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    const large = stage.promises.track(stage.client.publish("t", new Uint8Array(60), { qos: 1 }));
    const good = stage.promises.track(stage.client.publish("t", "good", { qos: 1 }));
    await up();
    await stage.refused(two, "ERR_NOT_SUPPORTED_BY_SERVER");
    await stage.refused(large, "ERR_PACKET_TOO_LARGE");
    await stage.now(good);
    await stage.finish();
  });
});

test("every promise settles whatever becomes of the client", async () => {
  for (const end of ["destroy", "close", "disconnect", "lose"] as const) {
    const stage = await holding({ maxInflight: 2, whenOffline: "block", reconnect: end === "lose" ? false : {} });
    for (let i = 0; i < 12; i++) {
      stage.promises.track(stage.client.publish("t", "x", { qos: (i % 3) as QoS })).catch(() => undefined);
    }
    stage.promises.track(stage.client.subscribe("a")).catch(() => undefined);
    await stage.clock.settle();
    if (end === "lose") stage.link.cut();
    else void stage.promises.track(stage.client[end](), end);
    await stage.clock.advance(10_000);
    expect(stage.promises.pending).toEqual([]);
    await stage.finish();
  }
});
