import { describe, expect, test } from "vitest";
import type { MessagingError } from "../../base/errors.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { connected, type Setup, type Stage } from "./client-setup.test-support.ts";

/** The times of all dials since the loss of the first connection, from that loss. */
function times(stage: Stage, lostAtMs: number): number[] {
  return stage.dials.slice(1).map((dial) => dial.atMs - lostAtMs);
}

/** A client that lost its connection and whose dials fail from then on. */
async function lost(options: Setup = {}): Promise<{ stage: Stage; atMs: number }> {
  const stage = await connected({ ...options, answer: (_, count) => (count === 1 ? "server" : new Error("down")) });
  await stage.clock.advance(10_000);
  const atMs = stage.clock.nowMs();
  stage.link.cut();
  await stage.clock.settle();
  return { stage, atMs };
}

describe("backoff", () => {
  test("the first attempt comes at once, then delays double from 1 s to 2 min", async () => {
    const { stage, atMs } = await lost();
    await stage.clock.advance(600_000);
    expect(times(stage, atMs)).toEqual([
      0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 127_000, 247_000, 367_000, 487_000,
    ]);
    await stage.finish();
  });

  test("full jitter draws each delay between nothing and its ceiling", async () => {
    const { stage, atMs } = await lost({ random: seededRandom(7) });
    await stage.clock.advance(300_000);
    const all = times(stage, atMs);
    const delays = all.slice(1).map((each, i) => each - (all[i] ?? 0));
    delays.forEach((delay, i) => {
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(Math.min(120_000, 1_000 * 2 ** i));
    });
    expect(new Set(delays.map((delay) => Math.round(delay))).size).toBeGreaterThan(3);
    await stage.finish();
  });

  test("first and longest delay can be chosen, jitter turned off", async () => {
    const { stage, atMs } = await lost({
      random: () => 0.1,
      reconnect: { initialDelayMs: 100, maxDelayMs: 300, jitter: "none" },
    });
    await stage.clock.advance(1_000);
    expect(times(stage, atMs)).toEqual([0, 100, 300, 600, 900]);
    await stage.finish();
  });

  test("a delay of one's own replaces the doubling, and is told attempt and error", async () => {
    const asked: [number, string][] = [];
    const delay = (attempt: number, error: MessagingError): number => {
      asked.push([attempt, error.code]);
      return 10 * attempt;
    };
    const { stage, atMs } = await lost({ reconnect: { delay } });
    await stage.clock.advance(60);
    expect(times(stage, atMs)).toEqual([0, 10, 30, 60]);
    expect(asked.slice(0, 3)).toEqual([
      [1, "ERR_CONNECT_FAILED"],
      [2, "ERR_CONNECT_FAILED"],
      [3, "ERR_CONNECT_FAILED"],
    ]);
    await stage.finish();
  });

  test("connections that are lost soon again come back ever more slowly", async () => {
    const stage = await connected({ random: () => 1 });
    const gaps: number[] = [];
    for (let i = 0; i < 4; i++) {
      const atMs = stage.clock.nowMs();
      stage.link.cut();
      await stage.clock.settle();
      for (let step = 0; step < 300 && stage.client.state !== "connected"; step++) await stage.clock.advance(100);
      await stage.clock.settle();
      gaps.push((stage.dials.at(-1)?.atMs ?? 0) - atMs);
    }
    expect(gaps[0]).toBe(0);
    expect(gaps[3]).toBeGreaterThan(gaps[1] ?? 0);
    await stage.finish();
  });
});

