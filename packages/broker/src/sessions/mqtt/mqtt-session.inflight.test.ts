import { describe, expect, test } from "vitest";
import { Scene } from "./scene.test-support.ts";

describe("messages in flight to a client", () => {
  test.each([1, 2] as const)(
    "end at maxInflightBytes, so that a client that acknowledges nothing is not kept large messages in plenty (QoS %i)",
    async (qos) => {
      const scene = new Scene({ mqtt: { maxInflightBytes: 25_000 } });
      const client = await scene.client("a");
      await client.subscribe("t");
      const from = await scene.client("b");
      const payload = (i: number): string => `${i}`.repeat(10_000);
      for (let i = 1; i <= 5; i++) await from.publish("t", payload(i), { qos, packetId: i });
      const [first, ...rest] = client.take("publish");
      expect(rest).toHaveLength(2);
      expect(first?.payload.length).toBe(10_000);
      const packetId = first?.packetId ?? 0;
      await client.ack(qos === 1 ? "puback" : "pubrec", packetId);
      if (qos === 2) {
        expect(client.texts()).toEqual([]);
        client.one("pubrel");
        await client.ack("pubcomp", packetId);
      }
      expect(client.texts()).toEqual([payload(4)]);
    },
  );

  test("let one through at a time, however large", async () => {
    const scene = new Scene({ mqtt: { maxInflightBytes: 1 } });
    const client = await scene.client("a");
    await client.subscribe("t");
    const from = await scene.client("b");
    for (let i = 1; i <= 2; i++) await from.publish("t", `${i}`, { qos: 1, packetId: i });
    const sent = client.one("publish");
    expect(client.texts()).toEqual([]);
    await client.ack("puback", sent.packetId);
    expect(client.texts()).toEqual(["2"]);
  });

  test("are sent again as they were, however much has come since", async () => {
    const scene = new Scene();
    const client = await scene.keeper("a");
    await client.subscribe("t");
    const from = await scene.client("b");
    const other = await scene.client("c");
    await other.subscribe("u");
    const text = (i: number): string => String.fromCharCode(65 + i).repeat(100_000 + i);
    const texts = Array.from({ length: 6 }, (_, i) => text(i));
    for (const [i, one] of texts.entries()) await from.publish("t", one, { qos: 1, packetId: i + 1 });
    expect(client.texts()).toHaveLength(6);
    await client.drop();
    for (let i = 1; i <= 6; i++) await from.publish("u", "x".repeat(900_000), { qos: 1, packetId: i });
    const again = await scene.keeper("a");
    expect(again.texts()).toEqual(texts);
  });
});
