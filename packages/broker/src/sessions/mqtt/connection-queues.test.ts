import type { UserProperties } from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import type { BrokerOptions } from "../../options.ts";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import { HeldStore, publishPacket, type RawClient, Scene, subscribePacket, textOf } from "./scene.test-support.ts";

/** A SUBSCRIBE of one queue filter. */
function consume(
  filter: string,
  group: string | null = "g",
  more: UserProperties = [],
): ReturnType<typeof subscribePacket> {
  const userProperties: UserProperties = [...(group === null ? [] : [["consumer-group", group] as const]), ...more];
  return subscribePacket([{ filter, qos: 1 }], { properties: { userProperties } });
}

/** What a client got from queues: payload and delivery count. */
function deliveries(client: RawClient): (readonly [string, string | undefined])[] {
  return client
    .take("publish")
    .map(({ payload, properties }) => [
      textOf(payload),
      properties?.userProperties?.find(([name]) => name === "delivery-count")?.[1],
    ]);
}

function queueNamed(scene: Scene, name: string): NonNullable<ReturnType<Scene["hub"]["queues"]["get"]>> {
  const queue = scene.hub.queues.get(name);
  if (queue === null) throw new Error(`no queue ${name}`);
  return queue;
}

const DURABLE: BrokerOptions = {};

describe("a message for a queue", () => {
  test.each([
    [1, "puback"],
    [2, "pubrec"],
  ] as const)(
    "at QoS %i is answered with %s, and delivered, once it is durable and not before",
    async (qos, answer) => {
      const store = new HeldStore();
      const scene = new Scene(DURABLE, { store });
      const client = await scene.client("a");
      await client.send(consume("$queue/q"));
      store.release();
      await scene.clock.settle();
      expect(client.one("suback").reasonCodes).toEqual([1]);
      await client.send(publishPacket("$queue/q", { qos, packetId: 5 }));
      expect(client.packets).toEqual([]);
      store.release();
      await scene.clock.settle();
      expect(client.one(answer)).toMatchObject({ packetId: 5, reasonCode: 0 });
      expect(deliveries(client)).toEqual([["x", "0"]]);
    },
  );

  test("that cannot be stored is never answered", async () => {
    const store = new HeldStore();
    const scene = new Scene(DURABLE, { store });
    const client = await scene.client("a");
    await client.send(publishPacket("$queue/q", { qos: 1, packetId: 5 }));
    store.fail();
    await scene.clock.settle();
    expect(client.take("puback")).toEqual([]);
    expect(scene.storeFailures).toBe(1);
  });

  test("is not settled before its settlement is durable", async () => {
    const store = new HeldStore();
    const scene = new Scene(DURABLE, { store });
    const client = await scene.client("a");
    await client.send(consume("$queue/q"), publishPacket("$queue/q", { qos: 1, packetId: 5 }));
    while (store.pending > 0) {
      store.release();
      await scene.clock.settle();
    }
    client.take("puback");
    const userProperties = [
      ["message-id", "q:0"],
      ["group-id", "g"],
    ] as const;
    await client.send(
      publishPacket("$queue/q/$ack", { qos: 1, packetId: 6, text: "", properties: { userProperties } }),
    );
    expect(client.take("puback")).toEqual([]);
    store.release();
    await scene.clock.settle();
    expect(client.one("puback")).toMatchObject({ packetId: 6, reasonCode: 0 });
  });

  test("at QoS 0 is queued as well", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.publish("$queue/q", "quiet");
    await client.send(consume("$queue/q"));
    expect(deliveries(client)).toEqual([["quiet", "0"]]);
  });
});

