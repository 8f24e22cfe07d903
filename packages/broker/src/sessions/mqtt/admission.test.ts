import { describe, expect, test } from "vitest";
import type { AuthDecision, DenyReason } from "../../auth/auth-hooks.ts";
import {
  bytesOf,
  connectPacket,
  encode,
  hexBytes,
  publishPacket,
  Scene,
  subscribePacket,
} from "./scene.test-support.ts";

describe("CONNECT", () => {
  test("is accepted by CONNACK 0 with session present 0 [MQTT-3.1.4-5] [MQTT-3.2.2-2] [MQTT-3.2.0-1]", async () => {
    const client = new Scene().open();
    await client.send(connectPacket());
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0, sessionPresent: false }]);
  });

  test("of 3.1.1 is accepted on the same port, with no properties [MQTT3-3.1.4-4] [MQTT3-3.2.2-1] [MQTT3-3.2.0-1]", async () => {
    const scene = new Scene();
    const old = scene.open(4);
    await old.write(encode(connectPacket({ level: 4, clientId: "old" }), 4));
    expect(old.packets).toEqual([{ type: "connack", reasonCode: 0, sessionPresent: false, properties: null }]);
    const young = await scene.client("young");
    expect(young.connack.properties).not.toBeNull();
    expect(scene.hub.sessions.attachedCount).toBe(2);
  });

  test("is taken byte by byte", async () => {
    const client = new Scene().open(5, 1);
    await client.send(connectPacket());
    expect(client.one("connack").reasonCode).toBe(0);
  });

  test.each(["a", "AZaz09", "abcdefghijklmnopqrstuvw", "x".repeat(500)])(
    "with client id %s is accepted [MQTT-3.1.3-5] [MQTT3-3.1.3-5]",
    async (clientId) => {
      const scene = new Scene();
      await scene.client(clientId);
      await scene.client(`${clientId}4`, { level: 4 });
      expect(scene.hub.sessions.get(clientId)?.state.is).toBe("attached");
      expect(scene.hub.sessions.get(`${clientId}4`)?.state.is).toBe("attached");
    },
  );

  test("a second one ends the connection [MQTT-3.1.0-2] [MQTT-4.13.1-1]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send(connectPacket({ clientId: "a" }));
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x82 }]);
    expect(client.closed).toBe(true);
  });

  test("a second one ends a 3.1.1 connection, without a second CONNACK [MQTT3-3.1.0-2] [MQTT3-4.8.0-1] [MQTT-3.2.0-2]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { level: 4 });
    await client.send(connectPacket({ clientId: "a", level: 4 }));
    expect(client.packets).toEqual([]);
    expect(client.closed).toBe(true);
  });

  test("that is no CONNECT at all ends the connection unanswered [MQTT-3.2.0-1] [MQTT-3.14.0-1]", async () => {
    const scene = new Scene();
    const client = scene.open();
    await client.write(hexBytes("c000"));
    expect(client.packets).toEqual([]);
    expect(client.closed).toBe(true);
  });

  test("with a reserved flag set is refused [MQTT-3.1.2-3] [MQTT-3.1.4-1]", async () => {
    const client = new Scene().open();
    await client.write(hexBytes("100e 0004 4d515454 05 03 0000 00 0001 61".replaceAll(" ", "")));
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0x81 }]);
    expect(client.closed).toBe(true);
  });

  test("with a reserved flag set ends a 3.1.1 connection without CONNACK [MQTT3-3.1.2-3] [MQTT3-3.1.4-1]", async () => {
    const client = new Scene().open(4);
    await client.write(hexBytes("100d 0004 4d515454 04 03 0000 0001 61".replaceAll(" ", "")));
    expect(client.packets).toEqual([]);
    expect(client.closed).toBe(true);
  });

  test("of a higher protocol version is refused with 0x84 [MQTT-3.1.2-2]", async () => {
    const client = new Scene().open();
    await client.write(hexBytes("100e 0004 4d515454 06 02 0000 00 0001 61".replaceAll(" ", "")));
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0x84 }]);
    expect(client.closed).toBe(true);
  });

  test("of version 3 is refused with return code 1 [MQTT3-3.1.2-2]", async () => {
    const client = new Scene().open(4);
    await client.write(hexBytes("100d 0004 4d515454 03 02 0000 0001 61".replaceAll(" ", "")));
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 1 }]);
    expect(client.closed).toBe(true);
  });

  test("of another protocol ends the connection [MQTT-3.1.2-1] [MQTT3-3.1.2-1]", async () => {
    const client = new Scene().open(4);
    await client.write(hexBytes("100d 0004 4d515458 04 02 0000 0001 61".replaceAll(" ", "")));
    expect(client.closed).toBe(true);
    expect(client.packets.filter((packet) => packet.type !== "connack")).toEqual([]);
  });
});

