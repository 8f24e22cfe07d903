import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { KIND } from "../../core/records.ts";
import { StoreBatch } from "../../storage/batch.ts";
import {
  bytesOf,
  HeldStore,
  MemoryMedium,
  MemoryStore,
  publishPacket,
  type RawClient,
  Scene,
  type SceneParts,
  subscribePacket,
  textOf,
} from "./scene.test-support.ts";

/** A broker that can be started again on what it had stored; a scene that is left behind is a process that was killed. */
function restarts(options: ConstructorParameters<typeof Scene>[0] = {}): () => Scene {
  const medium = new MemoryMedium();
  const clock = new VirtualClock();
  return () => new Scene(options, { clock, store: new MemoryStore(medium) });
}

describe("nothing is acknowledged before it is stored", () => {
  async function held(): Promise<{ scene: Scene; store: HeldStore; client: RawClient; flush: () => Promise<void> }> {
    const store = new HeldStore();
    const parts: SceneParts = { store };
    const scene = new Scene({}, parts);
    const flush = async (): Promise<void> => {
      await scene.clock.settle();
      while (store.pending > 0) {
        store.release();
        await scene.clock.settle();
      }
    };
    const sub = await scene.keeper("sub");
    await sub.send(subscribePacket(["t"]));
    await flush();
    await sub.drop();
    await flush();
    return { scene, store, client: await scene.keeper("a"), flush };
  }

  test.each([1, 2] as const)(
    "QoS %i: the acknowledgement leaves when the commit has ended, not before",
    async (qos) => {
      const { scene, store, client, flush } = await held();
      await flush();
      await client.publish("t", "x", { qos, packetId: 1 });
      await scene.advance(10);
      expect(store.pending).toBe(1);
      expect(client.packets).toEqual([]);
      await flush();
      expect(client.packets).toMatchObject([{ type: qos === 1 ? "puback" : "pubrec", packetId: 1, reasonCode: 0 }]);
    },
  );

  test.each([1, 2] as const)(
    "QoS %i: there never is one when the commit fails, nor for anything that comes later",
    async (qos) => {
      const { scene, store, client, flush } = await held();
      await flush();
      await client.publish("t", "x", { qos, packetId: 1 });
      await client.publish("t", "meanwhile", { qos, packetId: 2 });
      store.fail();
      await scene.advance(10);
      await client.publish("t", "later", { qos, packetId: 3 });
      await client.publish("nobody", "later", { qos, packetId: 4 });
      await scene.advance(10);
      expect(client.packets).toEqual([]);
      expect(scene.storeFailures).toBe(1);
    },
  );

  test("what comes while a commit runs waits for the next one", async () => {
    const { scene, store, client, flush } = await held();
    await flush();
    await client.publish("t", "1", { qos: 1, packetId: 1 });
    await client.publish("t", "2", { qos: 1, packetId: 2 });
    store.release();
    await scene.clock.settle();
    expect(client.take("puback").map((packet) => packet.packetId)).toEqual([1]);
    await flush();
    expect(client.take("puback").map((packet) => packet.packetId)).toEqual([2]);
  });

  test("PUBCOMP leaves when the identifier is off the store", async () => {
    const { scene, client, flush } = await held();
    await flush();
    await client.publish("t", "x", { qos: 2, packetId: 1 });
    await flush();
    client.packets.length = 0;
    await client.ack("pubrel", 1);
    await scene.advance(1);
    expect(client.packets).toEqual([]);
    await flush();
    expect(client.one("pubcomp").packetId).toBe(1);
  });

  test("PUBCOMP waits for that on the next connection as well, which repeats PUBREL [MQTT-4.3.3-12]", async () => {
    const { scene, client, flush } = await held();
    await flush();
    await client.publish("t", "x", { qos: 2, packetId: 1 });
    await flush();
    await client.ack("pubrel", 1);
    await client.drop();
    const again = await scene.keeper("a");
    again.packets.length = 0;
    await again.ack("pubrel", 1);
    await scene.advance(1);
    expect(again.packets).toEqual([]);
    await flush();
    expect(again.one("pubcomp")).toMatchObject({ packetId: 1, reasonCode: 0 });
  });

  test("SUBACK and UNSUBACK of a kept session leave when the change is stored", async () => {
    const { scene, client, flush } = await held();
    await flush();
    await client.send(subscribePacket(["u"]));
    await client.send({ type: "unsubscribe", packetId: 3, filters: ["u"], properties: null });
    await scene.advance(1);
    expect(client.packets).toEqual([]);
    await flush();
    expect(client.packets.map((packet) => packet.type)).toEqual(["suback", "unsuback"]);
    const passing = await scene.client("passing");
    expect(await passing.subscribe("u")).toEqual([2]);
  });

  test.each([1, 2] as const)(
    "QoS %i: a message leaves for a kept session when its identifier is stored",
    async (qos) => {
      const { scene, client, flush } = await held();
      await client.send(subscribePacket(["u"]));
      await flush();
      client.packets.length = 0;
      const from = await scene.client("from");
      await from.publish("u", "1", { qos, packetId: 1 });
      await from.publish("u", "2", { qos, packetId: 2 });
      expect(client.texts()).toEqual([]);
      await flush();
      expect(client.texts()).toEqual(["1", "2"]);
      await flush();
      expect(client.texts()).toEqual([]);
    },
  );

  test("messages of QoS 1 and 2 do not overtake each other while they wait for that", async () => {
    const { scene, client, flush } = await held();
    await client.send(subscribePacket(["u"]));
    await flush();
    client.packets.length = 0;
    const from = await scene.client("from");
    await from.publish("u", "1", { qos: 2, packetId: 1 });
    await from.publish("u", "2", { qos: 1, packetId: 2 });
    expect(client.texts()).toEqual([]);
    await flush();
    expect(client.texts()).toEqual(["1", "2"]);
    await from.publish("u", "3", { qos: 1, packetId: 3 });
    await flush();
    expect(client.texts()).toEqual(["3"]);
  });

  test("a QoS 2 message whose client comes back before it is stored leaves once, when it is", async () => {
    const { scene, client, flush } = await held();
    await client.send(subscribePacket(["u"]));
    await flush();
    const from = await scene.client("from");
    await from.publish("u", "two", { qos: 2, packetId: 1 });
    await client.drop();
    const again = await scene.keeper("a");
    expect(again.take("publish")).toEqual([]);
    await flush();
    const sent = again.one("publish");
    expect(textOf(sent.payload)).toBe("two");
    await again.ack("pubrec", sent.packetId);
    await flush();
    expect(again.one("pubrel").packetId).toBe(sent.packetId);
  });

  test("PUBREL leaves when it is stored that the client has the message", async () => {
    const { scene, client, flush } = await held();
    await client.send(subscribePacket(["u"]));
    await flush();
    await client.publish("u", "x", { qos: 2, packetId: 1 });
    await flush();
    const { packetId } = client.one("publish");
    await client.ack("pubrec", packetId);
    await scene.advance(1);
    expect(client.take("pubrel")).toEqual([]);
    await flush();
    expect(client.one("pubrel").packetId).toBe(packetId);
  });

  test("PUBREL waits for that on the next connection as well, and leaves once [MQTT-4.3.3-5]", async () => {
    const { scene, client, flush } = await held();
    await client.send(subscribePacket(["u"]));
    await flush();
    await client.publish("u", "x", { qos: 2, packetId: 1 });
    await flush();
    const { packetId } = client.one("publish");
    await client.ack("pubrec", packetId);
    await client.drop();
    const again = await scene.keeper("a");
    expect(again.take("pubrel")).toEqual([]);
    await flush();
    expect(again.one("pubrel").packetId).toBe(packetId);
  });
});

