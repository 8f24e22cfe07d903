import { type MemoryBroker, memoryBroker } from "@polymq/broker/testing";
import { type Client, connect } from "polymq";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Order, startShipping } from "./shipping.ts";

let broker: MemoryBroker;
let client: Client;

beforeEach(async () => {
  broker = await memoryBroker(); // no socket, no file, nothing to clean up
  client = await connect("mqtt://memory" as string, { dial: broker.dial });
});
afterEach(async () => {
  await client.close();
  await broker.close();
});

describe("shipping", () => {
  test("ships an order again when it failed", async () => {
    const attempts: number[] = [];
    await startShipping(client, (order) => {
      attempts.push(order.id);
      return attempts.length === 1 ? Promise.reject(new Error("no van")) : Promise.resolve("shipped");
    });
    await client.queue("orders").publish('{"id":1,"item":"widget"}');
    await vi.waitUntil(() => attempts.length === 2);
    expect(attempts).toEqual([1, 1]);
  });

  test("leaves what cannot be shipped in the dead-letter queue", async () => {
    const seen: Order[] = [];
    await startShipping(client, (order) => {
      seen.push(order);
      return Promise.resolve("impossible");
    });
    await client.queue("orders").publish('{"id":2,"item":"moon"}');
    await vi.waitUntil(() => broker.inspect().queues.some(({ name, depth }) => name === "$dlq/orders" && depth === 1));
    expect(seen).toEqual([{ id: 2, item: "moon" }]);
  });

  test("goes on after a message that is no order", async () => {
    const shipped: number[] = [];
    await startShipping(client, (order) => {
      shipped.push(order.id);
      return Promise.resolve("shipped");
    });
    await client.queue("orders").publish("not JSON");
    await client.queue("orders").publish('{"id":3,"item":"widget"}');
    await vi.waitUntil(() => shipped.length === 1);
    expect(shipped).toEqual([3]);
  });
});
