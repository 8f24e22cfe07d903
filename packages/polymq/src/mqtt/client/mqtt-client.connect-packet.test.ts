import { describe, expect, test } from "vitest";
import type { Connect } from "../codec/packets.ts";
import { codeOf, connected, type Setup, type Stage, setup, utf8 } from "./client-setup.test-support.ts";
import type { Credentials } from "./options.ts";

/** The CONNECT that a client with these options sends first. */
async function connectOf(options: Setup): Promise<Connect> {
  const { link, finish } = await connected(options);
  const packet = link.connectPacket;
  await finish();
  if (packet === null) throw new Error("no CONNECT");
  return packet;
}

describe.each([4, 5] as const)("CONNECT at level %i", (protocolVersion) => {
  const options = { protocolVersion };

  test("without options says only who the client is [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-16] [MQTT-3.1.2-18] [MQTT-3.1.3-3] [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15] [MQTT3-3.1.2-18] [MQTT3-3.1.2-20] [MQTT3-3.1.3-3]", async () => {
    expect(await connectOf(options)).toEqual({
      type: "connect",
      level: protocolVersion,
      cleanStart: true,
      keepAliveSeconds: 60,
      clientId: "c",
      username: null,
      password: null,
      will: null,
      properties: null,
    });
  });

  test("is the first packet on a connection [MQTT-3.1.0-1] [MQTT3-3.1.0-1]", async () => {
    const stage = setup(options);
    const connecting = stage.client.connect();
    const publishing = stage.client.publish("t", "x", { qos: 1 });
    await stage.now(connecting);
    await stage.now(publishing);
    expect(stage.link.types()).toEqual(["connect", "publish"]);
    await stage.finish();
  });

  test("carries user name and password [MQTT-3.1.2-17] [MQTT-3.1.2-19] [MQTT3-3.1.2-19] [MQTT3-3.1.2-21]", async () => {
    const packet = await connectOf({ ...options, username: "üser", password: "pässword" });
    expect(packet).toMatchObject({ username: "üser", password: utf8("pässword") });
  });

  test("takes a password of bytes as it is", async () => {
    const password = Uint8Array.of(0, 255, 128);
    expect((await connectOf({ ...options, username: "u", password })).password).toEqual(password);
  });

  test("carries a will with topic, payload, QoS and retain [MQTT-3.1.2-9] [MQTT3-3.1.2-9]", async () => {
    const packet = await connectOf({ ...options, will: { topic: "gone", payload: "bye", qos: 2, retain: true } });
    expect(packet.will).toMatchObject({ topic: "gone", payload: utf8("bye"), qos: 2, retain: true });
  });

  test("has its payload fields in order [MQTT-3.1.3-1] [MQTT3-3.1.3-1]", async () => {
    const stage = await connected({
      ...options,
      username: "USER",
      password: "PASS",
      will: { topic: "WILL", payload: "BODY" },
    });
    const text = new TextDecoder("latin1").decode(stage.link.frames[0]);
    const order = ["MQTT", "WILL", "BODY", "USER", "PASS"].map((word) => text.indexOf(word));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(Math.min(...order)).toBeGreaterThan(0);
    await stage.finish();
  });

  test("has an empty will payload where none was given", async () => {
    expect((await connectOf({ ...options, will: { topic: "gone" } })).will).toMatchObject({
      payload: new Uint8Array(0),
      qos: 0,
    });
  });

  test("carries keep alive and clean start as asked for", async () => {
    const packet = await connectOf({ ...options, keepAliveSeconds: 7, cleanStart: false });
    expect(packet).toMatchObject({ keepAliveSeconds: 7, cleanStart: false });
  });

  test("carries the credentials of the URL", async () => {
    const packet = await connectOf({ ...options, servers: "mqtt://na%2Fme:p%40ss@server" });
    expect(packet).toMatchObject({ username: "na/me", password: utf8("p@ss") });
  });

  test("prefers options to the credentials of the URL", async () => {
    const packet = await connectOf({ ...options, servers: "mqtt://url:url@server", username: "option" });
    expect(packet).toMatchObject({ username: "option", password: null });
  });
});

