import { describe, expect, test, vi } from "vitest";
import type { AuthenticationOptions } from "./options.ts";
import { ack, Lab, message } from "./parity-lab.test-support.ts";

const bytes = (...list: number[]): Uint8Array => Uint8Array.of(...list);

describe("CONNECT", () => {
  test("carries client id, user name, password, keep-alive and clean start", async () => {
    const lab = new Lab({ clientId: "device-001", username: "user", password: "secret", keepAliveSeconds: 30 });
    expect(await lab.connect()).toMatchObject({
      level: 4,
      clientId: "device-001",
      username: "user",
      password: new TextEncoder().encode("secret"),
      keepAliveSeconds: 30,
      cleanStart: true,
      will: null,
    });
  });

  test("credentials are asked for anew at every attempt", async () => {
    let attempt = 0;
    const lab = new Lab({ credentials: async () => ({ username: `token ${++attempt}` }) });
    expect((await lab.connect()).username).toBe("token 1");
    await lab.cut();
    expect((await lab.accept()).username).toBe("token 2");
  });

  test("carries those properties of MQTT 5.0 that differ from the protocol's defaults, and no others", async () => {
    const plain = new Lab({ protocolVersion: 5 });
    expect((await plain.connect()).properties).toBeNull();
    const lab = new Lab({
      protocolVersion: 5,
      cleanStart: false,
      sessionExpirySeconds: 86_400,
      receiveMaximum: 100,
      maximumPacketSize: 1_048_576,
      topicAliasMaximum: 10,
      requestResponseInformation: true,
      requestProblemInformation: false,
    });
    const connect = await lab.connect();
    expect(connect.cleanStart).toBe(false);
    expect(connect.properties).toEqual({
      sessionExpirySeconds: 86_400,
      receiveMaximum: 100,
      maximumPacketSize: 1_048_576,
      topicAliasMaximum: 10,
      requestResponseInformation: true,
      requestProblemInformation: false,
    });
  });

  test("carries the will with all its properties (MQTT 5.0 §3.1.3.2)", async () => {
    const properties = {
      delaySeconds: 30,
      payloadFormat: 1,
      messageExpirySeconds: 3_600,
      contentType: "text/plain",
      responseTopic: "r",
      correlationData: bytes(1),
    } as const;
    const userProperties = { reason: ["unexpected", "twice"] };
    const will = { topic: "clients/1/status", payload: "offline", qos: 1, retain: true, ...properties, userProperties };
    const lab = new Lab({ protocolVersion: 5, will: { ...will, qos: 1 } });
    expect((await lab.connect()).will).toEqual({
      topic: "clients/1/status",
      payload: new TextEncoder().encode("offline"),
      qos: 1,
      retain: true,
      properties: {
        ...properties,
        userProperties: [
          ["reason", "unexpected"],
          ["reason", "twice"],
        ],
      },
    });
  });

  test("a server may assign the client id", async () => {
    const lab = new Lab({ protocolVersion: 5, clientId: "" });
    await lab.connect({ properties: { assignedClientId: "server-7" } });
    expect(lab.client.clientId).toBe("server-7");
  });

  test("a bare host:port is taken as mqtt://", async () => {
    const lab = new Lab({ servers: "localhost:1883" });
    await lab.connect();
    expect(lab.dials[0]?.endpoint).toMatchObject({ scheme: "mqtt", host: "localhost", port: 1883 });
  });

  test("mqtts:// is dialled with TLS and the options given for it", async () => {
    const lab = new Lab({ servers: "mqtts://server", tls: { ca: "PEM", serverName: "name" } });
    await lab.connect();
    expect(lab.dials[0]?.options).toMatchObject({ kind: "tls", tls: { ca: "PEM", serverName: "name" } });
  });

  test("servers are tried in order until one accepts", async () => {
    const lab = new Lab({ servers: ["mqtt://one", "mqtt://two"] });
    const connecting = lab.client.connect();
    await lab.clock.settle();
    lab.server.next("connect");
    await lab.send({ type: "connack", sessionPresent: false, reasonCode: 3, properties: null });
    await lab.accept();
    await connecting;
    expect(lab.dials.map(({ endpoint }) => endpoint.host)).toEqual(["one", "two"]);
  });
});

