import { webText } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { Delivery } from "./delivery.ts";
import { MqttSession, type SessionPort } from "./mqtt-session.ts";
import { bytesOf, connectPacket, publishPacket, type RawClient, Scene, textOf } from "./scene.test-support.ts";

const LEVELS = [4, 5] as const;

/** What was received, as text, QoS, DUP and packet id. */
function shown(client: RawClient): unknown[] {
  return client.take("publish").map((packet) => [textOf(packet.payload), packet.qos, packet.dup, packet.packetId]);
}

describe("a session", () => {
  test.each(LEVELS)(
    "that is kept goes on at the next connection, and is told so (level %i) [MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.2.2-3] [MQTT3-3.1.2-4] [MQTT3-3.2.2-2] [MQTT3-3.1.4-3] [MQTT-3.1.3-2] [MQTT3-3.1.3-2] [MQTT3-4.1.0-1]",
    async (level) => {
      const scene = new Scene();
      const first = await scene.keeper("a", { level });
      expect(first.connack.sessionPresent).toBe(false);
      await first.subscribe("t");
      await first.disconnect();
      const again = await scene.keeper("a", { level });
      expect(again.connack.sessionPresent).toBe(true);
      await again.publish("t", "x");
      expect(again.texts()).toEqual(["x"]);
      const other = await scene.keeper("b", { level });
      expect(other.connack.sessionPresent).toBe(false);
    },
  );

  test.each(LEVELS)(
    "is made when there is none to go on with (level %i) [MQTT-3.1.2-6] [MQTT3-3.2.2-3]",
    async (level) => {
      const scene = new Scene();
      const client = await scene.keeper("a", { level });
      expect(client.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
    },
  );

  test.each(LEVELS)(
    "is thrown away by a clean start (level %i) [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT3-3.1.2-6] [MQTT3-3.2.2-1]",
    async (level) => {
      const scene = new Scene();
      const first = await scene.keeper("a", { level });
      await first.subscribe("t");
      await first.drop();
      await (await scene.client("b")).publish("t", "queued", { qos: 1, packetId: 1 });
      const clean = await scene.client("a", { level });
      expect(clean.connack.sessionPresent).toBe(false);
      await clean.publish("t", "x");
      expect(clean.texts()).toEqual([]);
      await clean.drop();
      expect((await scene.keeper("a", { level })).connack.sessionPresent).toBe(false);
    },
  );

  test("without an expiry ends with its connection [MQTT-4.1.0-2]", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { cleanStart: false });
    await client.subscribe("t");
    await client.drop();
    expect(scene.hub.sessions.count).toBe(0);
    expect(scene.hub.router.subscriptionCount).toBe(0);
    expect((await scene.keeper("a")).connack.sessionPresent).toBe(false);
  });

  test("ends when its expiry is over, not before, however long it was connected [MQTT-4.1.0-2] [MQTT-4.1.0-1] [MQTT3-4.1.0-2]", async () => {
    const scene = new Scene();
    const properties = { sessionExpirySeconds: 100 };
    await scene.keeper("a", { properties });
    await scene.advance(1_000);
    expect(scene.hub.sessions.count).toBe(1);
    const client = await scene.keeper("a", { properties });
    expect(client.connack.sessionPresent).toBe(true);
    await client.drop();
    await scene.advance(99.9);
    const again = await scene.keeper("a", { properties });
    expect(again.connack.sessionPresent).toBe(true);
    await again.drop();
    await scene.advance(100.1);
    expect(scene.hub.sessions.count).toBe(0);
    expect(scene.hub.statistics.sessionsExpired).toBe(1);
  });

  test.each([
    ["5.0 with the longest expiry", { level: 5, properties: { sessionExpirySeconds: 0xffff_ffff } }],
    ["3.1.1 without a clean session", { level: 4 }],
  ] as const)("of %s never ends by itself", async (_what, draft) => {
    const scene = new Scene();
    await (await scene.keeper("a", draft)).drop();
    expect(scene.hub.inspect().sessions[0]?.endsAtMs).toBe(Number.POSITIVE_INFINITY);
    await scene.advance(86_400);
    expect((await scene.keeper("a", draft)).connack.sessionPresent).toBe(true);
  });

  test("of 3.1.1 is kept no longer than the broker allows", async () => {
    const scene = new Scene({ sessions: { expirySecondsMax: 60 } });
    await (await scene.keeper("a", { level: 4 })).drop();
    await scene.advance(61);
    expect(scene.hub.sessions.count).toBe(0);
  });

  test("takes the expiry that DISCONNECT gives it, within the broker's limit", async () => {
    const scene = new Scene({ sessions: { expirySecondsMax: 50 } });
    for (const [id, seconds, ends] of [
      ["zero", 0, 0],
      ["short", 10, 10],
      ["long", 0xffff_ffff, 50],
    ] as const) {
      const client = await scene.keeper(id, { properties: { sessionExpirySeconds: 20 } });
      await client.disconnect(0, seconds);
      expect(client.closed).toBe(true);
      const found = scene.hub.inspect().sessions.find((session) => session.id === id);
      expect(found === undefined ? 0 : (found.endsAtMs ?? 0) - scene.clock.epochMs()).toBe(ends * 1000);
    }
  });

  test("that ends with its connection cannot be made longer by DISCONNECT: 0x82", async () => {
    const client = await new Scene().client("a");
    await client.disconnect(0, 10);
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x82 }]);
  });

  test("goes on from 3.1.1 to 5.0 and back", async () => {
    const scene = new Scene();
    const old = await scene.keeper("a", { level: 4 });
    await old.subscribe("t");
    await old.drop();
    const from = await scene.client("from");
    await from.publish("t", "x", { qos: 1, packetId: 1, properties: { contentType: "c" } });
    const young = await scene.keeper("a");
    expect(young.connack.sessionPresent).toBe(true);
    expect(young.one("publish").properties).toEqual({ contentType: "c" });
    await young.drop();
    const back = await scene.keeper("a", { level: 4 });
    expect(back.one("publish")).toMatchObject({ dup: true, properties: null });
  });

  test("of another user is not gone on with: it may hold what this one must not see", async () => {
    const users = ["ann", "bob"].map((username) => ({ username, password: "p" }));
    const scene = new Scene({ users });
    const ann = await scene.keeper("device", { username: "ann", password: bytesOf("p") });
    await ann.subscribe("secret");
    await ann.drop();
    scene.hub.publish(scene.hub.makeMessage({ topic: "secret", payload: bytesOf("for ann"), guarantee: 1 }));
    const bob = await scene.keeper("device", { username: "bob", password: bytesOf("p") });
    expect(bob.connack.sessionPresent).toBe(false);
    expect(bob.packets).toEqual([]);
    await bob.publish("secret", "x");
    expect(bob.packets).toEqual([]);
  });

  test("that is ended under a connection ends the connection with 0x98", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    const session = scene.hub.sessions.get("a")?.session;
    if (session === undefined) throw new Error("no session");
    scene.hub.endSession(session, "removed");
    await scene.clock.settle();
    expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x98 }]);
    expect(client.closed).toBe(true);
    expect(scene.context.connections.size).toBe(0);
  });
});