describe("a subscription to a queue", () => {
  test("is sent no more than its prefetch without PUBACK, however often the visibility timeout passes", async () => {
    const scene = new Scene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 500, deliveryLimit: 0 });
    const client = await scene.client("a");
    for (const text of ["x", "y"]) await client.publish("$queue/q", text, { qos: 1 });
    await client.send(consume("$queue/q", "g", [["prefetch", "3"]]));
    await scene.advance(10);
    const sent = client.take("publish");
    expect(sent.map(({ payload }) => textOf(payload))).toEqual(["x", "y", "x"]);
    // The first delivery of x is the client's no more: its PUBACK settles nothing, and makes room for one.
    await client.ack("puback", sent[0]?.packetId ?? 0);
    await scene.advance(10);
    expect(client.take("publish")).toHaveLength(1);
    expect(queueNamed(scene, "q").depth).toBe(2);
  });

  test("gives nothing back that is with another client by now, and its PUBACK settles nothing then", async () => {
    const scene = new Scene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 500 });
    const [late, other, third] = [await scene.client("a"), await scene.client("b"), await scene.client("c")];
    await late.send(consume("$queue/q", "g", [["prefetch", "1"]]));
    await late.publish("$queue/q", "x", { qos: 1 });
    await other.send(consume("$queue/q"));
    await third.send(consume("$queue/q"));
    const [had] = late.take("publish");
    await scene.advance(0.5);
    const properties = { userProperties: [["message-id", "q:0"] as const, ["group-id", "g"] as const] };
    late.take("puback");
    await late.send(publishPacket("$queue/q/$nack", { qos: 1, packetId: 6, text: "", properties }));
    await late.ack("puback", had?.packetId ?? 0);
    expect(late.one("puback")).toMatchObject({ packetId: 6, reasonCode: 0x80 });
    expect([...deliveries(late), ...deliveries(other), ...deliveries(third)]).toEqual([["x", "1"]]);
    expect(queueNamed(scene, "q").groups[0]?.pending).toBe(1);
  });

  test("is answered before its first delivery", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.publish("$queue/q", "x", { qos: 1 });
    client.take("puback");
    await client.send(consume("$queue/q"));
    expect(client.packets.map((packet) => packet.type)).toEqual(["suback", "publish"]);
  });

  test("without a group is in one named as the client", async () => {
    const scene = new Scene();
    const client = await scene.client("device-7");
    await client.send(consume("$queue/q/a/#", null));
    expect(queueNamed(scene, "q").groups.map((group) => group.id)).toEqual(["device-7@a/#"]);
  });

  test("made again goes on as it is: nothing comes twice", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send(consume("$queue/q"));
    await client.publish("$queue/q", "x", { qos: 1 });
    await client.send(consume("$queue/q"));
    expect(deliveries(client)).toEqual([["x", "0"]]);
    expect(queueNamed(scene, "q").groups[0]?.members).toEqual(["a"]);
  });

  test("carries its identifier into deliveries [MQTT-3.3.4-3]", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send(subscribePacket([{ filter: "$queue/q", qos: 1 }], { properties: { subscriptionIdentifier: 5 } }));
    await client.publish("$queue/q", "x");
    expect(client.one("publish").properties).toMatchObject({ subscriptionIdentifiers: [5] });
  });

  test("is ended by UNSUBSCRIBE, for one group or for all; there was none says 0x11", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    for (const group of ["one", "two", "three"]) await client.send(consume("$queue/q", group));
    client.take("suback");
    const leave = (properties: { userProperties: UserProperties } | null): Promise<void> =>
      client.send({ type: "unsubscribe", packetId: 9, filters: ["$queue/q"], properties });
    await leave({ userProperties: [["consumer-group", "two"]] });
    expect(queueNamed(scene, "q").groups.map((group) => group.members.length)).toEqual([1, 0, 1]);
    await leave(null);
    await leave(null);
    expect(client.take("unsuback").map((packet) => packet.reasonCodes)).toEqual([[0], [0], [0x11]]);
    expect(queueNamed(scene, "q").groups.map((group) => group.members.length)).toEqual([0, 0, 0]);
  });

  test("is not kept with the session: a resumed one gets nothing until it subscribes again, then what it had in hand, with its count", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.send(consume("$queue/q"));
    await client.publish("$queue/q", "x", { qos: 1 });
    await client.publish("t", "y");
    expect(deliveries(client)).toEqual([["x", "0"]]);
    await client.drop();
    expect(queueNamed(scene, "q").groups[0]).toMatchObject({ members: [], pending: 0, returned: 1 });
    const again = await scene.keeper("a");
    expect(again.connack.sessionPresent).toBe(true);
    expect(again.take("publish")).toEqual([]);
    await again.send(consume("$queue/q"));
    expect(deliveries(again)).toEqual([["x", "1"]]);
  });

  test("of a queue that is deleted ends quietly, and PUBACK for what was in hand gives its place back", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { receiveMaximum: 1 } });
    await client.send(consume("$queue/q"), consume("$queue/other"));
    await client.publish("$queue/q", "x");
    await client.publish("$queue/other", "y");
    scene.hub.queues.delete("q");
    const [first] = client.take("publish");
    await client.ack("puback", first?.packetId ?? 0);
    expect(deliveries(client)).toEqual([["y", "0"]]);
    expect(scene.errors).toEqual([]);
  });
});