describe("giving up", () => {
  test("at the attempt limit ends in reconnectFailed with ERR_RECONNECT_EXHAUSTED", async () => {
    const { stage } = await lost({ reconnect: { maxAttempts: 3 } });
    await stage.clock.advance(100_000);
    expect(stage.dials).toHaveLength(4);
    expect(stage.of("reconnectFailed").map((event) => event.error.code)).toEqual(["ERR_RECONNECT_EXHAUSTED"]);
    expect(stage.client.state).toBe("disconnected");
    await stage.refused(stage.client.publish("t", "x"), "ERR_NOT_CONNECTED");
    await stage.finish();
  });

  test("allows connect() again, which restores subscriptions", async () => {
    let up = true;
    const stage = await connected({ reconnect: { maxAttempts: 1 }, answer: () => (up ? "server" : new Error("down")) });
    const got: string[] = [];
    await stage.now(stage.client.subscribe("t", { handler: (message) => void got.push(message.text()) }));
    up = false;
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.client.state).toBe("disconnected");
    up = true;
    await stage.now(stage.client.connect());
    stage.link.publish("t", "back");
    await stage.clock.settle();
    expect(got).toEqual(["back"]);
    await stage.finish();
  });

  test("reconnect: false gives up at the loss", async () => {
    const stage = await connected({ reconnect: false });
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.client.state).toBe("disconnected");
    expect(stage.of("reconnectFailed")[0]?.error.code).toBe("ERR_CONNECTION_LOST");
    expect(stage.dials).toHaveLength(1);
    await stage.finish();
  });

  test("the predicate is asked with each error and may end it", async () => {
    const asked: string[] = [];
    const shouldReconnect = (error: MessagingError, attempt: number): boolean => {
      asked.push(`${error.code} ${attempt}`);
      return attempt < 2;
    };
    const { stage } = await lost({ reconnect: { shouldReconnect } });
    await stage.clock.advance(100_000);
    expect(asked).toEqual(["ERR_CONNECTION_LOST 0", "ERR_CONNECT_FAILED 1", "ERR_CONNECT_FAILED 2"]);
    expect(stage.client.state).toBe("disconnected");
    await stage.finish();
  });

  test("a predicate that throws ends it with ERR_HANDLER_FAILED", async () => {
    const shouldReconnect = (): boolean => {
      throw new Error("oops");
    };
    const { stage } = await lost({ reconnect: { shouldReconnect } });
    expect(stage.of("reconnectFailed")[0]?.error.code).toBe("ERR_HANDLER_FAILED");
    await stage.finish();
  });
});