describe("CONNECT at level 5", () => {
  test("carries every option that has a property", async () => {
    const packet = await connectOf({
      protocolVersion: 5,
      sessionExpirySeconds: 600,
      receiveMaximum: 20,
      maximumPacketSize: 100_000,
      topicAliasMaximum: 10,
      requestResponseInformation: true,
      requestProblemInformation: false,
      userProperties: [
        ["a", "1"],
        ["a", "2"],
      ],
    });
    expect(packet.properties).toEqual({
      sessionExpirySeconds: 600,
      receiveMaximum: 20,
      maximumPacketSize: 100_000,
      topicAliasMaximum: 10,
      requestResponseInformation: true,
      requestProblemInformation: false,
      userProperties: [
        ["a", "1"],
        ["a", "2"],
      ],
    });
  });

  test("carries a will with all its properties", async () => {
    const properties = {
      delaySeconds: 30,
      payloadFormat: 1,
      messageExpirySeconds: 60,
      contentType: "text/plain",
      responseTopic: "answer",
      correlationData: Uint8Array.of(1, 2),
      userProperties: [["k", "v"]],
    } as const;
    const packet = await connectOf({ protocolVersion: 5, will: { topic: "gone", ...properties } });
    expect(packet.will?.properties).toEqual(properties);
  });

  test("may have a password without a user name", async () => {
    const packet = await connectOf({ protocolVersion: 5, password: "token" });
    expect(packet).toMatchObject({ username: null, password: utf8("token") });
  });
});

test("CONNECT at level 4 leaves out what only 5.0 has", async () => {
  const packet = await connectOf({
    sessionExpirySeconds: 5,
    topicAliasMaximum: 3,
    will: { topic: "gone", delaySeconds: 3 },
  });
  expect(packet.properties).toBeNull();
  expect(packet.will?.properties).toBeNull();
});

describe("credentials", () => {
  test("are asked for anew at each attempt", async () => {
    let asked = 0;
    const credentials = async (): Promise<Credentials> => ({
      username: `user ${++asked}`,
      password: Uint8Array.of(asked),
    });
    const stage = await connected({ credentials });
    expect(stage.link.connectPacket).toMatchObject({ username: "user 1", password: Uint8Array.of(1) });
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.link.connectPacket).toMatchObject({ username: "user 2", password: Uint8Array.of(2) });
    await stage.finish();
  });

  test("win over user name and password", async () => {
    const packet = await connectOf({ username: "no", password: "no", credentials: () => ({ username: "yes" }) });
    expect(packet).toMatchObject({ username: "yes", password: null });
  });

  test("that cannot be had fail the attempt with ERR_CONNECT_FAILED and their own error as cause", async () => {
    const cause = new Error("no token");
    const stage = setup({ credentials: () => Promise.reject(cause) });
    const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_FAILED");
    expect(error.cause).toBe(cause);
    expect(stage.client.state).toBe("disconnected");
    await stage.finish();
  });

  test("that never come end in ERR_CONNECT_TIMEOUT", async () => {
    const stage = setup({ credentials: () => new Promise(() => undefined), connectTimeoutMs: 500 });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.advance(500);
    await stage.refused(connecting, "ERR_CONNECT_TIMEOUT");
    await stage.finish();
  });

  test("without a user name are refused in 3.1.1 [MQTT3-3.1.2-22]", async () => {
    const stage = setup({ credentials: () => ({ password: "p" }) });
    await stage.refused(stage.client.connect(), "ERR_INVALID_ARGUMENT");
    await stage.finish();
  });
});

describe("the client id", () => {
  const assigned = { server: { onConnect: () => ({ properties: { assignedClientId: "made-up" } }) } } satisfies Setup;

  test('"" asks the server for one, which is used from then on (MQTT 5.0 §3.2.2.3.7)', async () => {
    const stage = await connected({ protocolVersion: 5, clientId: "", ...assigned });
    expect(stage.link.connectPacket?.clientId).toBe("");
    expect(stage.client.clientId).toBe("made-up");
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.link.connectPacket?.clientId).toBe("made-up");
    await stage.finish();
  });

  test('"" goes to a 3.1.1 server with a clean session [MQTT3-3.1.3-7]', async () => {
    expect(await connectOf({ clientId: "" })).toMatchObject({ clientId: "", cleanStart: true });
  });

  test("missing is refused by the constructor", () => {
    expect(codeOf(() => setup({ clientId: undefined as unknown as string }))).toBe("ERR_EMPTY_CLIENT_ID");
  });
});