describe("a broker that starts again", () => {
  test("has the sessions that were kept, with their subscriptions and options", async () => {
    const start = restarts();
    const before = start();
    const client = await before.keeper("a");
    await client.send(
      subscribePacket([{ filter: "t", qos: 1, noLocal: true, retainAsPublished: true }, "$share/g/s"], {
        properties: { subscriptionIdentifier: 9 },
      }),
    );
    client.packets.length = 0;
    await client.subscribe("gone");
    await client.unsubscribe("gone");
    await before.client("passing");
    const after = start();
    expect(after.hub.inspect().sessions.map((session) => [session.id, session.subscriptions])).toEqual([
      ["a", ["t", "g: s"]],
    ]);
    const again = await after.keeper("a");
    expect(again.connack.sessionPresent).toBe(true);
    await again.publish("t", "own");
    await (await after.client("b")).publish("t", "x", { qos: 2, packetId: 1, retain: true });
    expect(again.one("publish")).toMatchObject({ qos: 1, retain: true, properties: { subscriptionIdentifiers: [9] } });
  });

  test("has queued messages with their properties, in order, before new ones", async () => {
    const start = restarts();
    const before = start();
    const client = await before.keeper("a");
    await client.subscribe("t");
    await client.drop();
    const from = await before.client("from");
    const properties = { contentType: "c", userProperties: [["k", "v"]] } as const;
    for (let i = 1; i <= 3; i++) await from.publish("t", `${i}`, { qos: i === 2 ? 2 : 1, packetId: i, properties });
    const after = start();
    await (await after.client("from")).publish("t", "4", { qos: 1, packetId: 1 });
    const again = await after.keeper("a");
    const got = again.take("publish");
    expect(got.map((packet) => textOf(packet.payload))).toEqual(["1", "2", "3", "4"]);
    expect(got.map((packet) => packet.properties)).toEqual([properties, properties, properties, null]);
    expect(got.every((packet) => !packet.dup)).toBe(true);
  });

  test("goes on with what was in flight, each in its phase [MQTT-4.4.0-1] [MQTT-4.1.0-1]", async () => {
    const start = restarts();
    const before = start();
    const client = await before.keeper("a");
    await client.subscribe("t");
    const from = await before.client("from");
    for (let i = 1; i <= 4; i++) await from.publish("t", `${i}`, { qos: i === 1 ? 1 : 2, packetId: i });
    const [one, two, three, four] = client.take("publish").map((packet) => packet.packetId);
    await client.ack("pubrec", three ?? 0);
    await client.ack("pubrec", four ?? 0);
    await client.ack("pubcomp", four ?? 0);
    const after = start();
    const again = await after.keeper("a");
    expect(again.packets).toMatchObject([
      { type: "publish", packetId: one, dup: true, qos: 1 },
      { type: "publish", packetId: two, dup: true, qos: 2 },
      { type: "pubrel", packetId: three },
    ]);
    again.packets.length = 0;
    // New messages use other identifiers.
    await (await after.client("from")).publish("t", "5", { qos: 1, packetId: 1 });
    expect([one, two, three]).not.toContain(again.one("publish").packetId);
    await again.ack("puback", one ?? 0);
    await again.ack("pubrec", two ?? 0);
    await again.ack("pubcomp", two ?? 0);
    await again.ack("pubcomp", three ?? 0);
    const last = await start().keeper("a");
    expect(last.take("publish").map((packet) => textOf(packet.payload))).toEqual(["5"]);
    expect(last.packets).toEqual([]);
  });

  test("remembers which QoS 2 messages it has already taken [MQTT-4.3.3-10]", async () => {
    const start = restarts();
    const before = start();
    const sub = await before.keeper("sub");
    await sub.subscribe("t");
    const client = await before.keeper("a");
    await client.publish("t", "once", { qos: 2, packetId: 7 });
    await client.publish("t", "done", { qos: 2, packetId: 8 });
    await client.ack("pubrel", 8);
    const after = start();
    const again = await after.keeper("a");
    await again.publish("t", "once", { qos: 2, packetId: 7, dup: true });
    expect(again.one("pubrec")).toMatchObject({ packetId: 7, reasonCode: 0 });
    await again.ack("pubrel", 7);
    expect(again.one("pubcomp").packetId).toBe(7);
    await again.publish("t", "new", { qos: 2, packetId: 8 });
    const texts = (await after.keeper("sub")).texts();
    expect(texts).toEqual(["once", "done", "new"]);
  });

  test("has retained messages, with their properties and what is left of their lifetime", async () => {
    const start = restarts();
    const before = start();
    const client = await before.client("a");
    const properties = { contentType: "c", messageExpirySeconds: 100 };
    await client.publish("t/1", "kept", { retain: true, qos: 1, packetId: 1, properties });
    await client.publish("t/2", "removed", { retain: true });
    await client.publish("t/2", "", { retain: true });
    await before.advance(40);
    const after = start();
    const again = await after.client("a");
    await again.subscribe("t/#");
    expect(again.one("publish")).toMatchObject({
      topic: "t/1",
      retain: true,
      qos: 1,
      properties: { contentType: "c", messageExpirySeconds: 60 },
    });
  });

  test("publishes a delayed will when it is due, once, and not when its client is back in time", async () => {
    const start = restarts();
    const before = start();
    const spy = await before.keeper("spy");
    await spy.subscribe("will/#");
    for (const id of ["late", "back"]) {
      const will = {
        topic: `will/${id}`,
        payload: bytesOf(id),
        qos: 1,
        retain: false,
        properties: { delaySeconds: 60 },
      } as const;
      await (await before.keeper(id, { will })).drop();
    }
    await before.advance(30);
    const after = start();
    const again = await after.keeper("spy");
    await after.keeper("back");
    await after.advance(29);
    expect(again.texts()).toEqual([]);
    await after.advance(2);
    expect(again.texts()).toEqual(["late"]);
  });

  test("ends sessions whose time ran out meanwhile", async () => {
    const start = restarts();
    const before = start();
    await (await before.keeper("short", { properties: { sessionExpirySeconds: 10 } })).drop();
    await (await before.keeper("long", { properties: { sessionExpirySeconds: 100 } })).drop();
    await before.advance(50);
    const after = start();
    expect(after.hub.inspect().sessions.map((session) => session.id)).toEqual(["long"]);
  });

  test("knows whose sessions they are", async () => {
    const users = ["ann", "bob"].map((username) => ({ username, password: "p" }));
    const start = restarts({ users });
    const password = bytesOf("p");
    const before = start();
    await (await before.keeper("x", { username: "ann", password })).drop();
    await (await before.keeper("y", { username: "ann", password })).drop();
    const after = start();
    expect((await after.keeper("x", { username: "bob", password })).connack.sessionPresent).toBe(false);
    expect((await after.keeper("y", { username: "ann", password })).connack.sessionPresent).toBe(true);
  });

  test("leaves nothing behind of sessions and messages that are over", async () => {
    const medium = new MemoryMedium();
    const clock = new VirtualClock();
    const scene = new Scene({}, { clock, store: new MemoryStore(medium) });
    const client = await scene.keeper("a");
    await client.subscribe("t");
    await client.drop();
    const from = await scene.keeper("from");
    for (let i = 1; i <= 5; i++) await from.publish("t", "x", { qos: i % 2 === 0 ? 2 : 1, packetId: i });
    const held = medium.records.size;
    expect(held).toBeGreaterThan(10);
    const again = await scene.keeper("a");
    for (const packet of again.take("publish")) {
      await again.ack(packet.qos === 1 ? "puback" : "pubrec", packet.packetId);
      if (packet.qos === 2) await again.ack("pubcomp", packet.packetId);
    }
    for (let i = 2; i <= 4; i += 2) await from.ack("pubrel", i);
    await (await scene.client("a")).disconnect();
    await (await scene.client("from")).disconnect();
    await scene.clock.settle();
    expect(medium.records.size).toBe(0);
  });

  test("that was told to forget a session on resuming it stores nothing more of it", async () => {
    const start = restarts();
    const before = start();
    const client = await before.keeper("a");
    await client.subscribe("t");
    await client.drop();
    const now = await before.client("a", { cleanStart: false });
    expect(now.connack.sessionPresent).toBe(true);
    await now.publish("t", "x", { qos: 2, packetId: 1 });
    expect(now.texts()).toEqual(["x"]);
    expect(start().hub.sessions.count).toBe(0);
  });

  test("on a store that it cannot read does not start, and leaves no timer behind", async () => {
    const medium = new MemoryMedium();
    const before = new Scene({}, { store: new MemoryStore(medium) });
    for (const id of ["a", "b"]) {
      const client = await before.keeper(id);
      await client.subscribe(id);
      await client.drop();
    }
    await (await before.client("from")).publish("b", "x", { qos: 1, packetId: 1 });
    const store = new MemoryStore(medium);
    const batch = new StoreBatch();
    store.scan(Uint8Array.of(KIND.delivery), (key, value) => {
      batch.put(key, value.subarray(0, value.length - 1));
      return true;
    });
    void store.commit(batch);
    const clock = new VirtualClock();
    expect(() => new Scene({}, { clock, store })).toThrow(expect.objectContaining({ code: "ERR_STORE_CORRUPT" }));
    expect(clock.pendingTimers).toBe(0);
  });

  test("a message for many sessions is stored once", async () => {
    const medium = new MemoryMedium();
    const scene = new Scene({}, { store: new MemoryStore(medium) });
    for (let i = 0; i < 10; i++) {
      const client = await scene.keeper(`c${i}`);
      await client.subscribe("t");
      await client.drop();
    }
    const bytes = (): number => Array.from(medium.records.values()).reduce((sum, value) => sum + value.length, 0);
    const before = bytes();
    const from = await scene.client("from");
    await from.send(publishPacket("t", { payload: new Uint8Array(50_000), qos: 1, packetId: 1 }));
    expect(from.one("puback").reasonCode).toBe(0);
    expect(bytes() - before).toBeLessThan(60_000);
  });
});
