import { describe, expect, test } from "vitest";
import { connected, now, type Stage, setup, utf8 } from "./client-setup.test-support.ts";

describe("connect()", () => {
  test("resolves at CONNACK and not before", async () => {
    const stage = setup({ server: { onConnect: () => "silence" } });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.settle();
    expect(stage.client.state).toBe("connecting");
    stage.link.accept();
    await stage.now(connecting);
    expect(stage.client.state).toBe("connected");
    expect(stage.client.connected).toBe(true);
    await stage.finish();
  });

  test.each([
    [4, 0x85, 2],
    [4, 0x88, 3],
    [4, 0x86, 4],
    [4, 0x87, 5],
    [5, 0x80, 0x80],
    [5, 0x85, 0x85],
    [5, 0x86, 0x86],
    [5, 0x87, 0x87],
    [5, 0x88, 0x88],
    [5, 0x8a, 0x8a],
    [5, 0x97, 0x97],
    [5, 0x9f, 0x9f],
  ] as const)(
    "at level %i: a refusal with 0x%x rejects with ERR_CONNECT_REJECTED and its code",
    async (level, refuse, code) => {
      const stage = setup({ protocolVersion: level, server: { onConnect: () => ({ refuse }) } });
      const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
      expect(error.peer).toMatchObject({ protocol: "mqtt", code });
      expect(stage.client.state).toBe("disconnected");
      expect(stage.link.ended).toBeNull();
      await stage.finish();
    },
  );

  test("tells the server's reason string", async () => {
    const answer = { refuse: 0x87, properties: { reasonString: "not today" } };
    const stage = setup({ protocolVersion: 5, server: { onConnect: () => answer } });
    const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(error.peer?.text).toBe("not today");
    await stage.finish();
  });

  test("after a refusal the connection is closed by the client, too [MQTT-4.13.2-1]", async () => {
    const stage = setup({ protocolVersion: 5, server: { mode: "raw" } });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    stage.link.send({ type: "connack", sessionPresent: false, reasonCode: 0x87, properties: null });
    await stage.refused(connecting, "ERR_CONNECT_REJECTED");
    expect(stage.link.ended).not.toBe("open");
    await stage.finish();
  });

  test("gives up a server that does not answer the dial with ERR_CONNECT_TIMEOUT", async () => {
    const stage = setup({ answer: () => "silence", connectTimeoutMs: 700 });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.advance(699);
    expect(stage.promises.pending).toHaveLength(1);
    await stage.clock.advance(1);
    await stage.refused(connecting, "ERR_CONNECT_TIMEOUT");
    await stage.finish();
  });

  test("gives up a server that sends no CONNACK with ERR_CONNECT_TIMEOUT", async () => {
    const stage = setup({ server: { onConnect: () => "silence" }, connectTimeoutMs: 700 });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.advance(700);
    await stage.refused(connecting, "ERR_CONNECT_TIMEOUT");
    expect(stage.link.ended).not.toBe("open");
    await stage.finish();
  });

  test("rejects with ERR_CONNECT_FAILED when nobody listens", async () => {
    const cause = new Error("ECONNREFUSED");
    const stage = setup({ answer: () => cause });
    const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_FAILED");
    expect(error.cause).toBe(cause);
    await stage.finish();
  });

  test("rejects with ERR_CONNECTION_LOST when the link breaks before CONNACK", async () => {
    const stage = setup({ server: { onConnect: () => "silence" } });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    stage.link.cut();
    await stage.refused(connecting, "ERR_CONNECTION_LOST");
    await stage.finish();
  });

  test.each([
    ["a PUBLISH", Uint8Array.of(0x30, 3, 0, 1, 0x61), "ERR_UNEXPECTED_PACKET"],
    ["a CONNACK with reserved flags", Uint8Array.of(0x20, 2, 2, 0), "ERR_MALFORMED_PACKET"],
    ["a CONNACK that refuses and has a session [MQTT-3.2.2-6]", Uint8Array.of(0x20, 2, 1, 5), "ERR_PROTOCOL_VIOLATION"],
    [
      "a session after a clean start [MQTT-3.1.2-4] [MQTT-3.2.2-4] [MQTT3-3.1.2-6]",
      Uint8Array.of(0x20, 2, 1, 0),
      "ERR_PROTOCOL_VIOLATION",
    ],
    ["a packet above the maximum packet size", Uint8Array.of(0x20, 0xff, 0xff, 0xff, 0x7f), "ERR_PACKET_TOO_LARGE"],
  ] as const)("rejects when the server answers with %s", async (_, bytes, code) => {
    const stage = setup({ server: { mode: "raw" }, maximumPacketSize: 1_000 });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    stage.link.sendBytes(bytes);
    await stage.refused(connecting, code);
    expect(stage.link.ended).not.toBe("open");
    await stage.finish();
  });

  test("rejects with ERR_ALREADY_CONNECTED while one is under way and afterwards", async () => {
    const stage = setup();
    const connecting = stage.client.connect();
    await stage.refused(stage.client.connect(), "ERR_ALREADY_CONNECTED");
    await stage.now(connecting);
    await stage.refused(stage.client.connect(), "ERR_ALREADY_CONNECTED");
    stage.link.cut();
    await stage.refused(stage.client.connect(), "ERR_ALREADY_CONNECTED");
    await stage.finish();
  });

  test("rejects with ERR_CLIENT_CLOSED after close", async () => {
    const stage = setup();
    await stage.finish();
    await stage.refused(stage.client.connect(), "ERR_CLIENT_CLOSED");
  });

  test("may be called again after a failure", async () => {
    const stage = setup({ answer: (_, count) => (count === 1 ? new Error("down") : "server") });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_FAILED");
    await stage.now(stage.client.connect());
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("has no connection left when the caller gives up during the dial", async () => {
    const stage = setup({ answer: () => "silence" });
    const abort = new AbortController();
    const connecting = stage.client.connect({ signal: abort.signal });
    await stage.clock.settle();
    abort.abort();
    await stage.refused(connecting, "ERR_ABORTED");
    expect(stage.client.state).toBe("disconnected");
    expect(stage.clock.pendingTimers).toBe(0);
    await stage.finish();
  });

  test("has no connection left when the caller gives up before CONNACK", async () => {
    const stage = setup({ server: { onConnect: () => "silence" } });
    const abort = new AbortController();
    const connecting = stage.client.connect({ signal: abort.signal });
    await stage.clock.settle();
    abort.abort();
    await stage.refused(connecting, "ERR_ABORTED");
    expect(stage.link.ended).not.toBe("open");
    await stage.finish();
  });

  test.each([
    ["a user name with U+0000", { username: "a\0b" }],
    ["a password that is too long", { username: "u", password: "x".repeat(65_536) }],
  ])("has no connection left when CONNECT cannot be written: %s", async (_, options) => {
    const stage = setup(options);
    await stage.refused(stage.client.connect(), "ERR_INVALID_ARGUMENT");
    expect(stage.link.ended).not.toBe("open");
    expect(stage.client.state).toBe("disconnected");
    await stage.finish();
  });

  test("does not dial with a signal that has fired already", async () => {
    const stage = setup();
    await stage.refused(stage.client.connect({ signal: AbortSignal.abort() }), "ERR_ABORTED");
    expect(stage.dials).toHaveLength(0);
    await stage.finish();
  });

  test("its signal ends only the call: later it neither cuts the connection nor keeps it from coming back", async () => {
    const stage = setup();
    const abort = new AbortController();
    await stage.now(stage.client.connect({ signal: abort.signal }));
    abort.abort();
    await stage.clock.settle();
    expect(stage.client.state).toBe("connected");
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.client.state).toBe("connected");
    expect(stage.server.connections).toHaveLength(2);
    await stage.finish();
  });

  test.each(["disconnect", "close", "destroy"] as const)(
    "rejects when %s() comes while it is under way",
    async (how) => {
      const stage = setup({ server: { onConnect: () => "silence" } });
      const connecting = stage.promises.track(stage.client.connect());
      await stage.clock.settle();
      const stopping = stage.client[how]();
      await stage.refused(connecting, "ERR_ABORTED");
      await stage.now(stopping);
      expect(stage.client.state).toBe(how === "disconnect" ? "disconnected" : "closed");
      await stage.clock.advance(60_000);
      expect(stage.server.connections).toHaveLength(1);
      await stage.finish();
    },
  );

  test("can be begun again at once after disconnect() gave the last one up", async () => {
    const stage = setup({ server: { onConnect: () => "silence" } });
    const first = stage.promises.track(stage.client.connect());
    await stage.clock.settle();
    await stage.now(stage.client.disconnect());
    stage.server.options = {};
    const second = stage.client.connect();
    await stage.refused(first, "ERR_ABORTED");
    await stage.now(second);
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });
});

describe("several servers", () => {
  function three(down: readonly string[]): Stage {
    return setup({
      servers: ["mqtt://a", "mqtt://b", "mqtt://c"],
      answer: (endpoint) => (down.includes(endpoint.host) ? new Error(`${endpoint.host} is down`) : "server"),
    });
  }

  test("are tried in order until one takes us", async () => {
    const stage = three(["a"]);
    await stage.now(stage.client.connect());
    expect(stage.dials.map((dial) => dial.endpoint.host)).toEqual(["a", "b"]);
    expect(stage.of("connect")[0]?.server).toBe("mqtt://b:1883");
    await stage.finish();
  });

  test("one round over all of them is made by the first connect", async () => {
    const stage = three(["a", "b", "c"]);
    const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_FAILED");
    expect(error.message).toContain("c is down");
    expect(stage.dials).toHaveLength(3);
    await stage.finish();
  });

  test("the one that worked last comes first after a loss", async () => {
    const down = ["a"];
    const stage = three(down);
    await stage.now(stage.client.connect());
    down.push("b");
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.dials.map((dial) => dial.endpoint.host)).toEqual(["a", "b", "b", "c"]);
    expect(stage.of("reconnecting").map((event) => event.server)).toEqual(["mqtt://b:1883", "mqtt://c:1883"]);
    await stage.finish();
  });
});

