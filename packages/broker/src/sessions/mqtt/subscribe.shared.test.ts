import { describe, expect, test } from "vitest";
import { type RawClient, Scene, textOf } from "./scene.test-support.ts";

describe("a shared subscription", () => {
  async function members(scene: Scene, ...names: readonly string[]): Promise<RawClient[]> {
    const made: RawClient[] = [];
    for (const name of names) {
      const client = await scene.client(name);
      await client.subscribe("$share/g/t/#");
      made.push(client);
    }
    return made;
  }

  test("gives each message to one member, in turn; each group sees all", async () => {
    const scene = new Scene();
    const [a, b, c] = (await members(scene, "a", "b", "c")) as [RawClient, RawClient, RawClient];
    const alone = await scene.client("alone");
    await alone.subscribe("$share/other/t/#");
    const from = await scene.client("from");
    for (let i = 1; i <= 6; i++) await from.publish("t/x", `${i}`, { qos: 1, packetId: i });
    expect([a.texts(), b.texts(), c.texts()]).toEqual([
      ["1", "4"],
      ["2", "5"],
      ["3", "6"],
    ]);
    expect(alone.texts()).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  test("works for 3.1.1 clients, together with those of 5.0", async () => {
    const scene = new Scene();
    const [young] = (await members(scene, "young")) as [RawClient];
    const old = await scene.client("old", { level: 4 });
    expect(await old.subscribe("$share/g/t/#")).toEqual([2]);
    for (const text of ["1", "2"]) await old.publish("t/x", text);
    expect([young.texts(), old.texts()]).toEqual([["1"], ["2"]]);
  });

  test("delivers at the QoS granted to the member that gets the message [MQTT-4.8.2-3]", async () => {
    const scene = new Scene();
    const low = await scene.client("low");
    await low.subscribe({ filter: "$share/g/t", qos: 0 });
    const high = await scene.client("high");
    await high.subscribe({ filter: "$share/g/t", qos: 1 });
    const from = await scene.client("from");
    for (let i = 1; i <= 2; i++) await from.publish("t", "x", { qos: 2, packetId: i });
    expect([low.one("publish").qos, high.one("publish").qos]).toEqual([0, 1]);
  });

  test("hands QoS 1 messages of a member that leaves for good to another, unacknowledged ones included", async () => {
    const scene = new Scene({ mqtt: { maxInflight: 2 } });
    const [leaver] = (await members(scene, "leaver")) as [RawClient];
    const from = await scene.client("from");
    for (let i = 1; i <= 4; i++) await from.publish("t/x", `${i}`, { qos: 1, packetId: i });
    expect(leaver.texts()).toEqual(["1", "2"]);
    const [stayer] = (await members(scene, "stayer")) as [RawClient];
    await leaver.drop();
    const got: string[] = [];
    for (let left = stayer.take("publish"); left.length > 0; left = stayer.take("publish")) {
      for (const packet of left) {
        got.push(textOf(packet.payload));
        await stayer.ack("puback", packet.packetId);
      }
    }
    expect(got).toEqual(["1", "2", "3", "4"]);
  });

  test("gives a QoS 2 message that was sent to nobody else, when its member's session ends [MQTT-4.8.2-5]", async () => {
    const scene = new Scene({ mqtt: { maxInflight: 1 } });
    const [leaver] = (await members(scene, "leaver")) as [RawClient];
    const from = await scene.client("from");
    await from.publish("t/x", "sent", { qos: 2, packetId: 1 });
    await from.publish("t/x", "waiting", { qos: 2, packetId: 2 });
    expect(leaver.texts()).toEqual(["sent"]);
    const [stayer] = (await members(scene, "stayer")) as [RawClient];
    await leaver.drop();
    expect(stayer.texts()).toEqual(["waiting"]);
  });

  test("finishes a QoS 2 message with the same member, when it comes back [MQTT-4.8.2-4]", async () => {
    const scene = new Scene();
    const first = await scene.keeper("first");
    await first.subscribe("$share/g/t/#");
    const from = await scene.client("from");
    await from.publish("t/x", "x", { qos: 2, packetId: 1 });
    const { packetId } = first.one("publish");
    const [second] = (await members(scene, "second")) as [RawClient];
    await first.drop();
    expect(second.texts()).toEqual([]);
    const back = await scene.keeper("first");
    expect(back.one("publish")).toMatchObject({ packetId, dup: true });
    await back.ack("pubrec", packetId);
    expect(back.one("pubrel").packetId).toBe(packetId);
  });

  test("drops a message that a member refuses, and offers it to nobody else [MQTT-4.8.2-6] [MQTT-4.4.0-2]", async () => {
    const scene = new Scene();
    const [a, b] = (await members(scene, "a", "b")) as [RawClient, RawClient];
    const from = await scene.client("from");
    await from.publish("t/x", "1", { qos: 1, packetId: 1 });
    await a.ack("puback", a.one("publish").packetId, 0x83);
    await from.publish("t/x", "2", { qos: 2, packetId: 2 });
    await b.ack("pubrec", b.one("publish").packetId, 0x83);
    expect([a.packets, b.packets]).toEqual([[], []]);
    await a.drop();
    expect(b.packets).toEqual([]);
  });

  test("goes past members that are away, or have no room, to one that can take it at once", async () => {
    const scene = new Scene();
    const away = await scene.keeper("away");
    await away.subscribe("$share/g/t/#");
    await away.drop();
    const full = await scene.client("full", { properties: { receiveMaximum: 1 } });
    await full.subscribe("$share/g/t/#");
    const [free] = (await members(scene, "free")) as [RawClient];
    const from = await scene.client("from");
    for (let i = 1; i <= 5; i++) await from.publish("t/x", `${i}`, { qos: 1, packetId: i });
    expect(full.texts()).toHaveLength(1);
    expect(free.texts()).toHaveLength(4);
    expect((await scene.keeper("away")).texts()).toEqual([]);
  });

  test("waits with members that are away when nobody else is there", async () => {
    const scene = new Scene();
    const away = await scene.keeper("away");
    await away.subscribe("$share/g/t/#");
    await away.drop();
    await (await scene.client("from")).publish("t/x", "waits", { qos: 1, packetId: 1 });
    expect((await scene.keeper("away")).texts()).toEqual(["waits"]);
  });

  test("brings no retained messages", async () => {
    const scene = new Scene();
    const from = await scene.client("from");
    await from.publish("t/x", "retained", { retain: true });
    const [member] = (await members(scene, "a")) as [RawClient];
    expect(member.texts()).toEqual([]);
  });

  test.each(["$share//t", "$share/g", "$share/g/", "$share/g+/t", "$share/#/t"])(
    "of the form %s is malformed [MQTT-4.8.2-1] [MQTT-4.8.2-2]",
    async (filter) => {
      const client = await new Scene().client("a");
      const bytes = new TextEncoder().encode(filter);
      const body = [0, 10, 0, 0, bytes.length, ...bytes, 0];
      await client.write(Uint8Array.of(0x82, body.length, ...body));
      expect(client.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x81 }]);
      expect(client.closed).toBe(true);
    },
  );
});