describe("a client id", () => {
  test("that is empty is assigned, unique and told [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]", async () => {
    const scene = new Scene();
    const one = await scene.client("");
    const two = await scene.client("", { cleanStart: false });
    const ids = [one, two].map((client) => client.connack.properties?.assignedClientId ?? "");
    expect(ids.every((id) => /^auto-[0-9a-f]{16}$/.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(2);
    expect(scene.hub.sessions.get(ids[0] ?? "")?.state.is).toBe("attached");
  });

  test("that is empty is assigned to a 3.1.1 client with a clean session [MQTT3-3.1.3-6]", async () => {
    const scene = new Scene();
    await scene.client("", { level: 4 });
    expect(scene.hub.inspect().sessions[0]?.id).toMatch(/^auto-/);
  });

  test("that is empty without a clean session is refused with return code 2 [MQTT3-3.1.3-8] [MQTT3-3.1.3-9]", async () => {
    const client = new Scene().open(4);
    await client.send(connectPacket({ level: 4, clientId: "", cleanStart: false }));
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 2, sessionPresent: false }]);
    expect(client.closed).toBe(true);
  });

  test("decided by the application takes the place of the client's, and is told", async () => {
    const scene = new Scene({ auth: { authenticate: () => ({ allow: true, clientId: "chosen" }) } });
    const client = await scene.client("asked");
    expect(client.connack.properties?.assignedClientId).toBe("chosen");
    expect(scene.hub.inspect().sessions.map((session) => session.id)).toEqual(["chosen"]);
  });

  test("decided by the application that cannot be told is a refusal, also when the decision came late", async () => {
    const clientId = "x".repeat(70_000);
    for (const answer of [{ allow: true, clientId } as const, Promise.resolve({ allow: true, clientId } as const)]) {
      const client = new Scene({ auth: { authenticate: () => answer } }).open();
      await client.send(connectPacket());
      expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0x80 }]);
      expect(client.closed).toBe(true);
    }
  });
});

describe("a refusal", () => {
  const answer = (reason: DenyReason): AuthDecision => ({ allow: false, reason });
  const reasons: readonly DenyReason[] = ["badCredentials", "notAuthorized", "banned", "serverBusy"];
  const table = [
    ["badCredentials", 0x86, 4],
    ["notAuthorized", 0x87, 5],
    ["banned", 0x8a, 5],
    ["serverBusy", 0x89, 3],
  ] as const;

  test("has a row for each reason", () => {
    expect(table.map(([reason]) => reason)).toEqual(reasons);
  });

  test.each(table)(
    "because of %s is CONNACK %i, and the connection ends [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.13.2-1]",
    async (reason, code) => {
      for (const decision of [answer(reason), Promise.resolve(answer(reason))]) {
        const scene = new Scene({ auth: { authenticate: () => decision } });
        const client = scene.open();
        await client.send(connectPacket());
        expect(client.packets).toMatchObject([{ type: "connack", reasonCode: code, sessionPresent: false }]);
        expect(client.closed).toBe(true);
        expect(scene.hub.sessions.count).toBe(0);
        expect(scene.metrics.clientsRefused).toBe(1);
      }
    },
  );

  test.each(table)(
    "because of %s is return code %i -> %i at 3.1.1 [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]",
    async (reason, _code, returnCode) => {
      const client = new Scene({ auth: { authenticate: () => answer(reason) } }).open(4);
      await client.send(connectPacket({ level: 4 }));
      expect(client.packets).toMatchObject([{ type: "connack", reasonCode: returnCode, sessionPresent: false }]);
      expect(client.closed).toBe(true);
    },
  );

  test("leaves what came behind CONNECT alone [MQTT-3.1.4-6] [MQTT3-3.1.4-5]", async () => {
    for (const level of [4, 5] as const) {
      const scene = new Scene({ auth: { authenticate: () => Promise.resolve(answer("banned")) } });
      const client = scene.open(level);
      await client.send(connectPacket({ level }), publishPacket("a", { qos: 1, retain: true }), subscribePacket(["a"]));
      expect(client.packets.map((packet) => packet.type)).toEqual(["connack"]);
      expect(scene.hub.retained.count).toBe(0);
      expect(scene.hub.statistics.messagesIn).toBe(0);
    }
  });

  test("of an authentication method is 0x8C [MQTT-4.12.0-1] [MQTT-4.12.0-4]", async () => {
    const client = new Scene().open();
    await client.send(connectPacket({ properties: { authenticationMethod: "SCRAM-SHA-256" } }));
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0x8c }]);
    expect(client.closed).toBe(true);
  });

  test("for want of room for sessions is 0x97, and return code 3 at 3.1.1", async () => {
    const scene = new Scene({ sessions: { countMax: 1 } });
    await scene.keeper("a");
    const late = scene.open();
    await late.send(connectPacket({ clientId: "b" }));
    expect(late.one("connack").reasonCode).toBe(0x97);
    const old = scene.open(4);
    await old.send(connectPacket({ clientId: "c", level: 4 }));
    expect(old.one("connack").reasonCode).toBe(3);
    expect([late.closed, old.closed]).toEqual([true, true]);
  });

  test("of a user whose password is wrong is 0x86, and the right one is let in", async () => {
    const scene = new Scene({ users: [{ username: "ann", password: "secret" }] });
    const wrong = scene.open();
    await wrong.send(connectPacket({ username: "ann", password: bytesOf("guess") }));
    expect(wrong.one("connack").reasonCode).toBe(0x86);
    const nobody = scene.open();
    await nobody.send(connectPacket());
    expect(nobody.one("connack").reasonCode).toBe(0x87);
    await scene.client("a", { username: "ann", password: bytesOf("secret") });
  });
});

