import { type Client, connect, json, type Message } from "polymq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

let broker: MemoryBroker;
let client: Client;

beforeEach(async () => {
  broker = await memoryBroker({ queues: [{ name: "brief", visibilityTimeoutMs: 40 }] });
});
afterEach(async () => {
  await client.close();
  await broker.close();
});

async function join(url: string): Promise<Client> {
  client = await connect(url, { dial: broker.dial });
  return client;
}

/** Notes what was refused, and settles nothing. */
function refusals(): { seen: string[]; onInvalid: (message: Message<unknown>) => void } {
  const seen: string[] = [];
  return { seen, onInvalid: (message) => void seen.push(`${message.text()} ${message.deliveryCount}`) };
}

describe.each(["mqtt://m", "amqp://m", "amqp10://m"])("over %s, a message that onInvalid does not settle", (url) => {
  test("is done with when the function is, as with any handler, by a handler", async () => {
    await join(url);
    const { seen, onInvalid } = refusals();
    const done = new Promise<string>((resolve) => {
      const handler = (message: Message<unknown>): void => resolve(message.text());
      void client
        .queue("orders", { codec: json() })
        .consume({ group: "g", onInvalid, handler })
        .then(async () => {
          await client.queue("orders").publish("{bad");
          await client.queue("orders").publish("1");
        });
    });
    expect(await done).toBe("1");
    await expect.poll(() => broker.inspect().queues.find((each) => each.name === "orders")?.depth).toBe(0);
    expect(seen).toEqual(["{bad 0"]);
  });

  test("is done with when the loop asks for the next one", async () => {
    await join(url);
    const { seen, onInvalid } = refusals();
    const loop = await client.queue("orders", { codec: json() }).consume({ group: "g", onInvalid });
    await client.queue("orders").publish("{bad");
    await client.queue("orders").publish("1");
    for await (const message of loop) {
      await message.ack();
      break;
    }
    await expect.poll(() => broker.inspect().queues.find((each) => each.name === "orders")?.depth).toBe(0);
    expect(seen).toEqual(["{bad 0"]);
  });

  test("stays unsettled with ack: manual, and is somebody's again when its consumer leaves", async () => {
    await join(url);
    const { seen, onInvalid } = refusals();
    const got: string[] = [];
    const handler = async (message: Message<unknown>): Promise<void> => {
      got.push(message.text());
      await message.ack();
    };
    const queue = client.queue("orders", { codec: json() });
    const consumer = await queue.consume({ group: "g", ack: "manual", onInvalid, handler });
    await client.queue("orders").publish("{bad");
    await client.queue("orders").publish("1");
    await expect.poll(() => got).toEqual(["1"]);
    expect(seen).toEqual(["{bad 0"]);
    await consumer.unsubscribe();
    const again = new Promise<string>((resolve) => {
      void client.queue("orders").consume({
        group: "g",
        handler: (message) => resolve(`${message.text()} ${message.deliveryCount}`),
      });
    });
    expect(await again).toBe("{bad 1");
  });
});

test("over MQTT with ack: manual it comes again after the visibility timeout too, to the same consumer", async () => {
  await join("mqtt://m");
  const { seen, onInvalid } = refusals();
  const handler = (): void => undefined;
  await client.queue("brief", { codec: json() }).consume({ group: "g", ack: "manual", onInvalid, handler });
  await client.queue("brief").publish("{bad");
  await expect.poll(() => seen.slice(0, 2)).toEqual(["{bad 0", "{bad 1"]);
});

test("over MQTT one whose onInvalid takes longer than the visibility timeout comes again before it is done", async () => {
  await join("mqtt://m");
  const seen: number[] = [];
  let finish = (): void => undefined;
  const slow = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const onInvalid = (message: Message<unknown>): Promise<void> => {
    seen.push(message.deliveryCount);
    return slow;
  };
  await client
    .queue("brief", { codec: json() })
    .consume({ group: "g", concurrency: 2, onInvalid, handler: () => undefined });
  await client.queue("brief").publish("{bad");
  await expect.poll(() => seen.slice(0, 2)).toEqual([0, 1]);
  finish();
});