describe("protocolVersion auto", () => {
  const levels = (stage: Stage): number[] => stage.server.connections.map((each) => each.level);

  test("uses 5.0 where the server has it", async () => {
    const stage = await connected({ protocolVersion: "auto" });
    expect(levels(stage)).toEqual([5]);
    expect(stage.client.protocolVersion).toBe(5);
    await stage.finish();
  });

  test.each([
    ["CONNACK 0x84", (s: FakeLink) => s.sendBytes(Uint8Array.of(0x20, 3, 0, 0x84, 0))],
    ["a 3.1.1 CONNACK with return code 1", (s: FakeLink) => s.sendBytes(Uint8Array.of(0x20, 2, 0, 1))],
    ["a close before CONNACK", (s: FakeLink) => s.close()],
    ["bytes that are no CONNACK", (s: FakeLink) => s.sendBytes(Uint8Array.of(0x20, 0))],
  ])("falls back to 3.1.1 after %s", async (_, answer) => {
    const stage = await connected({
      protocolVersion: "auto",
      server: {
        onConnect: (connect, link) => {
          if (connect.level === 4) return {};
          answer(link);
          return "silence";
        },
      },
    });
    expect(levels(stage)).toEqual([5, 4]);
    expect(stage.client.protocolVersion).toBe(4);
    stage.link.cut();
    await stage.clock.settle();
    expect(levels(stage)).toEqual([5, 4, 4]);
    await stage.finish();
  });

  test("does not take another refusal for a missing version", async () => {
    const stage = setup({ protocolVersion: "auto", server: { onConnect: () => ({ refuse: 0x87 }) } });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(levels(stage)).toEqual([5]);
    await stage.finish();
  });

  test("keeps 5.0 when the link breaks during a later handshake", async () => {
    const stage = await connected({ protocolVersion: "auto" });
    stage.server.options = { onConnect: () => (stage.server.connections.length === 2 ? "close" : {}) };
    stage.link.cut();
    await stage.clock.advance(5_000);
    expect(levels(stage)).toEqual([5, 5, 5]);
    await stage.finish();
  });

  test("finds out anew when a later server says that it has another version only", async () => {
    const stage = await connected({ protocolVersion: "auto" });
    stage.server.options = { onConnect: (connect) => (connect.level === 5 ? { refuse: 0x84 } : {}) };
    stage.link.cut();
    await stage.clock.settle();
    expect(levels(stage)).toEqual([5, 5, 4]);
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("does not fall back where that would drop enhanced authentication", async () => {
    const stage = setup({
      protocolVersion: "auto",
      authentication: { method: "m", respond: () => new Uint8Array(0) },
      server: { onConnect: () => ({ refuse: 0x84 }) },
    });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(levels(stage)).toEqual([5]);
    await stage.finish();
  });
});

test("dial options reach the platform", async () => {
  const tls = { serverName: "name" };
  const webSocket = { headers: { a: "b" } };
  const stage = await connected({ servers: "wss://server/path", tls, webSocket, connectTimeoutMs: 1_234 });
  expect(stage.dials[0]?.options).toMatchObject({ kind: "wss", tls, connectTimeoutMs: 1_234 });
  expect(stage.dials[0]?.options.webSocket).toEqual({ headers: { a: "b" }, protocols: ["mqtt"] });
  await stage.finish();
});

test('WebSocket dials offer the subprotocol "mqtt" [MQTT-6.0.0-3] [MQTT3-6.0.0-3]', async () => {
  const stage = await connected({ servers: "ws://server" });
  expect(stage.dials[0]?.options.webSocket?.protocols).toEqual(["mqtt"]);
  await stage.finish();
});

test("a server address that cannot be dialled is refused by the constructor", () => {
  expect(codeOf(() => setup({ servers: "http://server" }))).toBe("ERR_INVALID_OPTIONS");
});

type FakeLink = Stage["link"];