describe("taking over", () => {
  test("ends the older connection with 0x8E and keeps the session [MQTT-3.1.4-3]", async () => {
    const scene = new Scene();
    const older = await scene.keeper("a");
    await older.subscribe("t");
    const newer = await scene.keeper("a");
    expect(older.packets).toEqual([{ type: "disconnect", reasonCode: 0x8e, properties: null }]);
    expect(older.closed).toBe(true);
    expect(newer.connack.sessionPresent).toBe(true);
    await newer.publish("t", "x");
    expect(newer.texts()).toEqual(["x"]);
    expect(scene.hub.statistics.sessionsTakenOver).toBe(1);
    expect(scene.metrics).toMatchObject({ clientsConnected: 1, clientsAccepted: 2 });
  });

  test("ends an older 3.1.1 connection without a word [MQTT3-3.1.4-2]", async () => {
    const scene = new Scene();
    const older = await scene.client("a", { level: 4 });
    await scene.client("a");
    expect(older.packets).toEqual([]);
    expect(older.closed).toBe(true);
  });

  test("a message in flight goes to the newer connection, and an answer of the older one is ignored", async () => {
    const scene = new Scene();
    const older = await scene.keeper("a");
    await older.subscribe("t");
    const from = await scene.client("from");
    await from.publish("t", "x", { qos: 1, packetId: 1 });
    const { packetId } = older.one("publish");
    const newer = scene.open();
    await newer.send(connectPacket({ clientId: "a", cleanStart: false, properties: { sessionExpirySeconds: 9 } }));
    older.transport.write(Uint8Array.of(0x40, 2, packetId >> 8, packetId & 255));
    await scene.clock.settle();
    expect(newer.one("publish")).toMatchObject({ packetId, dup: true });
    await newer.drop();
    expect((await scene.keeper("a")).one("publish")).toMatchObject({ packetId, dup: true });
  });

  test("by a clean start throws the session away", async () => {
    const scene = new Scene();
    const older = await scene.keeper("a");
    await older.subscribe("t");
    const newer = await scene.client("a");
    expect(newer.connack.sessionPresent).toBe(false);
    expect(scene.hub.router.subscriptionCount).toBe(0);
  });

  test("again and again leaves one connection and one session", async () => {
    const scene = new Scene();
    const clients: RawClient[] = [];
    for (let i = 0; i < 30; i++) clients.push(await scene.keeper("a"));
    expect(clients.filter((client) => !client.closed)).toEqual([clients[29]]);
    expect([scene.context.connections.size, scene.hub.sessions.count, scene.metrics.clientsConnected]).toEqual([
      1, 1, 1,
    ]);
  });
});