describe("a connect that fails", () => {
  test("ends in ERR_CONNECT_FAILED when nobody can be reached", async () => {
    const lab = new Lab();
    lab.refusing = true;
    expect(await lab.outcome(lab.client.connect())).toBe("ERR_CONNECT_FAILED");
    expect(lab.client.state).toBe("disconnected");
  });

  test.each([
    [4, 5],
    [5, 0x87],
  ] as const)(
    "ends in ERR_CONNECT_REJECTED with the server's code at level %s",
    async (protocolVersion, reasonCode) => {
      const lab = new Lab({ protocolVersion });
      const connecting = lab.client.connect();
      const caught = connecting.catch((error: unknown) => error);
      await lab.accept({ reasonCode });
      expect(await caught).toMatchObject({
        code: "ERR_CONNECT_REJECTED",
        peer: { protocol: "mqtt", code: reasonCode },
      });
    },
  );

  test("ends in ERR_CONNECT_TIMEOUT when no CONNACK comes within connectTimeoutMs", async () => {
    const lab = new Lab({ connectTimeoutMs: 3_000 });
    const connecting = lab.client.connect();
    connecting.catch(() => undefined);
    await lab.clock.advance(2_999);
    expect(await lab.outcome(connecting)).toBe("open");
    await lab.clock.advance(1);
    expect(await lab.outcome(connecting)).toBe("ERR_CONNECT_TIMEOUT");
  });

  test("a signal gives up connecting with ERR_ABORTED", async () => {
    const lab = new Lab();
    const abort = new AbortController();
    const connecting = lab.client.connect({ signal: abort.signal });
    await lab.clock.settle();
    abort.abort();
    expect(await lab.outcome(connecting)).toBe("ERR_ABORTED");
  });

  test("a second connect is ERR_ALREADY_CONNECTED", async () => {
    const lab = new Lab();
    await lab.connect();
    expect(await lab.outcome(lab.client.connect())).toBe("ERR_ALREADY_CONNECTED");
  });
});

describe("keep-alive and loss", () => {
  test("PINGREQ leaves within the keep-alive time when nothing else does, and keepAliveSeconds 0 sends none", async () => {
    const lab = new Lab({ keepAliveSeconds: 60 });
    await lab.connect();
    await lab.clock.advance(46_000);
    expect(lab.types).toEqual(["pingreq"]);
    const quiet = new Lab({ keepAliveSeconds: 0 });
    await quiet.connect();
    await quiet.clock.advance(600_000);
    expect(quiet.types).toEqual([]);
  });

  test("a PINGREQ without any answer within pingTimeoutMs is ERR_PING_TIMEOUT and the connection is lost", async () => {
    const lab = new Lab({ keepAliveSeconds: 60, pingTimeoutMs: 5_000 });
    await lab.connect();
    await lab.clock.advance(45_000 + 5_000 + 10);
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_PING_TIMEOUT" } }]);
  });

  test("bytes that stay unsent for writeTimeoutMs are ERR_WRITE_TIMEOUT and the connection is lost", async () => {
    const lab = new Lab({ writeTimeoutMs: 5_000, keepAliveSeconds: 0 });
    await lab.connect();
    lab.server.pause();
    void lab.client.publish("a", new Uint8Array(100_000));
    await lab.clock.advance(5_010);
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_WRITE_TIMEOUT" } }]);
  });

  test("an orderly end without DISCONNECT is noticed at once: ERR_CONNECTION_LOST", async () => {
    const lab = new Lab();
    await lab.connect();
    lab.server.close();
    await lab.clock.settle();
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_CONNECTION_LOST" } }]);
    expect(lab.dials).toHaveLength(2);
  });

  test("a DISCONNECT of the server is told with its code and reason (MQTT 5.0 §3.14)", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const properties = { reasonString: "moving house" };
    await lab.send({ type: "disconnect", reasonCode: 0x8b, properties });
    lab.server.close();
    await lab.clock.settle();
    expect(lab.told("serverDisconnect")).toMatchObject([{ reasonCode: 0x8b, reasonString: "moving house" }]);
    expect(lab.told("connectionLost")).toMatchObject([
      { error: { code: "ERR_SERVER_DISCONNECT", peer: { code: 0x8b, text: "moving house" } } },
    ]);
  });

  test("malformed input is ERR_MALFORMED_PACKET and the connection is lost", async () => {
    const lab = new Lab();
    await lab.connect();
    lab.server.sendBytes(bytes(0x30, 0x02, 0x00, 0x05));
    await lab.clock.settle();
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_MALFORMED_PACKET" } }]);
  });

  test("a packet that no server may send is ERR_UNEXPECTED_PACKET and the connection is lost", async () => {
    const lab = new Lab();
    await lab.connect();
    await lab.send({ type: "pingreq" });
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_UNEXPECTED_PACKET" } }]);
  });
});

