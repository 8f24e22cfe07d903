import { type AmqpChannel, AmqpClient, type AmqpMessage, isMessagingError } from "polymq/amqp091";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeRabbitmqSite, type RabbitmqSite } from "../harness/rabbitmq-site.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";

/** RabbitMQ takes many seconds to start, stop and elect. */
const SLOW_MS = 240_000;
const WAIT = { timeout: 120_000, interval: 50 };
const COUNT = 2_000;

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");

/**
 * Publishes numbered messages with at most 100 unconfirmed, and consumes them: what was confirmed, and what came. A node that stops refuses messages for
 * queues that it has stopped already (`basic.nack`): those are published again.
 */
class Ledger {
  readonly confirmed = new Set<string>();
  readonly seen = new Map<string, number>();
  readonly #client: AmqpClient;
  readonly #queue: string;

  constructor(client: AmqpClient, queue: string) {
    this.#client = client;
    this.#queue = queue;
  }

  async publish(count: number): Promise<void> {
    const channel = await this.#client.channel();
    const under: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      const body = `m${i}`;
      under.push(this.#publishUntilConfirmed(channel, body));
      if (under.length === 100) await Promise.all(under.splice(0));
    }
    await Promise.all(under);
  }

  async #publishUntilConfirmed(channel: AmqpChannel, body: string): Promise<void> {
    for (;;) {
      try {
        await channel.publish("", this.#queue, body);
        this.confirmed.add(body);
        return;
      } catch (error) {
        if (!isMessagingError(error) || error.code !== "ERR_PUBLISH_REJECTED") throw error;
      }
    }
  }

  async consume(): Promise<void> {
    const channel = await this.#client.channel();
    const handler = (message: AmqpMessage): void => {
      const body = message.text();
      this.seen.set(body, (this.seen.get(body) ?? 0) + 1);
    };
    await channel.consume(this.#queue, { handler, prefetch: 50 });
  }

  /** Everything that was confirmed has come. */
  get missing(): string[] {
    return [...this.confirmed].filter((body) => !this.seen.has(body));
  }
}

describe.skipIf(tools.skip)(tools.title("AMQP 0-9-1 and a RabbitMQ node that goes away"), () => {
  let broker: Rabbitmq;

  beforeAll(async () => {
    broker = await startRabbitmq({ plugins: [] });
  }, SLOW_MS);

  afterAll(async () => {
    await broker?.stop();
  });

  test.each([
    // Not the other way round: RabbitMQ 3.10 does not elect the leader of a quorum queue's only member after a kill.
    ["classic", "kill"],
    ["quorum", "stop"],
  ] as const)(
    "over a restart of the node everything confirmed is in the %s queue, and the consumer goes on (%s)",
    async (type, how) => {
      const options = {
        servers: `127.0.0.1:${broker.ports.amqp}`,
        reconnect: { initialDelayMs: 100, maxDelayMs: 1_000 },
      };
      await using client = new AmqpClient(options);
      await client.connect();
      const declaring = await client.channel();
      await declaring.declareQueue(type, { arguments: { "x-queue-type": type } });
      const ledger = new Ledger(client, type);
      await ledger.consume();
      const publishing = ledger.publish(COUNT);
      await vi.waitUntil(() => ledger.confirmed.size > 300 && ledger.seen.size > 100, WAIT);
      await broker.restart(how);
      await publishing;
      expect(ledger.confirmed.size).toBe(COUNT);
      await vi.waitUntil(() => ledger.missing.length === 0, WAIT);
      expect(ledger.missing).toEqual([]);
    },
    SLOW_MS,
  );
});

describe.skipIf(tools.skip)(tools.title("AMQP 0-9-1 and three RabbitMQ nodes"), () => {
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
    "the client's node is killed: it goes to another, everything confirmed is there, and the consumer goes on",
    async () => {
      const servers = nodes.map((node) => `127.0.0.1:${node.ports.amqp}`);
      await using client = new AmqpClient({ servers, reconnect: { initialDelayMs: 100, maxDelayMs: 1_000 } });
      await client.connect();
      const declaring = await client.channel();
      const args = { "x-queue-type": "quorum", "x-quorum-initial-group-size": 3 };
      await declaring.declareQueue("cluster", { arguments: args });
      const ledger = new Ledger(client, "cluster");
      await ledger.consume();
      const publishing = ledger.publish(COUNT);
      await vi.waitUntil(() => ledger.confirmed.size > 300 && ledger.seen.size > 100, WAIT);
      const first = client.server;
      await nodes.find((node) => first.endsWith(`:${node.ports.amqp}`))?.stop();
      await publishing;
      expect(client.server).not.toBe(first);
      expect(ledger.confirmed.size).toBe(COUNT);
      await vi.waitUntil(() => ledger.missing.length === 0, WAIT);
      expect(ledger.missing).toEqual([]);
      const before = ledger.seen.size;
      await (await client.channel()).publish("", "cluster", "after");
      await vi.waitUntil(() => ledger.seen.has("after"), WAIT);
      expect(ledger.seen.size).toBe(before + 1);
    },
    SLOW_MS,
  );
});
