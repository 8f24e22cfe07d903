import { startBroker } from "@polymq/broker";
import { connect, isMessagingError, json, type Urls } from "polymq";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeRabbitmqSite, type RabbitmqSite } from "../harness/rabbitmq-site.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";

/*
 * One worker program, unchanged but for its address: on the embedded broker, and on three RabbitMQ nodes of which one is killed.
 */

const SLOW_MS = 500_000;
const WAIT = { timeout: 120_000, interval: 50 };
const COUNT = 1_000;

/** The program. It is the same for every server. */
async function worker(urls: Urls, ship: (order: number) => void): Promise<AsyncDisposable> {
  const client = await connect(urls, { reconnect: { initialDelayMs: 100, maxDelayMs: 1_000 } });
  const orders = client.queue("orders", { codec: json<{ id: number }>() });
  await orders.consume({ group: "shipping", prefetch: 32, handler: (order) => ship(order.value.id) });
  return client;
}

/** Whoever orders: what was confirmed is in `confirmed`. A node that goes away may refuse: that is ordered again. */
async function order(urls: Urls, confirmed: Set<number>, after: () => Promise<void>): Promise<void> {
  await using client = await connect(urls, { reconnect: { initialDelayMs: 100, maxDelayMs: 1_000 } });
  const orders = client.queue("orders", { codec: json<{ id: number }>() });
  const publish = async (id: number): Promise<void> => {
    try {
      await orders.publish({ id });
      confirmed.add(id);
    } catch (error) {
      if (!isMessagingError(error) || error.code !== "ERR_PUBLISH_REJECTED") throw error;
      await publish(id);
    }
  };
  for (let id = 0; id < COUNT; id += 50) {
    const batch = Array.from({ length: 50 }, (_, i) => publish(id + i));
    if (id === 300) await after();
    await Promise.all(batch);
  }
}

async function run(workerUrls: Urls, orderUrls: Urls, after: () => Promise<void>): Promise<void> {
  const confirmed = new Set<number>();
  const shipped = new Set<number>();
  await using _working = await worker(workerUrls, (id) => shipped.add(id));
  await order(orderUrls, confirmed, after);
  expect(confirmed.size).toBe(COUNT);
  await vi.waitUntil(() => shipped.size === COUNT, WAIT);
}

test.each(["mqtt", "amqp", "amqp10"])("the worker on the embedded broker over %s", async (scheme) => {
  await using broker = await startBroker({ port: 0 });
  const url = `${scheme}://127.0.0.1:${broker.port}`;
  await run(url, url, () => Promise.resolve());
});

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");

describe.skipIf(tools.skip)(tools.title("the worker on three RabbitMQ nodes"), () => {
  let site: RabbitmqSite;
  const nodes: Rabbitmq[] = [];

  beforeAll(async () => {
    site = await makeRabbitmqSite();
    for (let i = 0; i < 3; i++) {
      const node = await startRabbitmq({ plugins: [], site });
      nodes.push(node);
      if (i > 0 && nodes[0] !== undefined) await node.joinCluster(nodes[0]);
    }
  }, SLOW_MS);

  afterAll(async () => {
    for (const node of nodes) await node.stop();
    await site?.stop();
  }, SLOW_MS);

  test(
    "loses nothing while the node of worker and publisher is killed",
    async () => {
      const urls = nodes.map((node) => `amqp://127.0.0.1:${node.ports.amqp}`);
      await run(urls, urls, async () => await nodes[0]?.stop());
    },
    SLOW_MS,
  );
});