describe("a will in CONNECT", () => {
  const will = { topic: "w", payload: bytesOf("gone"), qos: 0, retain: false, properties: null } as const;

  test("with a QoS that is not supported is refused with 0x9B [MQTT-3.2.2-12]", async () => {
    const client = new Scene({ mqtt: { maximumQoS: 0 } }).open();
    await client.send(connectPacket({ will: { ...will, qos: 1 } }));
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0x9b }]);
    expect(client.closed).toBe(true);
  });

  test("that is to be retained where nothing is, is refused with 0x9A [MQTT-3.2.2-13]", async () => {
    const client = new Scene({ mqtt: { retainAvailable: false } }).open();
    await client.send(connectPacket({ will: { ...will, retain: true } }));
    expect(client.one("connack").reasonCode).toBe(0x9a);
    expect(client.closed).toBe(true);
  });

  test("that a 3.1.1 client has no return code for ends the connection without CONNACK [MQTT3-3.2.2-6]", async () => {
    const client = new Scene({ mqtt: { maximumQoS: 0 } }).open(4);
    await client.send(connectPacket({ level: 4, will: { ...will, qos: 1 } }));
    expect(client.packets).toEqual([]);
    expect(client.closed).toBe(true);
  });

  test.each([
    ["of a topic that the client may not publish to", "forbidden", 0x87],
    ["below $SYS", "$SYS/broker/version", 0x87],
    ["on $SYS itself", "$SYS", 0x87],
    ["with more levels than allowed", "a/b/c/d", 0x90],
  ])("%s is refused", async (_what, topic, code) => {
    const auth = { authorizePublish: (_who: unknown, name: string) => Promise.resolve(name !== "forbidden") };
    const scene = new Scene({ auth, mqtt: { topicLevelsMax: 3 } });
    const client = scene.open();
    await client.send(connectPacket({ will: { ...will, topic } }));
    expect(client.one("connack").reasonCode).toBe(code);
    expect(client.closed).toBe(true);
    expect(scene.hub.statistics.messagesIn).toBe(0);
  });
});

