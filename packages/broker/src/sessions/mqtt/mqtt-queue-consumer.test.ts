import { expect, test } from "vitest";
import { publishPacket, Scene, subscribePacket } from "./scene.test-support.ts";

test("a $nack that says which delivery it means gives back that one, and none that followed", async () => {
  const scene = new Scene();
  scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 500 });
  const client = await scene.client("a");
  await client.publish("$queue/q", "x", { qos: 1 });
  const group = { userProperties: [["consumer-group", "g"]] } as const;
  await client.send(subscribePacket([{ filter: "$queue/q", qos: 1 }], { properties: group }));
  const counts = (): unknown[] =>
    client.take("publish").map((each) => each.properties?.userProperties?.find(([name]) => name === "delivery-count"));
  const giveBack = async (count: readonly [string, string], packetId: number): Promise<number> => {
    client.take("puback");
    const userProperties = [["message-id", "q:0"], ["group-id", "g"], count] as const;
    await client.send(publishPacket("$queue/q/$nack", { qos: 1, packetId, text: "", properties: { userProperties } }));
    return client.one("puback").reasonCode;
  };
  await scene.advance(0.5);
  const [first, second] = [
    ["delivery-count", "0"],
    ["delivery-count", "1"],
  ] as const;
  expect(counts()).toEqual([first, second]);
  expect(await giveBack(first, 6)).toBe(0x80);
  expect(counts()).toEqual([]);
  expect(await giveBack(second, 7)).toBe(0);
  expect(counts()).toEqual([["delivery-count", "2"]]);
});