describe("reconnecting", () => {
  test("begins at once, then after 1 s, doubling to 2 min", async () => {
    const lab = new Lab({ reconnect: { jitter: "none" } });
    await lab.connect();
    lab.refusing = true;
    await lab.cut();
    expect(lab.told("reconnecting").map(({ attempt }) => attempt)).toEqual([1]);
    for (const seconds of [1, 2, 4, 8, 16, 32, 64, 120, 120]) {
      const before = lab.dials.length;
      await lab.clock.advance(seconds * 1_000 - 1);
      expect(lab.dials.length, `${seconds} s`).toBe(before);
      await lab.clock.advance(1);
      expect(lab.dials.length, `${seconds} s`).toBe(before + 1);
    }
  });

  test("initialDelayMs and maxDelayMs bound the delays, of which full jitter draws a part", async () => {
    const lab = new Lab({ reconnect: { initialDelayMs: 100, maxDelayMs: 200 } });
    await lab.connect();
    lab.refusing = true;
    await lab.cut();
    for (const delayMs of [50, 100, 100]) {
      const before = lab.dials.length;
      await lab.clock.advance(delayMs);
      expect(lab.dials.length).toBe(before + 1);
    }
  });

  test("gives up after maxAttempts with reconnectFailed and ERR_RECONNECT_EXHAUSTED", async () => {
    const lab = new Lab({ reconnect: { maxAttempts: 3 } });
    await lab.connect();
    lab.refusing = true;
    await lab.cut();
    await lab.clock.advance(10_000);
    expect(lab.told("reconnecting")).toHaveLength(3);
    expect(lab.told("reconnectFailed")).toMatchObject([{ error: { code: "ERR_RECONNECT_EXHAUSTED" } }]);
    expect(lab.client.state).toBe("disconnected");
  });

  test("reconnect: false makes no attempt", async () => {
    const lab = new Lab({ reconnect: false });
    await lab.connect();
    await lab.cut();
    await lab.clock.advance(600_000);
    expect(lab.dials).toHaveLength(1);
    expect(lab.told("reconnectFailed")).toMatchObject([{ error: { code: "ERR_CONNECTION_LOST" } }]);
  });

  test("restores subscriptions unless the server kept the session", async () => {
    const lab = new Lab();
    await lab.connect();
    await lab.subscribe("a/#", { qos: 1, handler: () => undefined });
    await lab.cut();
    await lab.accept({ sessionPresent: false });
    const restored = lab.server.next("subscribe");
    expect(restored.filters).toMatchObject([{ filter: "a/#", qos: 1 }]);
    const resuming = new Lab({ cleanStart: false });
    await resuming.connect();
    await resuming.subscribe("a/#", { qos: 1, handler: () => undefined });
    await resuming.cut();
    await resuming.accept({ sessionPresent: true });
    expect(resuming.types).toEqual([]);
  });

  test("sends what is in flight again in order, with DUP and its packet id when the session was kept", async () => {
    const lab = new Lab({ cleanStart: false });
    await lab.connect();
    const publishing = [1, 2].map((n) => lab.client.publish("a", `${n}`, { qos: 1 }));
    await lab.clock.settle();
    const ids = [lab.server.next("publish").packetId, lab.server.next("publish").packetId];
    await lab.cut();
    await lab.accept({ sessionPresent: true });
    const again = [lab.server.next("publish"), lab.server.next("publish")];
    expect(again).toMatchObject(ids.map((packetId) => ({ packetId, dup: true })));
    for (const id of ids) await lab.send(ack("puback", id));
    expect(await Promise.all(publishing)).toHaveLength(2);
  });
});