describe("CONNACK", () => {
  test("tells the limits and the server's name", async () => {
    const scene = new Scene({
      mqtt: { receiveMaximum: 7, maximumPacketSize: 2_000, topicAliasMaximum: 3 },
    });
    const client = await scene.client("a");
    expect(client.connack.properties).toEqual({
      receiveMaximum: 7,
      maximumPacketSize: 2_000,
      topicAliasMaximum: 3,
      userProperties: [["server", "polymq/test"]],
    });
  });

  test("tells what is not available [MQTT-3.2.2-9]", async () => {
    const scene = new Scene({
      mqtt: {
        maximumQoS: 1,
        retainAvailable: false,
        wildcardSubscriptionAvailable: false,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: false,
      },
    });
    expect((await scene.client("a")).connack.properties).toMatchObject({
      maximumQoS: 1,
      retainAvailable: false,
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
    });
  });

  test("has response information for a client that asks for it, and for no other [MQTT-3.1.2-28]", async () => {
    const scene = new Scene({ mqtt: { responseInformation: "re/%c/x" } });
    const asks = await scene.client("a", { properties: { requestResponseInformation: true } });
    const asksNot = await scene.client("b", { properties: { requestResponseInformation: false } });
    const silent = await scene.client("c");
    expect([asks, asksNot, silent].map((client) => client.connack.properties?.responseInformation)).toEqual([
      "re/a/x",
      undefined,
      undefined,
    ]);
  });

  test("has none when the broker gives none", async () => {
    const scene = new Scene({ mqtt: { responseInformation: "" } });
    const client = await scene.client("a", { properties: { requestResponseInformation: true } });
    expect(client.connack.properties).not.toHaveProperty("responseInformation");
  });

  test("shortens a keep alive that is too long, or none at all", async () => {
    const scene = new Scene({ mqtt: { serverKeepAliveSeconds: 30 } });
    const keepAlives = [0, 10, 30, 31];
    const told: (number | undefined)[] = [];
    for (const keepAliveSeconds of keepAlives) {
      const client = await scene.client(`k${keepAliveSeconds}`, { keepAliveSeconds });
      told.push(client.connack.properties?.serverKeepAliveSeconds);
    }
    expect(told).toEqual([30, undefined, undefined, 30]);
  });

  test("tells a session expiry that was cut, and no other", async () => {
    const scene = new Scene({ sessions: { expirySecondsMax: 100 } });
    const long = await scene.client("long", { properties: { sessionExpirySeconds: 101 } });
    const short = await scene.client("short", { properties: { sessionExpirySeconds: 100 } });
    expect(long.connack.properties?.sessionExpirySeconds).toBe(100);
    expect(short.connack.properties).not.toHaveProperty("sessionExpirySeconds");
    expect(scene.hub.sessions.get("long")?.expiryMs).toBe(100_000);
  });

  test("leaves its user property out for a client that takes no larger packet [MQTT-3.2.2-20] [MQTT-3.1.2-24]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { maximumPacketSize: 30 } });
    expect(client.connack.properties).toEqual({
      receiveMaximum: 1_024,
      maximumPacketSize: 1_114_112,
      topicAliasMaximum: 32,
    });
  });

  test("comes although the client wants no problem information [MQTT-3.1.2-29]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { requestProblemInformation: false } });
    expect(client.connack.properties?.userProperties).toEqual([["server", "polymq/test"]]);
  });

  test("names no authentication method for a client that named none [MQTT-4.12.0-6]", async () => {
    expect((await new Scene().client("a")).connack.properties).not.toHaveProperty("authenticationMethod");
  });
});

describe("waiting for CONNECT", () => {
  test.each(["nothing at all", "half a CONNECT"])("ends after the connect timeout when %s came", async (what) => {
    const scene = new Scene({ mqtt: { connectTimeoutMs: 5_000 } });
    const client = scene.open();
    if (what !== "nothing at all") await client.write(encode(connectPacket(), 5).subarray(0, 9));
    await scene.advance(4.999);
    expect(client.closed).toBe(false);
    await scene.advance(0.002);
    expect(client.packets).toEqual([]);
    expect(client.closed).toBe(true);
    expect(scene.context.connections.size).toBe(0);
  });

  test("ends after the connect timeout when nobody decides, with CONNACK 0x80", async () => {
    const scene = new Scene({
      mqtt: { connectTimeoutMs: 1_000 },
      auth: { authenticate: () => new Promise<AuthDecision>(() => undefined), timeoutMs: 60_000 },
    });
    const client = scene.open();
    await client.send(connectPacket());
    await scene.advance(1);
    expect(client.packets).toMatchObject([{ type: "connack", reasonCode: 0x80 }]);
    expect(client.closed).toBe(true);
  });

  test("a decision that comes after the client has gone lets nobody in", async () => {
    let decide: (decision: AuthDecision) => void = () => undefined;
    const scene = new Scene({
      auth: { authenticate: () => new Promise<AuthDecision>((resolve) => (decide = resolve)) },
    });
    const client = scene.open();
    await client.send(connectPacket());
    await client.drop();
    decide({ allow: true });
    await scene.clock.settle();
    expect(scene.hub.sessions.count).toBe(0);
    expect(scene.metrics.clientsAccepted).toBe(0);
  });

  test("what a client sends before CONNACK is handled behind it, in order [MQTT-3.2.0-1]", async () => {
    let decide: (decision: AuthDecision) => void = () => undefined;
    const scene = new Scene({
      auth: { authenticate: () => new Promise<AuthDecision>((resolve) => (decide = resolve)) },
    });
    const client = scene.open();
    await client.send(connectPacket(), subscribePacket(["a"]));
    await client.send(publishPacket("a", { qos: 1, packetId: 5, text: "early" }), { type: "pingreq" });
    expect(client.packets).toEqual([]);
    decide({ allow: true });
    await scene.clock.settle();
    expect(client.packets.map((packet) => packet.type)).toEqual(["connack", "suback", "pingresp", "publish", "puback"]);
  });
});