describe("a connection counts as lost", () => {
  test("when the server ends it", async () => {
    const stage = await connected();
    stage.link.close();
    await stage.clock.settle();
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_CONNECTION_LOST");
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("when the server says goodbye (MQTT 5.0 §3.14)", async () => {
    const stage = await connected({ protocolVersion: 5 });
    stage.link.disconnect(0x8e);
    await stage.clock.settle();
    expect(stage.of("connectionLost")[0]?.error).toMatchObject({ code: "ERR_SERVER_DISCONNECT", peer: { code: 0x8e } });
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("when the server says goodbye but keeps its side open, after a second at the latest [MQTT-4.13.2-1]", async () => {
    const stage = await connected({ protocolVersion: 5, server: { mode: "engine" } });
    stage.link.pause();
    stage.link.send({ type: "disconnect", reasonCode: 0x8b, properties: null });
    await stage.clock.advance(1_001);
    expect(stage.server.connections).toHaveLength(2);
    await stage.finish();
  });

  test("when PINGREQ is not answered within pingTimeoutMs", async () => {
    const stage = await connected({ keepAliveSeconds: 10, pingTimeoutMs: 3_000 });
    stage.server.options = { mode: "raw" };
    await stage.clock.advance(7_500);
    expect(stage.link.types()).toEqual(["pingreq"]);
    await stage.clock.advance(2_999);
    expect(stage.client.state).toBe("connected");
    stage.server.options = {};
    await stage.clock.advance(10);
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_PING_TIMEOUT");
    await stage.finish();
  });

  test("not while anything comes in after PINGREQ", async () => {
    const stage = await connected({ keepAliveSeconds: 10, pingTimeoutMs: 3_000 });
    await stage.now(stage.client.subscribe("t", { handler: () => undefined }));
    stage.server.options = { mode: "raw" };
    for (let i = 0; i < 20; i++) {
      await stage.clock.advance(2_000);
      stage.link.publish("t", "x");
    }
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });
});

describe("keep alive", () => {
  test.each([4, 5] as const)(
    "at level %i: an idle client sends PINGREQ in time [MQTT-3.1.2-20] [MQTT3-3.1.2-23]",
    async (protocolVersion) => {
      const stage = await connected({ protocolVersion, keepAliveSeconds: 20 });
      await stage.clock.advance(100_000);
      expect(stage.link.take("pingreq").length).toBeGreaterThanOrEqual(5);
      expect(stage.client.state).toBe("connected");
      await stage.finish();
    },
  );

  test("0 sends none", async () => {
    const stage = await connected({ keepAliveSeconds: 0 });
    await stage.clock.advance(10_000_000);
    expect(stage.link.types()).toEqual([]);
    expect(stage.clock.pendingTimers).toBe(0);
    await stage.finish();
  });
});

describe("subscriptions after a reconnect", () => {
  test("are asked for again with all their options, before messages that wait", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const options = { qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 } as const;
    await stage.now(stage.client.subscribe("a", { ...options, subscriptionIdentifier: 9, userProperties: { k: "v" } }));
    await stage.now(stage.client.subscribe({ b: 2, c: 0 }));
    stage.link.cut();
    const waiting = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    await stage.now(waiting);
    expect(stage.link.take()).toMatchObject([
      { type: "connect" },
      {
        type: "subscribe",
        filters: [{ filter: "a", ...options }],
        properties: { subscriptionIdentifier: 9, userProperties: [["k", "v"]] },
      },
      {
        type: "subscribe",
        filters: [
          { filter: "b", qos: 2 },
          { filter: "c", qos: 0 },
        ],
      },
      { type: "publish" },
    ]);
    await stage.finish();
  });

  test("are not asked for again when the server kept the session", async () => {
    const stage = await connected({ protocolVersion: 5, sessionExpirySeconds: 60 });
    const got: string[] = [];
    await stage.now(stage.client.subscribe("t", { qos: 1, handler: (message) => void got.push(message.text()) }));
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["connect"]);
    stage.link.publish("t", "kept", { qos: 1 });
    await stage.clock.settle();
    expect(got).toEqual(["kept"]);
    await stage.finish();
  });

  test("are restored when the link breaks during the restore, too", async () => {
    const stage = await connected({ server: { onSubscribe: () => null } });
    stage.server.options = {};
    await stage.now(stage.client.subscribe("t", { qos: 1, handler: () => undefined }));
    for (let i = 0; i < 3; i++) {
      stage.server.options = { onSubscribe: () => null };
      stage.link.cut();
      await stage.clock.advance(10_000);
    }
    stage.server.options = {};
    stage.link.cut();
    await stage.clock.advance(20_000);
    expect([...(stage.link.session?.subscriptions.keys() ?? [])]).toEqual(["t"]);
    expect(stage.link.take("subscribe")).toHaveLength(1);
    await stage.finish();
  });

  test("wait for an answer that is late, for as long as the connection lives", async () => {
    const stage = await connected({ ackTimeoutMs: 500 });
    const subscription = await stage.now(stage.client.subscribe("t"));
    stage.server.options = { onSubscribe: () => null };
    stage.link.cut();
    await stage.clock.advance(5_000);
    const [packet] = stage.link.take("subscribe");
    expect(subscription.ended).toBe(false);
    stage.link.send({ type: "suback", packetId: packet?.packetId ?? 0, reasonCodes: [0], properties: null });
    await stage.clock.settle();
    expect(stage.of("subscriptionLost")).toEqual([]);
    expect(stage.link.types()).toEqual([]);
    await stage.finish();
  });

  test("that are refused now are told as subscriptionLost; the call's other filters live on", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const subscription = await stage.now(stage.client.subscribe(["a", "b"]));
    stage.server.options = { onSubscribe: (packet) => packet.filters.map(({ filter }) => (filter === "a" ? 0x87 : 0)) };
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.of("subscriptionLost")).toMatchObject([{ filter: "a", error: { code: "ERR_SUBSCRIBE_FAILED" } }]);
    expect(subscription.ended).toBe(false);
    stage.server.options = { onSubscribe: () => [0x80] };
    stage.link.cut();
    await stage.clock.advance(5_000);
    expect(stage.of("subscriptionLost").map((event) => event.filter)).toEqual(["a", "b"]);
    expect(subscription.ended).toBe(true);
    await stage.finish();
  });

  test("are restored by connect() after disconnect(), also when that came during a restore", async () => {
    const stage = await connected();
    const subscription = await stage.now(stage.client.subscribe("t"));
    stage.server.options = { onSubscribe: () => null };
    stage.link.cut();
    await stage.clock.settle();
    await stage.now(stage.client.disconnect());
    expect(subscription.ended).toBe(false);
    expect(stage.of("subscriptionLost")).toEqual([]);
    stage.server.options = {};
    await stage.now(stage.client.connect());
    expect([...(stage.link.session?.subscriptions.keys() ?? [])]).toEqual(["t"]);
    await stage.finish();
  });

  test("a subscribe() under way when the link breaks is asked for again and resolves", async () => {
    const stage = await connected({ server: { onSubscribe: () => null } });
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    await stage.clock.settle();
    stage.server.options = {};
    stage.link.cut();
    await stage.now(subscribing);
    await stage.finish();
  });

  test("one that was given up is not asked for again", async () => {
    const stage = await connected({ ackTimeoutMs: 100, server: { onSubscribe: () => null } });
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    await stage.clock.advance(200);
    await stage.refused(subscribing, "ERR_TIMEOUT");
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["connect"]);
    await stage.finish();
  });
});