describe("messages for a client that is away", () => {
  test.each(LEVELS)(
    "wait at QoS 1 and 2, in order, and not at QoS 0 (level %i) [MQTT-4.5.0-1] [MQTT3-3.1.2-5] [MQTT3-4.5.0-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2]",
    async (level) => {
      const scene = new Scene();
      const client = await scene.keeper("a", { level });
      await client.subscribe("t");
      await client.drop();
      const from = await scene.client("from");
      for (let i = 1; i <= 6; i++)
        await from.publish("t", `${i}`, { qos: (i % 3) as 0 | 1 | 2, packetId: i % 3 === 0 ? 0 : i });
      const again = await scene.keeper("a", { level });
      expect(shown(again).map((line) => (line as unknown[]).slice(0, 3))).toEqual([
        ["1", 1, false],
        ["2", 2, false],
        ["4", 1, false],
        ["5", 2, false],
      ]);
      // QoS 0 for somebody who is away counts as dropped.
      expect(scene.hub.statistics.messagesDropped).toBe(2);
    },
  );

  test("that were sent before come first, as they were, with DUP [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT3-3.3.1-1] [MQTT3-4.4.0-1] [MQTT3-4.3.2-1]", async () => {
    const scene = new Scene();
    for (const level of LEVELS) {
      const client = await scene.keeper("a", { level });
      await client.subscribe("t");
      const from = await scene.client("from");
      await from.publish("t", "1", { qos: 1, packetId: 1 });
      await from.publish("t", "2", { qos: 2, packetId: 2 });
      const sent = shown(client) as [string, number, boolean, number][];
      await client.drop();
      await from.publish("t", "3", { qos: 1, packetId: 3 });
      const again = await scene.keeper("a", { level });
      const [first, second, third] = shown(again) as [string, number, boolean, number][];
      expect([first, second]).toEqual(sent.map(([text, qos, , packetId]) => [text, qos, true, packetId]));
      expect(third?.slice(0, 3)).toEqual(["3", 1, false]);
      await again.disconnect();
      await (await scene.client("a")).disconnect();
    }
  });

  test("are sent again in order through a smaller window", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.subscribe({ filter: "t", qos: 1 });
    const from = await scene.client("from");
    for (let i = 1; i <= 6; i++) await from.publish("t", `${i}`, { qos: 1, packetId: i });
    await client.drop();
    await from.publish("t", "7", { qos: 1, packetId: 7 });
    const again = await scene.keeper("a", { properties: { receiveMaximum: 2 } });
    const got: unknown[] = [];
    for (let some = again.take("publish"); some.length > 0; some = again.take("publish")) {
      expect(some.length).toBeLessThanOrEqual(2);
      for (const packet of some) {
        got.push([textOf(packet.payload), packet.dup]);
        await again.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual([...["1", "2", "3", "4", "5", "6"].map((text) => [text, true]), ["7", false]]);
  });

  test("whose PUBREC came are not sent again: PUBREL is [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT3-4.3.3-1] [MQTT3-4.4.0-1]", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.subscribe("t");
    const from = await scene.client("from");
    for (let i = 1; i <= 2; i++) await from.publish("t", `${i}`, { qos: 2, packetId: i });
    const [one, two] = client.take("publish");
    await client.ack("pubrec", one?.packetId ?? 0);
    expect(client.one("pubrel").packetId).toBe(one?.packetId);
    await client.drop();
    const again = await scene.keeper("a");
    expect(again.packets).toMatchObject([
      { type: "pubrel", packetId: one?.packetId },
      { type: "publish", packetId: two?.packetId, dup: true },
    ]);
    again.packets.length = 0;
    await again.ack("pubcomp", one?.packetId ?? 0);
    await again.drop();
    expect((await scene.keeper("a")).packets).toMatchObject([{ type: "publish", packetId: two?.packetId }]);
  });

  test("are not sent again while the connection lasts [MQTT-4.4.0-1]", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.subscribe("t");
    await (await scene.client("from")).publish("t", "x", { qos: 1, packetId: 1 });
    expect(client.take("publish")).toHaveLength(1);
    await scene.advance(86_400);
    expect(client.packets).toEqual([]);
  });

  test("are acknowledged once and do not come again", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.subscribe("t");
    await (await scene.client("from")).publish("t", "x", { qos: 1, packetId: 1 });
    await client.ack("puback", client.one("publish").packetId);
    await client.drop();
    expect((await scene.keeper("a")).packets).toEqual([]);
  });
});