describe("PUBACK for a queue's message", () => {
  test("acknowledges it", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send(consume("$queue/q"));
    await client.publish("$queue/q", "x");
    await client.ack("puback", client.one("publish").packetId);
    expect(queueNamed(scene, "q")).toMatchObject({ depth: 0, statistics: { acked: 1 } });
  });

  test("with a reason code of 0x80 or above rejects it", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send(consume("$queue/q"));
    await client.publish("$queue/q", "x");
    await client.ack("puback", client.one("publish").packetId, 0x87);
    expect(queueNamed(scene, "q").statistics).toMatchObject({ rejected: 1, acked: 0 });
    const [dead] = scene.hub.queues.peek("$dlq/q", 0, 1);
    expect(dead?.deadLetter).toMatchObject({ reason: "rejected", detail: "the client refused it with 0x87" });
  });

  test("after $nack says nothing of the delivery that the nack made", async () => {
    const scene = new Scene();
    const client = await scene.client("a");
    await client.send(consume("$queue/q"));
    await client.publish("$queue/q", "x");
    const first = client.one("publish");
    const userProperties = first.properties?.userProperties ?? [];
    await client.send(
      publishPacket("$queue/q/$nack", { qos: 1, packetId: 3, text: "", properties: { userProperties } }),
    );
    await client.ack("puback", first.packetId);
    expect(deliveries(client)).toEqual([["x", "1"]]);
    expect(queueNamed(scene, "q")).toMatchObject({ depth: 1, statistics: { acked: 0, nacked: 1 } });
  });

  test("opens the window for other messages, those of the session first", async () => {
    const scene = new Scene();
    const client = await scene.client("a", { properties: { receiveMaximum: 1 } });
    await client.subscribe("t");
    await client.send(consume("$queue/q"));
    for (const topic of ["$queue/q", "$queue/q", "t"]) await client.publish(topic, topic, { qos: 1 });
    const seen: string[] = [];
    for (let i = 0; i < 3; i++) {
      const packet = client.one("publish");
      seen.push(packet.topic);
      await client.ack("puback", packet.packetId);
    }
    expect(seen).toEqual(["$queue/q", "t", "$queue/q"]);
  });
});

describe("a settlement by id", () => {
  /** Two clients of one group: the first had the message when its connection broke, the other one has it now. */
  async function passedOn(): Promise<{
    scene: Scene;
    other: RawClient;
    userProperties: UserProperties;
  }> {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.send(consume("$queue/q"));
    await client.publish("$queue/q", "x", { qos: 1 });
    const userProperties = client.packets.find((each) => each.type === "publish")?.properties?.userProperties ?? [];
    await client.drop();
    const other = await scene.client("b");
    await other.send(consume("$queue/q"));
    expect(deliveries(other)).toEqual([["x", "1"]]);
    return { scene, other, userProperties };
  }

  /** Sends a settlement; returns the reason code that answers it. */
  async function settle(client: RawClient, verb: string, userProperties: UserProperties, dup = false): Promise<number> {
    const properties = { userProperties };
    await client.send(publishPacket(`$queue/q/$${verb}`, { qos: 1, packetId: 3, dup, text: "", properties }));
    const [answer] = client.take("puback");
    return answer?.reasonCode ?? -1;
  }

  test("$nack that comes again is of a connection that is gone, and takes the message from nobody; $ack says that it is done", async () => {
    const { scene, other, userProperties } = await passedOn();
    const again = await scene.keeper("a");
    expect(await settle(again, "nack", userProperties, true)).toBe(0x80);
    expect(queueNamed(scene, "q")).toMatchObject({ depth: 1, statistics: { nacked: 0 } });
    expect(await settle(again, "ack", userProperties, true)).toBe(0);
    expect(await settle(other, "ack", userProperties)).toBe(0x80);
  });

  test("$nack that comes again does not take the message from the client itself that has it anew", async () => {
    const { scene, other, userProperties } = await passedOn();
    const again = await scene.keeper("a");
    await again.send(consume("$queue/q"));
    await other.drop();
    expect(deliveries(again)).toEqual([["x", "2"]]);
    expect(await settle(again, "nack", userProperties, true)).toBe(0x80);
    expect(deliveries(again)).toEqual([]);
    const unsaid = userProperties.filter(([name]) => name !== "delivery-count");
    expect(await settle(again, "nack", unsaid)).toBe(0);
    expect(deliveries(again)).toEqual([["x", "3"]]);
  });

  test("$nack takes nothing from another member of the group; from outside of it anything can be given back", async () => {
    const { scene, other, userProperties } = await passedOn();
    const again = await scene.keeper("a");
    await again.send(consume("$queue/q"));
    expect(await settle(again, "nack", userProperties)).toBe(0x80);
    expect([...deliveries(again), ...deliveries(other)]).toEqual([]);
    expect(await settle(await scene.client("outside"), "nack", userProperties)).toBe(0);
    expect([...deliveries(again), ...deliveries(other)]).toEqual([["x", "2"]]);
  });

  test("$nack of what timed out takes nothing from who has it now", async () => {
    const scene = new Scene();
    const slow = await scene.client("slow", { properties: { receiveMaximum: 1 } });
    await slow.send(consume("$queue/q"));
    await slow.publish("$queue/q", "x");
    const userProperties = slow.one("publish").properties?.userProperties ?? [];
    const other = await scene.client("other");
    await other.send(consume("$queue/q"));
    await scene.advance(30);
    expect(deliveries(other)).toEqual([["x", "1"]]);
    expect(await settle(slow, "nack", userProperties)).toBe(0x80);
    expect(deliveries(other)).toEqual([]);
    expect(queueNamed(scene, "q")).toMatchObject({ depth: 1, statistics: { nacked: 0 } });
  });
});

