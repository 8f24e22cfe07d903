import { subscribe as subscribeChannel, unsubscribe as unsubscribeChannel } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import type { ConnectTrace, WarningTrace } from "../../base/diagnostics.ts";
import { MessagingError } from "../../base/errors.ts";
import { connected, setup, stateOf } from "./client-setup.test-support.ts";
import type { MqttClientEvent } from "./events.ts";

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

describe("events", () => {
  test("tell a life from the first connect to the end, in order", async () => {
    const stage = await connected();
    stage.link.cut();
    await stage.clock.settle();
    await stage.finish();
    expect(stage.events.map((event) => (event.type === "state" ? event.state : event.type))).toEqual([
      "connecting",
      "connected",
      "serverCapabilities",
      "connect",
      "reconnecting",
      "connectionLost",
      "reconnecting",
      "connected",
      "serverCapabilities",
      "connect",
      "disconnecting",
      "closed",
      "closed",
    ]);
  });

  test("connect says session, server and version", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    const common = { type: "connect", server: "mqtt://server:1883", protocolVersion: 5 };
    expect(stage.of("connect")).toEqual([
      { ...common, sessionPresent: false },
      { ...common, sessionPresent: true },
    ]);
    await stage.finish();
  });

  test("connectionLost and reconnecting say why and which attempt", async () => {
    const stage = await connected({
      answer: (_, count) => (count === 1 || count === 4 ? "server" : new Error("down")),
    });
    stage.link.cut();
    await stage.clock.advance(10_000);
    expect(stage.of("connectionLost").map((event) => event.error.code)).toEqual(["ERR_CONNECTION_LOST"]);
    expect(stage.of("reconnecting").map((event) => event.attempt)).toEqual([1, 2, 3]);
    await stage.finish();
  });

  test("serverDisconnect tells reason code, text and reference", async () => {
    const stage = await connected({ protocolVersion: 5 });
    stage.link.disconnect(0x8b, { reasonString: "maintenance", serverReference: "elsewhere" });
    await stage.clock.settle();
    expect(stage.of("serverDisconnect")).toEqual([
      { type: "serverDisconnect", reasonCode: 0x8b, reasonString: "maintenance", serverReference: "elsewhere" },
    ]);
    expect(stage.of("connectionLost")[0]?.error).toMatchObject({
      code: "ERR_SERVER_DISCONNECT",
      peer: { protocol: "mqtt", code: 0x8b, text: "maintenance" },
    });
    await stage.finish();
  });

  test("a listener that throws or rejects stops nobody and is told on the warning channel", async () => {
    const warnings: WarningTrace[] = [];
    const listen = (message: unknown): void => void warnings.push(message as WarningTrace);
    subscribeChannel("polymq:warning", listen);
    const stage = setup();
    stage.client.on("connect", () => {
      throw new Error("thrown");
    });
    stage.client.on("connect", () => Promise.reject(new Error("rejected")));
    let told = 0;
    stage.client.on("connect", () => told++);
    await stage.now(stage.client.connect());
    unsubscribeChannel("polymq:warning", listen);
    expect(told).toBe(1);
    expect(stage.client.state).toBe("connected");
    expect(warnings.map((warning) => (warning.error as Error).message)).toEqual(["thrown", "rejected"]);
    await stage.finish();
  });

  test("on() returns what stops it, once() stops by itself", async () => {
    const stage = setup();
    const told: string[] = [];
    const off = stage.client.on("state", (event) => told.push(event.state));
    stage.client.once("state", (event) => told.push(`once ${event.state}`));
    const connecting = stage.client.connect();
    off();
    await stage.now(connecting);
    expect(told).toEqual(["connecting", "once connecting"]);
    await stage.finish();
  });

  test("events() gives all of them as one stream that ends with the client", async () => {
    const stage = setup();
    const types: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const event of stage.client.events() as AsyncIterable<MqttClientEvent>) types.push(event.type);
    })();
    await stage.now(stage.client.connect());
    await stage.finish();
    await stage.now(reading);
    expect(types).toEqual(stage.events.map((event) => event.type));
    expect(types.at(-1)).toBe("closed");
  });

  test("a listener may end the client from inside any event", async () => {
    for (const type of ["state", "serverCapabilities", "connect"] as const) {
      const stage = setup({ protocolVersion: 5 });
      stage.client.on(type, () => {
        if (stage.client.state === "connected") void stage.client.destroy();
      });
      const connecting = stage.promises.track(stage.client.connect());
      const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
      publishing.catch(() => undefined);
      connecting.catch(() => undefined);
      await stage.clock.settle();
      expect(stage.client.state).toBe("closed");
      await stage.finish();
    }
  });
});

describe("diagnostics", () => {
  test("polymq:connect tells each step of a connection, without credentials", async () => {
    const traces: ConnectTrace[] = [];
    const listen = (message: unknown): void => void traces.push(message as ConnectTrace);
    subscribeChannel("polymq:connect", listen);
    const stage = setup({
      servers: "mqtt://user:secret@server",
      answer: (_, count) => (count === 1 ? new Error("down") : "server"),
    });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_FAILED");
    await stage.now(stage.client.connect());
    stage.link.cut();
    await stage.clock.settle();
    await stage.finish();
    unsubscribeChannel("polymq:connect", listen);
    expect(traces.map((trace) => trace.phase)).toEqual([
      "dialing",
      "failed",
      "dialing",
      "connected",
      "lost",
      "dialing",
      "connected",
      "closed",
    ]);
    expect(traces[3]).toEqual({
      protocol: "mqtt",
      clientId: "c",
      server: "mqtt://server:1883",
      phase: "connected",
      attempt: 1,
      error: null,
    });
    expect(traces[4]?.error).toMatchObject({ code: "ERR_CONNECTION_LOST" });
    expect(JSON.stringify(traces)).not.toContain("secret");
  });
});