describe("packet identifiers", () => {
  test("that are all in use make the next message wait, and nobody else", () => {
    const { hub, metrics } = new Scene();
    const limits = { messagesMax: 10, bytesMax: 1_000_000, overflow: "dropOldest" } as const;
    const session = new MqttSession("s", "", {
      hub,
      limits,
      inflightBytesMax: 1_000_000_000,
      metrics,
      text: webText(),
    });
    hub.openSession({ id: "s", start: "fresh", expiryMs: 0, state: new Uint8Array(0), create: () => session });
    hub.subscribe(session, { filter: "t", guaranteeMax: 2 });
    let sent = 0;
    let last = 0;
    const port: SessionPort = {
      congested: false,
      sendNow: () => true,
      sendDelivery: (delivery) => {
        sent++;
        last = delivery.packetId;
        return true;
      },
      sendPubrel: () => undefined,
      onTakenOver: () => undefined,
      onSessionEnded: () => undefined,
    };
    const { outbound } = session.state;
    const publish = (guarantee: 1 | 2): void => {
      hub.publish(hub.makeMessage({ topic: "t", payload: new Uint8Array(1), guarantee }));
    };
    session.attach(port);
    session.resume();
    publish(2);
    outbound.release(last);
    // The next connection's window does not count what was released before it.
    outbound.openWindow(65_535);
    for (let i = 0; i < 65_535; i++) publish(1);
    expect([sent, session.mailbox.length, outbound.quota]).toEqual([65_535, 1, 1]);
    const delivery = outbound.finish(last, 1);
    if (delivery instanceof Delivery) session.onDone(delivery);
    expect([sent, session.mailbox.length]).toEqual([65_536, 0]);
  });
});

describe("a full queue", () => {
  async function waiting(
    whenQueueFull: "dropOldest" | "dropNewest",
    more = {},
  ): Promise<{ scene: Scene; texts: string[] }> {
    const scene = new Scene({ sessions: { queuedMessagesMax: 3, whenQueueFull, ...more } });
    const client = await scene.keeper("a");
    await client.subscribe("t");
    await client.drop();
    const from = await scene.client("from");
    for (let i = 1; i <= 5; i++) await from.publish("t", `${i}`, { qos: 1, packetId: i });
    expect(from.take("puback")).toHaveLength(5);
    return { scene, texts: (await scene.keeper("a")).texts() };
  }

  test.each([
    ["dropOldest", ["3", "4", "5"]],
    ["dropNewest", ["1", "2", "3"]],
  ] as const)("with %s keeps what it should and counts the rest", async (policy, wanted) => {
    const { scene, texts } = await waiting(policy);
    expect(texts).toEqual(wanted);
    expect(scene.metrics.messagesDroppedFull).toBe(2);
    expect(scene.hub.statistics.messagesDropped).toBe(2);
  });

  test("is full of bytes, too", async () => {
    const scene = new Scene({ sessions: { queuedBytesMax: 65_536 } });
    const client = await scene.keeper("a");
    await client.subscribe("t");
    await client.drop();
    const from = await scene.client("from");
    for (let i = 1; i <= 10; i++)
      await from.send(publishPacket("t", { payload: new Uint8Array(20_000).fill(i), qos: 1, packetId: i }));
    const got = (await scene.keeper("a")).take("publish").map((packet) => packet.payload[0]);
    expect(got).toEqual([8, 9, 10]);
  });
});

describe("what a client answers", () => {
  test("for an identifier that is not in use is ignored, whichever packet it is", async () => {
    const client = await new Scene().client("a");
    for (const type of ["puback", "pubcomp"] as const) await client.ack(type, 99);
    expect(client.packets).toEqual([]);
    await client.ack("pubrec", 99);
    expect(client.one("pubrel")).toMatchObject({ packetId: 99, reasonCode: 0x92 });
    expect(client.closed).toBe(false);
  });

  test("for an identifier that awaits another packet ends the connection with 0x82", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.subscribe("t");
    await client.publish("t", "x", { qos: 1, packetId: 1 });
    await client.ack("pubcomp", client.one("publish").packetId);
    expect(client.one("disconnect").reasonCode).toBe(0x82);
    expect(client.closed).toBe(true);
  });

  test("with wrong flags ends the connection [MQTT-3.6.1-1] [MQTT3-3.6.1-1]", async () => {
    const scene = new Scene();
    for (const level of LEVELS) {
      const client = await scene.client("a", { level });
      await client.write(Uint8Array.of(0x60, 2, 0, 1));
      expect(client.packets).toMatchObject(level === 5 ? [{ type: "disconnect", reasonCode: 0x81 }] : []);
      expect(client.closed).toBe(true);
    }
  });
});