test("a message that its consumer cannot take goes to the dead letters when it was tried often enough", async () => {
  const scene = new Scene();
  const client = await scene.client("a", { properties: { maximumPacketSize: 200 } });
  await client.send(consume("$queue/q"));
  const from = await scene.client("from");
  await from.publish("$queue/q", "x".repeat(300), { qos: 1 });
  await from.publish("$queue/q", "small", { qos: 1 });
  expect(scene.hub.queues.peek("$dlq/q", 0, 1)[0]?.deadLetter).toMatchObject({ reason: "delivery-limit" });
  expect(scene.errors).toEqual([]);
});

test("a message that its consumer cannot take is tried now and then where there is no limit of deliveries, and the broker serves others", async () => {
  const scene = new Scene();
  scene.hub.queues.declare({ name: "q", deliveryLimit: 0 });
  const client = await scene.client("a", { properties: { maximumPacketSize: 200 } });
  await client.send(consume("$queue/q"));
  const from = await scene.client("from");
  await from.publish("$queue/q", "x".repeat(300), { qos: 1 });
  expect(scene.hub.queues.get("q")?.statistics.delivered).toBe(6);
  const other = await scene.client("other");
  await other.send(consume("$queue/q", "a"));
  await scene.clock.advance(2_000);
  expect(other.one("publish").topic).toBe("$queue/q");
});

test("a stream can be read at QoS 0: a message counts as read when it is sent", async () => {
  const scene = new Scene();
  scene.hub.queues.declare({ name: "s", kind: "stream" });
  const client = await scene.client("a");
  for (const text of ["0", "1"]) await client.publish("$queue/s", text);
  await client.send(
    subscribePacket([{ filter: "$queue/s", qos: 0 }], { properties: { userProperties: [["consumer-group", "g"]] } }),
  );
  expect(client.one("suback").reasonCodes).toEqual([0]);
  expect(client.take("publish").map((packet) => [textOf(packet.payload), packet.qos])).toEqual([
    ["0", 0],
    ["1", 0],
  ]);
  expect(queueNamed(scene, "s").groups[0]).toMatchObject({ mode: "stream", committed: 2 });
});

test("a stream's group goes on behind the last message before which all are acknowledged", async () => {
  const scene = new Scene();
  scene.hub.queues.declare({ name: "s", kind: "stream" });
  const client = await scene.client("a");
  await client.send(consume("$queue/s"));
  for (const text of ["0", "1", "2"]) await client.publish("$queue/s", text);
  const [a, b, c] = client.take("publish").map((packet) => packet.packetId);
  const committed = (): number | undefined => queueNamed(scene, "s").groups[0]?.committed;
  await client.ack("puback", b ?? 0);
  expect(committed()).toBe(0);
  await client.ack("puback", a ?? 0);
  expect(committed()).toBe(2);
  await client.ack("puback", c ?? 0);
  expect(committed()).toBe(3);
});

