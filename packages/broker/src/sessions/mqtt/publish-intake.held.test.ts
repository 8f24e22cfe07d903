import { describe, expect, test } from "vitest";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import { type RawClient, Scene } from "./scene.test-support.ts";

const KIB = 1_024;
const BODY = "x".repeat(10 * KIB);

/** A scene in which one client is away, and all that may wait for it in all does. */
async function tightScene(heldBytesMax = 80 * KIB): Promise<{ scene: Scene; publisher: RawClient }> {
  const scene = new Scene({ sessions: { heldBytesMax } });
  const away = await scene.keeper("away");
  await away.subscribe("away/#");
  await away.drop();
  const publisher = await scene.client("publisher");
  for (let packetId = 1; !scene.hub.held.isTight; packetId++) {
    await publisher.publish("away/fill", BODY, { qos: 1, packetId });
  }
  publisher.packets.length = 0;
  return { scene, publisher };
}

describe("when all sessions together hold as much as they may", () => {
  test.each([
    [1, "puback"],
    [2, "pubrec"],
  ] as const)("a message of QoS %i that would have to wait is refused with 0x97, and counted", async (qos, type) => {
    const { scene, publisher } = await tightScene();
    const { bytes } = scene.hub.held;
    await publisher.publish("away/more", BODY, { qos, packetId: 900 });
    expect(publisher.packets).toMatchObject([{ type, packetId: 900, reasonCode: 0x97 }]);
    expect(scene.hub.held.refusedCount).toBe(1);
    expect(scene.hub.held.bytes).toBe(bytes);
    expect(scene.hub.inspect()).toMatchObject({ heldBytes: bytes, heldRefusedCount: 1 });
  });

  test("a client of 3.1.1 loses its connection instead: PUBACK would lose the message", async () => {
    const { scene } = await tightScene();
    const old = await scene.client("old", { level: 4 });
    await old.publish("away/more", BODY, { qos: 1, packetId: 1 });
    expect(old.packets).toEqual([]);
    expect(old.closed).toBe(true);
  });

  test("clients that take their messages get them, and whoever publishes to both is not told to do it again", async () => {
    const { scene, publisher } = await tightScene();
    const here = await scene.client("here");
    await here.subscribe("#");
    await publisher.publish("other", "1", { qos: 1, packetId: 900 });
    await publisher.publish("away/more", "2", { qos: 2, packetId: 901 });
    expect(publisher.packets).toMatchObject([
      { packetId: 900, reasonCode: 0 },
      { packetId: 901, reasonCode: 0 },
    ]);
    expect(here.take("publish").map(({ topic }) => topic)).toEqual(["other", "away/more"]);
    expect(scene.hub.statistics.messagesDropped).toBe(1);
  });

  test("messages of QoS 0 are delivered to those who are there", async () => {
    const { scene, publisher } = await tightScene();
    const here = await scene.client("here");
    await here.subscribe("#");
    await publisher.publish("away/more", "now");
    expect(here.texts()).toEqual(["now"]);
  });

  test("nothing more is in flight at the limit, to clients that acknowledge nothing", async () => {
    const { scene, publisher } = await tightScene();
    const silent = await scene.client("silent");
    await silent.subscribe("silent");
    let packetId = 900;
    while (!scene.hub.held.isFull) await publisher.publish("silent", BODY, { qos: 1, packetId: packetId++ });
    publisher.packets.length = 0;
    await publisher.publish("silent", BODY, { qos: 1, packetId });
    expect(publisher.packets).toMatchObject([{ reasonCode: 0x97 }]);
    expect(scene.hub.held.bytes).toBeLessThan(92 * KIB);
    await silent.drop();
    await publisher.publish("away/more", BODY, { qos: 1, packetId: packetId + 1 });
    expect(scene.hub.held.bytes).toBeLessThan(82 * KIB);
  });

  test("there is room again when the client that was away has taken its messages", async () => {
    const { scene, publisher } = await tightScene();
    const back = await scene.keeper("away");
    for (const { packetId } of back.take("publish")) {
      await back.send({ type: "puback", packetId, reasonCode: 0, properties: null });
    }
    expect(scene.hub.held.bytes).toBe(0);
    await back.drop();
    await publisher.publish("away/more", BODY, { qos: 1, packetId: 900 });
    expect(publisher.packets).toMatchObject([{ reasonCode: 0 }]);
  });

  test("there is room again when its session has ended", async () => {
    const { scene } = await tightScene();
    await scene.advance(3_601);
    expect(scene.hub.held.bytes).toBe(0);
  });

  test("what a member of a group leaves behind goes to the others, for it takes no more room there", async () => {
    const scene = new Scene({ sessions: { heldBytesMax: 80 * KIB } });
    const away = await scene.keeper("away");
    await away.subscribe("$share/g/t");
    await away.drop();
    const publisher = await scene.client("publisher");
    let count = 0;
    while (!scene.hub.held.isTight) await publisher.publish("t", BODY, { qos: 1, packetId: ++count });
    const here = await scene.client("here");
    await here.subscribe("$share/g/t");
    await scene.advance(3_601);
    expect(here.take("publish")).toHaveLength(count);
    expect(scene.hub.statistics.messagesDropped).toBe(0);
  });

  test("a message to be retained is refused with 0x97 and delivered to nobody; of QoS 0 or 3.1.1 it is delivered and not retained", async () => {
    const { scene, publisher } = await tightScene();
    const here = await scene.client("here");
    await here.subscribe("r");
    await publisher.publish("r", "1", { qos: 1, packetId: 900, retain: true });
    expect(publisher.packets).toMatchObject([{ packetId: 900, reasonCode: 0x97 }]);
    expect(here.texts()).toEqual([]);
    await publisher.publish("r", "0", { retain: true });
    const old = await scene.client("old", { level: 4 });
    await old.publish("r", "old", { qos: 1, packetId: 1, retain: true });
    expect(old.packets).toMatchObject([{ type: "puback", packetId: 1 }]);
    expect(here.texts()).toEqual(["0", "old"]);
    expect(scene.hub.retained.count).toBe(0);
    expect(scene.hub.held.refusedCount).toBe(3);
  });
});

test("what a store kept beyond the limit is taken up, and counted", async () => {
  const medium = new MemoryMedium();
  const scene = new Scene({}, { store: new MemoryStore(medium) });
  const away = await scene.keeper("away");
  await away.subscribe("t");
  await away.drop();
  const publisher = await scene.client("publisher");
  for (let packetId = 1; packetId <= 5; packetId++) {
    await publisher.publish("t", BODY, { qos: 1, packetId, retain: packetId === 5 });
  }
  const { bytes } = scene.hub.held;
  const again = new Scene({ sessions: { heldBytesMax: 10 * KIB } }, { store: new MemoryStore(medium) });
  expect(again.hub.held.bytes).toBe(bytes);
  expect(again.hub.held.isFull).toBe(true);
  const back = await again.keeper("away");
  expect(back.take("publish")).toHaveLength(5);
});