describe("the session", () => {
  test.each([
    ["3.1.1 with a clean session is new each time [MQTT3-3.1.2-6]", { protocolVersion: 4 }, [true, true]],
    [
      "3.1.1 without goes on [MQTT3-3.1.2-4] [MQTT3-4.1.0-1]",
      { protocolVersion: 4, cleanStart: false },
      [false, false],
    ],
    ["5.0 with a clean start and no expiry is new each time", { protocolVersion: 5 }, [true, true]],
    [
      "5.0 with a clean start and an expiry goes on after the first connect [MQTT-3.1.2-23]",
      { protocolVersion: 5, sessionExpirySeconds: 60 },
      [true, false],
    ],
    ["5.0 without a clean start goes on", { protocolVersion: 5, cleanStart: false }, [false, false]],
  ] as const)("%s", async (_, options, cleanStarts) => {
    const stage = await connected(options);
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.server.connections.map((each) => each.connectPacket?.cleanStart)).toEqual(cleanStarts);
    await stage.finish();
  });

  test("lost by the server drops received QoS 2 ids: a message under one is new [MQTT-3.2.2-5]", async () => {
    const got: string[] = [];
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    await stage.now(stage.client.subscribe("t", { qos: 2, handler: (message) => void got.push(message.text()) }));
    stage.server.options = { mode: "raw" };
    stage.link.sendBytes(Uint8Array.of(0x34, 7, 0, 1, 0x74, 0, 9, 0, 0x61));
    await stage.clock.settle();
    stage.server.options = {};
    stage.server.sessions.clear();
    stage.link.cut();
    await stage.clock.settle();
    stage.link.sendBytes(Uint8Array.of(0x34, 7, 0, 1, 0x74, 0, 9, 0, 0x62));
    await stage.clock.settle();
    expect(got).toEqual(["a", "b"]);
    await stage.finish();
  });
});