test("a stream's group commits nothing beyond what another client has in hand, and gives it to the others when that client is gone", async () => {
  const scene = new Scene();
  scene.hub.queues.declare({ name: "s", kind: "stream" });
  const [a, b] = [await scene.client("a"), await scene.client("b")];
  for (const client of [a, b]) await client.send(consume("$queue/s"));
  for (const text of ["0", "1", "2"]) await a.publish("$queue/s", text);
  const held = b.take("publish").map((packet) => textOf(packet.payload));
  for (const packet of a.take("publish")) await a.ack("puback", packet.packetId ?? 0);
  expect([held, queueNamed(scene, "s").groups[0]?.committed]).toEqual([["1"], 1]);
  await b.drop();
  const again = a.one("publish");
  expect([textOf(again.payload), again.properties?.userProperties]).toEqual([
    "1",
    expect.arrayContaining([["delivery-count", "1"]]),
  ]);
  await a.ack("puback", again.packetId ?? 0);
  expect(queueNamed(scene, "s").groups[0]?.committed).toBe(3);
});

test("a subscription beyond a limit of queues is refused with 0x97, one with too long a filter with 0x8F, with MQTT 3.1.1 both with 0x80", async () => {
  const scene = new Scene({ queueLimits: { groupsInAllMax: 1, filterLengthMax: 8 } });
  const client = await scene.client("a");
  const old = await scene.client("b", { level: 4 });
  await client.send(consume("$queue/q", "g"));
  const codes = client.take("suback").map((packet) => packet.reasonCodes[0]);
  for (const filter of ["$queue/q/longfilter", "$queue/r"]) {
    await client.send(consume(filter, "h"));
    codes.push(client.one("suback").reasonCodes[0]);
    await old.send(subscribePacket([{ filter, qos: 1 }]));
    codes.push(old.one("suback").reasonCodes[0]);
  }
  expect(codes).toEqual([1, 0x8f, 0x80, 0x97, 0x80]);
});

test("a SUBSCRIBE of many filters that queues refuse is refused without a look at all of them, and the next one is looked at", async () => {
  const scene = new Scene({ queueLimits: { groupsMax: 1 } });
  const client = await scene.client("a");
  const userProperties = [["consumer-group", "g"]] as const;
  const filters = Array.from({ length: 150 }, (_, i) => ({ filter: `$queue/q/${i}`, qos: 1 as const }));
  await client.send(subscribePacket([...filters, { filter: "$queue/r", qos: 1 }], { properties: { userProperties } }));
  const { reasonCodes } = client.one("suback");
  expect([reasonCodes[0], new Set(reasonCodes.slice(1, 150)), reasonCodes[150]]).toEqual([1, new Set([0x97]), 0x97]);
  expect(scene.hub.queues.has("r")).toBe(false);
  await client.send(consume("$queue/r"));
  expect(client.one("suback").reasonCodes).toEqual([1]);
});

describe.each(["classic", "stream"] as const)("an unsettled message of a %s queue", (kind) => {
  test("is delivered with its count to a client that subscribes again after a lost connection, a takeover or a restart", async () => {
    const medium = new MemoryMedium();
    let scene = new Scene(DURABLE, { store: new MemoryStore(medium) });
    scene.hub.queues.declare({ name: "q", kind });
    const first = await scene.client("a");
    await first.send(consume("$queue/q"));
    await first.publish("$queue/q", "x");
    const counts = deliveries(first);
    await first.drop();
    for (let i = 0; i < 2; i++) {
      // The second one takes the client identifier over from the first, whose connection stands.
      const next = await scene.client("a");
      await next.send(consume("$queue/q"));
      counts.push(...deliveries(next));
    }
    void scene.hub.close();
    await scene.clock.settle();
    scene = new Scene(DURABLE, { store: new MemoryStore(medium), clock: scene.clock });
    const last = await scene.client("a");
    await last.send(consume("$queue/q"));
    counts.push(...deliveries(last));
    expect(counts).toEqual([
      ["x", "0"],
      ["x", "1"],
      ["x", "2"],
      ["x", "3"],
    ]);
  });
});
