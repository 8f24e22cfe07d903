import { describe, expect, test } from "vitest";
import { MessagingError } from "../../base/errors.ts";
import { connected, setup, stateOf } from "./client-setup.test-support.ts";

describe("disconnect()", () => {
  test("sends DISCONNECT, ends the connection and allows connect() again [MQTT-3.14.4-2] [MQTT3-3.14.4-1]", async () => {
    const stage = await connected();
    await stage.now(stage.client.disconnect());
    expect(stage.link.types()).toEqual(["disconnect"]);
    expect(stage.link.ended).toBeNull();
    expect(stage.client.state).toBe("disconnected");
    await stage.clock.advance(300_000);
    expect(stage.server.connections).toHaveLength(1);
    await stage.now(stage.client.connect());
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test.each([4, 5] as const)(
    "at level %i nothing follows DISCONNECT [MQTT-3.14.4-1] [MQTT3-3.14.4-2]",
    async (protocolVersion) => {
      const stage = await connected({ protocolVersion });
      const disconnecting = stage.client.disconnect();
      stage.promises.track(stage.client.publish("t", "late", { qos: 1 })).catch(() => undefined);
      stage.promises.track(stage.client.subscribe("t")).catch(() => undefined);
      await stage.now(disconnecting);
      expect(stage.link.types()).toEqual(["disconnect"]);
      await stage.finish();
    },
  );

  test("says reason code and properties (MQTT 5.0 §3.14.2)", async () => {
    const stage = await connected({ protocolVersion: 5, sessionExpirySeconds: 100 });
    const options = { reasonCode: 0x04, sessionExpirySeconds: 7, reasonString: "bye", userProperties: { a: "1" } };
    await stage.now(stage.client.disconnect(options));
    expect(stage.link.take()).toEqual([
      {
        type: "disconnect",
        reasonCode: 0x04,
        properties: { sessionExpirySeconds: 7, reasonString: "bye", userProperties: [["a", "1"]] },
      },
    ]);
    await stage.finish();
  });

  test("has no words in 3.1.1", async () => {
    const stage = await connected();
    await stage.now(stage.client.disconnect({ reasonCode: 0x04, reasonString: "bye" }));
    expect(stage.link.take()).toEqual([{ type: "disconnect", reasonCode: 0, properties: null }]);
    await stage.finish();
  });

  test.each([
    ["a code that only a server may send [MQTT-3.14.2-1]", { reasonCode: 0x8e }],
    ["a code that does not exist", { reasonCode: 0x05 }],
    ["a session expiry after one of 0", { sessionExpirySeconds: 5 }],
    ["a reason string with U+0000", { reasonString: "\0" }],
  ])("refuses %s and leaves the connection as it was", async (_, options) => {
    const stage = await connected({ protocolVersion: 5 });
    const publishing = stage.client.publish("t", "x", { qos: 1 });
    await stage.refused(stage.client.disconnect(options), "ERR_INVALID_ARGUMENT");
    expect(stage.client.state).toBe("connected");
    await stage.now(publishing);
    await stage.finish();
  });

  test("is harmless when there is no connection", async () => {
    const stage = setup();
    await stage.now(stage.client.disconnect());
    expect(stage.client.state).toBe("disconnected");
    await stage.finish();
    await stage.now(stage.client.disconnect());
  });

  test("called twice ends both calls with the connection", async () => {
    const stage = await connected();
    const both = Promise.all([stage.client.disconnect(), stage.client.disconnect()]);
    await stage.now(both);
    expect(stage.link.types()).toEqual(["disconnect"]);
    await stage.finish();
  });

  test("rejects what is not acknowledged with ERR_NOT_CONNECTED", async () => {
    const stage = await connected({ server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    await stage.clock.settle();
    await stage.now(stage.client.disconnect());
    await stage.refused(publishing, "ERR_NOT_CONNECTED");
    await stage.finish();
  });

  test("lets the bytes that were written leave first, within a second", async () => {
    const stage = await connected({ server: { transport: { highWaterBytes: 100 } } });
    stage.link.pause();
    for (let i = 0; i < 5; i++) {
      await stage.now(stage.client.publish("t", `${i} ${"x".repeat(100)}`));
    }
    const disconnecting = stage.client.disconnect();
    await stage.clock.advance(500);
    stage.link.resume();
    await stage.now(disconnecting);
    expect(stage.server.received).toHaveLength(5);
    expect(stage.link.types().at(-1)).toBe("disconnect");
    await stage.finish();
  });

  test("does not wait longer than a second for a server that keeps its side open", async () => {
    const stage = await connected();
    stage.link.pause();
    const disconnecting = stage.promises.track(stage.client.disconnect());
    await stage.clock.advance(999);
    expect(stage.promises.pending).toHaveLength(1);
    await stage.clock.advance(1);
    await stage.now(disconnecting);
    await stage.finish();
  });

  test("ends a reconnect that is under way", async () => {
    const stage = await connected({ answer: (_, count) => (count === 1 ? "server" : new Error("down")) });
    stage.link.cut();
    await stage.clock.advance(5_000);
    expect(stage.client.state).toBe("reconnecting");
    await stage.now(stage.client.disconnect());
    expect(stage.clock.pendingTimers).toBe(0);
    await stage.finish();
  });
});

describe("close()", () => {
  test("waits for publishes under way, then says goodbye", async () => {
    const stage = await connected({ server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    const closing = stage.client.close();
    await stage.clock.settle();
    expect(stage.client.state).toBe("disconnecting");
    expect(await stateOf(closing)).toBe("pending");
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    await stage.now(publishing);
    await stage.now(closing);
    expect(stage.link.types()).toEqual(["publish", "disconnect"]);
    expect(await stage.now(stage.client.closed)).toBeNull();
    await stage.finish();
  });

  test("refuses new work with ERR_DRAINING meanwhile and ERR_CLIENT_CLOSED afterwards", async () => {
    const stage = await connected({ server: { onMessage: () => null } });
    stage.promises.track(stage.client.publish("t", "x", { qos: 1 })).catch(() => undefined);
    const closing = stage.client.close({ timeoutMs: 50 });
    await stage.refused(stage.client.publish("t", "y"), "ERR_DRAINING");
    await stage.refused(stage.client.publish("t", "y", { qos: 1 }), "ERR_DRAINING");
    await stage.refused(stage.client.subscribe("t"), "ERR_DRAINING");
    await stage.refused(stage.client.unsubscribe("t"), "ERR_DRAINING");
    await stage.clock.advance(50);
    await stage.now(closing);
    await stage.refused(stage.client.publish("t", "y"), "ERR_CLIENT_CLOSED");
    await stage.refused(stage.client.subscribe("t"), "ERR_CLIENT_CLOSED");
    await stage.refused(stage.client.unsubscribe("t"), "ERR_CLIENT_CLOSED");
    await stage.refused(stage.client.request("t", "y"), "ERR_CLIENT_CLOSED");
    await stage.finish();
  });

  test("rejects what is left at its deadline with ERR_CLIENT_CLOSED", async () => {
    const stage = await connected({ server: { onMessage: () => null }, ackTimeoutMs: 0 });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    const closing = stage.client.close({ timeoutMs: 300 });
    await stage.clock.advance(299);
    expect(stage.promises.pending).toHaveLength(1);
    await stage.clock.advance(1);
    await stage.refused(publishing, "ERR_CLIENT_CLOSED");
    await stage.now(closing);
    await stage.finish();
  });

  test("waits for handlers that run, and their acknowledgements leave before the goodbye", async () => {
    const stage = await connected();
    let done: () => void = () => undefined;
    const handler = (): Promise<void> => new Promise((resolve) => (done = resolve));
    await stage.now(stage.client.subscribe("t", { qos: 1, handler }));
    stage.link.take();
    stage.link.publish("t", "x", { qos: 1 });
    await stage.clock.settle();
    const closing = stage.client.close();
    await stage.clock.settle();
    expect(await stateOf(closing)).toBe("pending");
    done();
    await stage.now(closing);
    expect(stage.link.types()).toEqual(["puback", "disconnect"]);
    await stage.finish();
  });

  test("waits for QoS 0 bytes that the server has not taken yet", async () => {
    const stage = await connected({ server: { transport: { highWaterBytes: 1_000 } }, highWaterBytes: 2_000 });
    stage.link.pause();
    const payload = new Uint8Array(900);
    const all = Array.from({ length: 10 }, () => stage.promises.track(stage.client.publish("t", payload)));
    await stage.clock.settle();
    const closing = stage.client.close();
    await stage.clock.settle();
    expect(await stateOf(closing)).toBe("pending");
    stage.link.resume();
    await stage.now(closing);
    await stage.now(Promise.all(all));
    expect(stage.server.received).toHaveLength(10);
    expect(stage.link.types().at(-1)).toBe("disconnect");
    await stage.finish();
  });

  test("goes on over a lost connection while there is something to wait for", async () => {
    const stage = await connected({ server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    const closing = stage.client.close();
    await stage.clock.settle();
    stage.server.options = {};
    stage.link.cut();
    await stage.clock.advance(2_000);
    expect((await stage.now(publishing)).reasonCode).toBe(0);
    await stage.now(closing);
    expect(stage.client.state).toBe("closed");
    expect(stage.of("state").map((event) => event.state)).toEqual([
      "connecting",
      "connected",
      "disconnecting",
      "closed",
    ]);
    await stage.finish();
  });

  test("ends early when no connection will come back", async () => {
    const stage = await connected({
      reconnect: { maxAttempts: 1 },
      server: { onMessage: () => null },
      answer: (_, count) => (count === 1 ? "server" : new Error("down")),
    });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    const closing = stage.client.close();
    await stage.clock.settle();
    stage.link.cut();
    await stage.refused(publishing, "ERR_RECONNECT_EXHAUSTED");
    await stage.now(closing);
    await stage.finish();
  });

  test("called again, and after destroy(), resolves with the first end", async () => {
    const stage = await connected();
    await stage.now(Promise.all([stage.client.close(), stage.client.close(), stage.client.close()]));
    expect(stage.of("closed")).toHaveLength(1);
    await stage.now(stage.client.close());
    const other = await connected();
    await other.now(Promise.all([other.client.destroy(), other.client.close()]));
    expect(other.of("closed")).toHaveLength(1);
  });

  test("after disconnect() has begun waits for that and then closes", async () => {
    const stage = await connected();
    await stage.now(Promise.all([stage.client.disconnect(), stage.client.close()]));
    expect(stage.client.state).toBe("closed");
    expect(stage.link.types()).toEqual(["disconnect"]);
    await stage.finish();
  });

  test("of a client that never connected resolves", async () => {
    const stage = setup();
    await stage.now(stage.client.close());
    expect(await stage.now(stage.client.closed)).toBeNull();
    expect(stage.dials).toHaveLength(0);
  });

  test("ends for await loops", async () => {
    const stage = await connected();
    const subscription = await stage.now(stage.client.subscribe("t"));
    const next = subscription[Symbol.asyncIterator]().next();
    await stage.now(stage.client.close());
    expect(await stage.now(next)).toEqual({ done: true, value: undefined });
    await stage.finish();
  });
});

describe("destroy()", () => {
  test("ends at once and without a goodbye, so that the server publishes the will", async () => {
    const stage = await connected();
    await stage.now(stage.client.destroy());
    expect(stage.link.types()).toEqual([]);
    expect(stage.link.ended).not.toBe("open");
    expect(stage.client.state).toBe("closed");
    await stage.finish();
  });

  test("settles everything", async () => {
    const stage = await connected({
      protocolVersion: 5,
      server: { onMessage: () => null, onSubscribe: () => null, onUnsubscribe: () => null },
    });
    const { client, promises } = stage;
    const all = [
      client.publish("t", "1", { qos: 1 }),
      client.publish("t", "2", { qos: 2 }),
      client.subscribe("a"),
      client.unsubscribe("b"),
      client.request("r", "x"),
    ].map((promise) => promises.track<unknown>(promise));
    await stage.clock.settle();
    await stage.now(client.destroy());
    for (const promise of all) await stage.refused(promise, "ERR_CLIENT_CLOSED");
    await stage.finish();
  });

  test("hands its error to closed, which never rejects", async () => {
    const stage = await connected();
    const error = new MessagingError("ERR_HANDLER_FAILED", "enough");
    await stage.now(stage.client.destroy(error));
    expect(await stage.now(stage.client.closed)).toBe(error);
    expect(stage.of("closed")).toEqual([{ type: "closed", error }]);
    await stage.finish();
  });

  test("ends a close() that still waits", async () => {
    const stage = await connected({ server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    const closing = stage.promises.track(stage.client.close({ timeoutMs: 60_000 }));
    await stage.clock.settle();
    await stage.now(stage.client.destroy());
    await stage.refused(publishing, "ERR_CLIENT_CLOSED");
    await stage.now(closing);
    expect(stage.client.state).toBe("closed");
    expect(stage.of("closed")).toHaveLength(1);
    await stage.finish();
  });

  test("ends a disconnect() that still waits", async () => {
    const stage = await connected();
    stage.link.pause();
    const disconnecting = stage.promises.track(stage.client.disconnect());
    await stage.now(stage.client.destroy());
    await stage.now(disconnecting);
    expect(stage.client.state).toBe("closed");
    await stage.finish();
  });
});

test("before connect() and after disconnect() every operation is ERR_NOT_CONNECTED", async () => {
  const stage = setup({ protocolVersion: 5 });
  const check = async (): Promise<void> => {
    const { client } = stage;
    await stage.refused(client.publish("t", "x"), "ERR_NOT_CONNECTED");
    await stage.refused(client.publish("t", "x", { qos: 1 }), "ERR_NOT_CONNECTED");
    await stage.refused(client.subscribe("t"), "ERR_NOT_CONNECTED");
    await stage.refused(client.unsubscribe("t"), "ERR_NOT_CONNECTED");
    await stage.refused(client.request("t", "x"), "ERR_NOT_CONNECTED");
    await stage.refused(client.reauthenticate(), "ERR_NOT_CONNECTED");
  };
  await check();
  await stage.now(stage.client.connect());
  await stage.now(stage.client.disconnect());
  await check();
  await stage.finish();
});

test("await using closes the client", async () => {
  const stage = await connected();
  const use = async (): Promise<void> => {
    await using client = stage.client;
    expect(client.state).toBe("connected");
  };
  await stage.now(use());
  expect(stage.client.state).toBe("closed");
  expect(stage.link.types()).toEqual(["disconnect"]);
});