describe("the first connect under the retry rules", () => {
  test("waits and tries again until a server takes it", async () => {
    const stage = setup({
      reconnect: { retryFirstConnect: true },
      answer: (_, count) => (count < 4 ? new Error("down") : "server"),
    });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.advance(6_999);
    expect(stage.dials).toHaveLength(3);
    await stage.clock.advance(1);
    await stage.now(connecting);
    const [first = 0, ...rest] = stage.dials.map((dial) => dial.atMs);
    expect(rest.map((each) => each - first)).toEqual([1_000, 3_000, 7_000]);
    await stage.finish();
  });

  test("ends with ERR_RECONNECT_EXHAUSTED at its limit", async () => {
    const stage = setup({ reconnect: { retryFirstConnect: true, maxAttempts: 3 }, answer: () => new Error("down") });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.advance(10_000);
    await stage.refused(connecting, "ERR_RECONNECT_EXHAUSTED");
    expect(stage.dials).toHaveLength(3);
    expect(stage.client.state).toBe("disconnected");
    await stage.finish();
  });

  test("is ended by the caller's signal while it waits", async () => {
    const stage = setup({ reconnect: { retryFirstConnect: true }, answer: () => new Error("down") });
    const abort = new AbortController();
    const connecting = stage.client.connect({ signal: abort.signal });
    await stage.clock.advance(500);
    abort.abort();
    await stage.refused(connecting, "ERR_ABORTED");
    expect(stage.clock.pendingTimers).toBe(0);
    await stage.finish();
  });

  test("publishes under way wait for it, and fail with it", async () => {
    const stage = setup({ reconnect: { retryFirstConnect: true, maxAttempts: 2 }, answer: () => new Error("down") });
    const connecting = stage.client.connect();
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    connecting.catch(() => undefined);
    await stage.clock.advance(10_000);
    await stage.refused(publishing, "ERR_RECONNECT_EXHAUSTED");
    await stage.finish();
  });
});