describe("events", () => {
  test("serverCapabilities comes before connect, with the protocol's defaults where the server said nothing", async () => {
    const lab = new Lab({ protocolVersion: 5, sessionExpirySeconds: 7, keepAliveSeconds: 9 });
    await lab.connect();
    const order = lab.events.map(({ type }) => type).filter((type) => type !== "state");
    expect(order).toEqual(["serverCapabilities", "connect"]);
    expect(lab.client.serverCapabilities).toEqual({
      sessionExpirySeconds: 7,
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
      keepAliveSeconds: 9,
      responseInformation: "",
      serverReference: "",
      authenticationMethod: "",
      authenticationData: null,
    });
  });

  test("server capabilities are what CONNACK says (MQTT 5.0 §3.2.2.3)", async () => {
    const authentication = { method: "M", respond: () => bytes() };
    const lab = new Lab({ protocolVersion: 5, authentication });
    const said = {
      sessionExpirySeconds: 5,
      receiveMaximum: 10,
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 1_000,
      assignedClientId: "id",
      topicAliasMaximum: 3,
      reasonString: "hello",
      userProperties: [["a", "b"]],
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      responseInformation: "r/",
      serverReference: "other",
      authenticationMethod: "M",
      authenticationData: bytes(1),
    } as const;
    await lab.connect({ properties: { ...said, serverKeepAliveSeconds: 20 } });
    expect(lab.client.serverCapabilities).toEqual({ ...said, keepAliveSeconds: 20 });
  });

  test("connect says whether the session was present, and state goes through connecting, connected, reconnecting", async () => {
    const lab = new Lab({ cleanStart: false });
    await lab.connect({ sessionPresent: true });
    expect(lab.told("connect")).toMatchObject([{ sessionPresent: true, protocolVersion: 4 }]);
    await lab.cut();
    expect(lab.told("state").map(({ state }) => state)).toEqual(["connecting", "connected", "reconnecting"]);
  });

  test("disconnect ends in disconnected, close in closed, both by way of disconnecting", async () => {
    const lab = new Lab();
    await lab.connect();
    expect(await lab.outcome(lab.client.disconnect())).toBe("resolved");
    expect(await lab.outcome(lab.client.close())).toBe("resolved");
    const states = lab.told("state").map(({ state }) => state);
    expect(states).toEqual(["connecting", "connected", "disconnecting", "disconnected", "disconnecting", "closed"]);
  });

  test("a listener that throws harms nobody", async () => {
    const lab = new Lab();
    const later = vi.fn();
    lab.client.on("connect", () => {
      throw new Error("listener");
    });
    lab.client.on("connect", later);
    await lab.connect();
    expect(later).toHaveBeenCalledOnce();
  });

  test("a store that fails when a received message is to be noted is told as backgroundError", async () => {
    const failing = {
      open: () => Promise.resolve({ publishes: [], receivedIds: [] }),
      write: (operations: readonly { readonly op: string }[]) =>
        operations.some(({ op }) => op === "putReceived") ? Promise.reject(new Error("disk")) : Promise.resolve(),
      close: () => Promise.resolve(),
    };
    const lab = new Lab({ store: failing });
    await lab.connect();
    await lab.subscribe("a", { qos: 2, handler: () => undefined });
    await lab.send(message("a", 2, 1));
    expect(lab.told("backgroundError")).toMatchObject([{ error: { code: "ERR_STORE_FAILED" } }]);
  });
});

describe("enhanced authentication (MQTT 5.0 §4.12)", () => {
  const options: AuthenticationOptions = {
    method: "SCRAM",
    data: () => bytes(1),
    respond: ({ data }) => bytes(...data, 9),
    verify: (data) => {
      if (data[0] === 0xff) throw new Error("wrong");
    },
  };

  test("method and data go into CONNECT, a challenge is answered, and the connection opens", async () => {
    const lab = new Lab({ protocolVersion: 5, authentication: options });
    const connecting = lab.client.connect();
    await lab.clock.settle();
    const connect = lab.server.next("connect");
    expect(connect.properties).toEqual({ authenticationMethod: "SCRAM", authenticationData: bytes(1) });
    const properties = { authenticationMethod: "SCRAM", authenticationData: bytes(5) };
    await lab.send({ type: "auth", reasonCode: 0x18, properties });
    expect(lab.server.next("auth").properties).toMatchObject({ authenticationData: bytes(5, 9) });
    const last = { authenticationMethod: "SCRAM", authenticationData: bytes(7) };
    await lab.send({ type: "connack", sessionPresent: false, reasonCode: 0, properties: last });
    await connecting;
  });

  test("reauthenticate resolves at the server's success and fails with ERR_AUTH_FAILED when its data are wrong", async () => {
    const lab = new Lab({ protocolVersion: 5, authentication: options });
    await lab.connect({ properties: { authenticationMethod: "SCRAM" } });
    const again = lab.client.reauthenticate();
    await lab.clock.settle();
    expect(lab.server.next("auth").reasonCode).toBe(0x19);
    await lab.send({ type: "auth", reasonCode: 0, properties: { authenticationMethod: "SCRAM" } });
    expect(await lab.outcome(again)).toBe("resolved");
    const wrong = lab.client.reauthenticate();
    wrong.catch(() => undefined);
    await lab.clock.settle();
    const properties = { authenticationMethod: "SCRAM", authenticationData: bytes(0xff) };
    await lab.send({ type: "auth", reasonCode: 0, properties });
    expect(await lab.outcome(wrong)).toBe("ERR_AUTH_FAILED");
  });

  test("reauthenticate without the option authentication is ERR_AUTH_NO_HANDLER", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    expect(await lab.outcome(lab.client.reauthenticate())).toBe("ERR_AUTH_NO_HANDLER");
  });

  test("an AUTH of another method is ERR_AUTH_METHOD_MISMATCH and the connection is lost", async () => {
    const lab = new Lab({ protocolVersion: 5, authentication: options });
    await lab.connect({ properties: { authenticationMethod: "SCRAM" } });
    await lab.send({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "OTHER" } });
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_AUTH_METHOD_MISMATCH" } }]);
  });
});
