import type { AmqpMessage } from "polymq/amqp091";
import { describe, expect, test } from "vitest";
import { AmqpScene } from "./scene.test-support.ts";

/** Headers of a publisher that the broker writes elsewhere, or in other cases. */
const FORGED = {
  "x-death": [{ queue: "elsewhere", reason: "expired", count: 7 }],
  "x-first-death-queue": "elsewhere",
  "x-dead-letter-reason": "none",
  "x-work-group": "mine",
  queue: "mine",
  offset: "9",
  protocol: "mine",
  client_id: "mine",
};

function headersOf(message: AmqpMessage | null): Readonly<Record<string, unknown>> {
  return message?.properties.headers ?? {};
}

describe("headers of a publisher with names that the broker uses", () => {
  test("reach consumers of a queue by its plain name as they are, redelivered or not, as on RabbitMQ", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("q");
    await channel.publish("", "q", "x", { headers: FORGED });
    const first = await channel.get("q");
    expect(headersOf(first)).toEqual(FORGED);
    first?.nack();
    expect(headersOf(await channel.get("q", { noAck: true }))).toEqual({ ...FORGED, "x-delivery-count": 1 });
  });

  test("are the publisher's in a plain consumer of a stream, but for the offset", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("s", { arguments: { "x-queue-type": "stream" } });
    await channel.publish("", "s", "x", { headers: { ...FORGED, "x-stream-offset": 5 } });
    const consumer = await channel.consume("s", { arguments: { "x-stream-offset": "first" } });
    for await (const message of consumer) {
      expect(headersOf(message)).toEqual({ ...FORGED, "x-stream-offset": 0 });
      break;
    }
  });

  test("give way to the broker's own once the message has died, and tell it nothing of its deaths", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    const dying = (to: string) => ({ arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": to } });
    await channel.declareQueue("dead");
    await channel.declareQueue("q", dying("dead"));
    // A death by expiry in the queue where the letter goes would make it a cycle, were it believed.
    const deaths = [{ queue: "dead", reason: "expired", count: 1 }];
    await channel.publish("", "q", "x", { headers: { ...FORGED, "x-death": deaths }, expiration: "1" });
    await expect.poll(async () => (await channel.checkQueue("dead")).messageCount).toBe(1);
    const headers = headersOf(await channel.get("dead", { noAck: true }));
    expect(headers["x-death"]).toMatchObject([{ queue: "q", reason: "expired", count: 1 }]);
    expect([headers["x-first-death-queue"], headers["x-dead-letter-reason"]]).toEqual(["q", "expired"]);
    expect([headers["queue"], headers["offset"], headers["protocol"]]).toEqual(["mine", "9", "mine"]);
  });

  test("are the broker's alone where it tells all that it knows, under a $queue/ address", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    const consumer = await channel.consume("$queue/q");
    await channel.publish("", "$queue/q", "x", { headers: { ...FORGED, own: true } });
    for await (const message of consumer) {
      const { own, queue, offset, protocol, ...rest } = headersOf(message);
      expect([own, queue, offset, protocol]).toEqual([true, "q", "0", "amqp"]);
      for (const name of ["x-death", "x-first-death-queue", "x-dead-letter-reason", "x-work-group"])
        expect(rest).not.toHaveProperty(name);
      break;
    }
  });
});