describe("what the server says in CONNACK", () => {
  const all = {
    sessionExpirySeconds: 7,
    receiveMaximum: 3,
    maximumQoS: 1,
    retainAvailable: false,
    maximumPacketSize: 1_000,
    topicAliasMaximum: 4,
    reasonString: "welcome",
    userProperties: [["__proto__", "x"]],
    wildcardSubscriptionAvailable: false,
    subscriptionIdentifiersAvailable: false,
    sharedSubscriptionAvailable: false,
    serverKeepAliveSeconds: 33,
    serverReference: "other",
  } as const;

  test("is told as serverCapabilities, with the protocol's defaults for the rest", async () => {
    const stage = await connected({ protocolVersion: 5, keepAliveSeconds: 20, sessionExpirySeconds: 50 });
    expect(stage.client.serverCapabilities).toEqual({
      sessionExpirySeconds: 50,
      receiveMaximum: 65_535,
      maximumQoS: 2,
      retainAvailable: true,
      maximumPacketSize: Number.POSITIVE_INFINITY,
      assignedClientId: "",
      topicAliasMaximum: 0,
      reasonString: "",
      userProperties: [],
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: true,
      sharedSubscriptionAvailable: true,
      keepAliveSeconds: 20,
      responseInformation: "",
      serverReference: "",
      authenticationMethod: "",
      authenticationData: null,
    });
    await stage.finish();
    expect(stage.client.serverCapabilities).toBeNull();
  });

  test("is told in full, before the connect event", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onConnect: () => ({ properties: all }) } });
    const { serverKeepAliveSeconds, ...rest } = all;
    expect(stage.client.serverCapabilities).toMatchObject({ ...rest, keepAliveSeconds: serverKeepAliveSeconds });
    const types = stage.events.map((event) => event.type);
    expect(types.indexOf("serverCapabilities")).toBeLessThan(types.indexOf("connect"));
    await stage.finish();
  });

  test("does not change the options: the next connection asks for the same again", async () => {
    const properties = { sessionExpirySeconds: 5, serverKeepAliveSeconds: 5 };
    const stage = await connected({
      protocolVersion: 5,
      keepAliveSeconds: 40,
      sessionExpirySeconds: 90,
      server: { onConnect: () => ({ properties }) },
    });
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.link.connectPacket).toMatchObject({ keepAliveSeconds: 40, properties: { sessionExpirySeconds: 90 } });
    await stage.finish();
  });

  test("its keep alive replaces ours [MQTT-3.1.2-21] [MQTT-3.2.2-21]", async () => {
    const stage = await connected({
      protocolVersion: 5,
      keepAliveSeconds: 1_000,
      server: { onConnect: () => ({ properties: { serverKeepAliveSeconds: 4 } }) },
    });
    await stage.clock.advance(2_999);
    expect(stage.link.types()).toEqual([]);
    await stage.clock.advance(4);
    expect(stage.link.types()).toEqual(["pingreq"]);
    await stage.finish();
  });

  test("that it takes no packet as large as an acknowledgement ends the attempt", async () => {
    const stage = setup({
      protocolVersion: 5,
      server: { onConnect: () => ({ properties: { maximumPacketSize: 4 } }) },
    });
    await stage.refused(stage.client.connect(), "ERR_PACKET_TOO_LARGE");
    await stage.finish();
  });
});

test("a dial hook connects in place of the platform", async () => {
  const seen: string[] = [];
  const stage: Stage = setup({
    dial: (endpoint, options, handler) => {
      seen.push(`${options.kind} ${endpoint.host}`);
      return Promise.resolve(stage.server.connect(handler));
    },
  });
  await stage.now(stage.client.connect());
  expect(seen).toEqual(["tcp server"]);
  await stage.finish();
});

test("an error message never shows the credentials of a server's URL", async () => {
  const stage = setup({
    servers: "mqtt://user:secret@server",
    server: { onConnect: () => "silence" },
    connectTimeoutMs: 10,
  });
  const connecting = stage.client.connect();
  connecting.catch(() => undefined);
  await stage.clock.advance(10);
  const error = await now(stage.clock, stage.refused(connecting, "ERR_CONNECT_TIMEOUT"));
  expect(error.message).toContain("mqtt://server:1883");
  expect(error.message).not.toContain("secret");
  await stage.finish();
});

test("text in CONNECT goes out as UTF-8, a byte order mark included [MQTT-1.5.4-3] [MQTT3-1.5.3-3]", async () => {
  const stage = await connected({ username: "\ufeffü" });
  const bytes = [...(stage.link.frames[0] ?? [])];
  const wanted = [0, 5, ...utf8("\ufeffü")];
  expect(bytes.slice(-wanted.length)).toEqual(wanted);
  await stage.finish();
});
