import { type Broker, startBroker } from "@polymq/broker";
import { AmqpClient, type AmqpClientOptions } from "polymq/amqp091";
import { faultProxy } from "polymq/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import type { SpawnedTool } from "../harness/spawn-tool.ts";
import { startFluxmq } from "../harness/start-fluxmq.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";

/* Topics, queues and streams of the AMQP 0-9-1 client against servers with other ways: the same calls, the same outcome. */

/** A server to test against. */
interface Target {
  readonly name: string;
  /** Why it is not here, or null. */
  readonly missing: string | null;
  /** Where it listens for AMQP 0-9-1. */
  start(): Promise<number>;
  stop(): Promise<void>;
}

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");
const flux = process.env["POLYMQ_FLUXMQ_AMQP091"] ?? null;
let embedded: Broker | null = null;
let rabbitmq: Rabbitmq | null = null;
let spawned: SpawnedTool | null = null;

const targets: readonly Target[] = [
  {
    name: "polymq",
    missing: null,
    start: async () => {
      embedded = await startBroker({ port: 0 });
      return embedded.port;
    },
    stop: async () => {
      await embedded?.close();
    },
  },
  {
    name: "RabbitMQ",
    missing: tools.skip ? tools.title("RabbitMQ") : null,
    start: async () => {
      rabbitmq = await startRabbitmq({ plugins: [] });
      return rabbitmq.ports.amqp;
    },
    stop: async () => rabbitmq?.stop(),
  },
  {
    name: "FluxMQ",
    missing: flux === null ? "POLYMQ_FLUXMQ_AMQP091 names no FluxMQ, see interop/README.md" : null,
    start: async () => {
      spawned = await startFluxmq(flux ?? "");
      return Number((flux ?? "").split(":").at(-1));
    },
    stop: async () => {
      await spawned?.stop();
    },
  },
];

const WAIT = { timeout: 60_000, interval: 20 };

describe.each(targets)("AMQP 0-9-1 topics, queues and streams of $name", ({ name, missing, start, stop }) => {
  const title = missing === null ? name : `${name} (skipped: ${missing})`;
  describe.skipIf(missing !== null)(title, () => {
    const run = Math.floor(performance.timeOrigin).toString(36);
    const open: (() => unknown)[] = [];
    let port = 0;
    let count = 0;

    beforeAll(async () => {
      port = await start();
    });
    afterEach(async () => {
      for (const close of open.splice(0).reverse()) await close();
    });
    afterAll(stop);

    /** A name that no earlier run has left messages under. */
    const fresh = (): string => `polymq-${run}-${++count}`;

    const connect = async (options: Partial<AmqpClientOptions> = {}): Promise<AmqpClient> => {
      const client = new AmqpClient({ servers: `127.0.0.1:${port}`, reconnect: { initialDelayMs: 50 }, ...options });
      open.push(() => client.close());
      await client.connect();
      return client;
    };

    /** A client whose connection can be cut, and is back when `cut` has resolved. */
    const throughProxy = async (): Promise<{ readonly client: AmqpClient; readonly cut: () => Promise<void> }> => {
      const proxy = await faultProxy({ target: { host: "127.0.0.1", port } });
      open.push(() => proxy.close());
      const client = await connect({ servers: `127.0.0.1:${proxy.port}` });
      const cut = async (): Promise<void> => {
        const back = new Promise<void>((resolve) => void client.once("connect", () => resolve()));
        proxy.cut("rst");
        await back;
      };
      return { client, cut };
    };

    test("is known by what it says of itself", async () => {
      expect((await connect()).dialect).toBe(name.toLowerCase());
    });

    test("a topic reaches the filters that match it, with slashes, from one client to another", async () => {
      const [publisher, subscriber] = [await connect(), await connect()];
      const root = fresh();
      const seen: string[] = [];
      for (const filter of ["+/temp", "kitchen/#", "cellar/+"]) {
        await subscriber.subscribe(`${root}/${filter}`, (message) => {
          seen.push(`${filter}: ${message.topic.slice(root.length + 1)} ${message.text()}`);
        });
      }
      await publisher.publish(`${root}/kitchen/temp`, "21", { contentType: "text/plain" });
      await publisher.publish(`${root}/kitchen/oven/light`, "on");
      await publisher.publish(`${root}/attic/dust`, "much");
      await vi.waitUntil(() => seen.length >= 3, WAIT);
      // FluxMQ gives each filter that matches a copy for each filter of the connection that matches.
      if (name === "FluxMQ") await vi.waitUntil(() => new Set(seen).size >= 3, WAIT);
      expect((name === "FluxMQ" ? [...new Set(seen)] : seen).sort()).toEqual([
        "+/temp: kitchen/temp 21",
        "kitchen/#: kitchen/oven/light on",
        "kitchen/#: kitchen/temp 21",
      ]);
      await subscriber.unsubscribe(`${root}/kitchen/#`);
      await publisher.publish(`${root}/kitchen/temp`, "22");
      await vi.waitUntil(() => seen.some((each) => each.endsWith("22")), WAIT);
      expect(seen.filter((each) => each.endsWith("22"))).toEqual(["+/temp: kitchen/temp 22"]);
    });

    test("members of a group share a queue, every message goes to one of them, and is gone once acknowledged", async () => {
      const queue = fresh();
      const clients = [await connect(), await connect()];
      const seen: string[] = [];
      for (const client of clients) {
        await client.subscribeToQueue(queue, "workers", { prefetch: 1, handler: (m) => void seen.push(m.text()) });
      }
      const publisher = await connect();
      const bodies = Array.from({ length: 100 }, (_, i) => `m${i}`);
      await Promise.all(bodies.map((body) => publisher.publishToQueue(queue, body)));
      await vi.waitUntil(() => seen.length >= bodies.length, WAIT);
      for (const client of clients) await client.unsubscribeFromQueue(queue);
      expect([...seen].sort()).toEqual([...bodies].sort());
    });

    test("a queue's messages come to a loop, and after a cut connection those that were not acknowledged come again", async () => {
      const queue = fresh();
      const { client, cut } = await throughProxy();
      const subscription = await client.subscribeToQueue(queue, "workers", { ack: "manual" });
      const publisher = await connect();
      for (const body of ["a", "b", "c"]) await publisher.publishToQueue(queue, body);
      const seen: string[] = [];
      for await (const message of subscription) {
        seen.push(message.text());
        if (seen.length === 2) {
          await cut();
          expect(() => message.ack()).toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
          // FluxMQ takes an acknowledgement as one of the next unsettled message too, which then does not come again.
        } else if (name !== "FluxMQ" || seen.length > 2) message.ack();
        if (seen.filter((body) => body === "b").length > 1 && seen.includes("c")) break;
      }
      // The acknowledgement of the first may have been lost with the connection.
      expect(seen.slice(0, 2)).toEqual(["a", "b"]);
    });

    test("a stream is read from its first message, an offset, a time and the next message", async () => {
      const queue = fresh();
      const client = await connect();
      expect(await client.declareStreamQueue({ name: queue, maxAge: "7D", maxLengthBytes: 100_000_000 })).toBe(queue);
      for (let i = 0; i < 10; i++) await client.publishToStream(queue, `m${i}`);
      const read = async (options: object, last: string): Promise<string[]> => {
        const reader = await connect();
        const seen: string[] = [];
        for await (const message of await reader.subscribeToStream({ queue, ...options })) {
          expect(message.streamOffset).toBe(Number(message.text().slice(1)));
          seen.push(message.text());
          if (message.text() === last) break;
        }
        return seen;
      };
      expect(await read({ offset: "first" }, "m9")).toEqual(Array.from({ length: 10 }, (_, i) => `m${i}`));
      expect(await read({ offset: { offset: 7 } }, "m9")).toEqual(["m7", "m8", "m9"]);
      expect(await read({ offset: { timestamp: Date.now() - 3_600_000 } }, "m9")).toHaveLength(10);
      const late = await (await connect()).subscribeToStream({ queue, offset: "next" });
      await client.publishToStream(queue, "m10");
      for await (const message of late) {
        expect(message.text()).toBe("m10");
        break;
      }
    });

    test("a reader of a stream goes on after a cut connection where it was: nothing is missing", async () => {
      const queue = fresh();
      const { client, cut } = await throughProxy();
      await client.declareStreamQueue({ name: queue });
      const publisher = await connect();
      const seen: number[] = [];
      await client.subscribeToStream({ queue, offset: "first", prefetch: 10 }, (message) => {
        seen.push(message.streamOffset ?? -1);
      });
      for (let i = 0; i < 100; i++) {
        await publisher.publishToStream(queue, `m${i}`);
        if (i === 40) await vi.waitUntil(() => seen.length > 5, WAIT);
        if (i === 40) await cut();
      }
      await vi.waitUntil(() => seen.includes(99) && (name !== "FluxMQ" || new Set(seen).size === 100), WAIT);
      const each = [...new Set(seen)];
      // FluxMQ sends what is published now before what was asked for from an earlier offset.
      if (name === "FluxMQ") each.sort((a, b) => a - b);
      expect(each).toEqual(Array.from({ length: 100 }, (_, i) => i));
      // What was on its way when the connection broke came twice, and nothing from before that.
      expect(seen.length).toBeLessThan(150);
    });

    test("a request is answered, one that nobody takes and one that nobody answers are told apart", async () => {
      const [server, client] = [await connect(), await connect()];
      const queue = fresh();
      const channel = await server.channel();
      if (name !== "FluxMQ") await channel.declareQueue(queue, { autoDelete: true, durable: false });
      await server.respond(queue, async (request) => `echo ${request.text()}`, { concurrency: 10 });
      const bodies = Array.from({ length: 50 }, (_, i) => `${i}`);
      const answers = await Promise.all(bodies.map((body) => client.request(queue, body)));
      expect(answers.map((answer) => answer.text())).toEqual(bodies.map((body) => `echo ${body}`));
      await expect(client.request(fresh(), "x")).rejects.toMatchObject({ code: "ERR_UNROUTABLE", peer: { code: 312 } });
      const silent = fresh();
      if (name !== "FluxMQ") await channel.declareQueue(silent, { autoDelete: true, durable: false });
      await channel.consume(silent, { noAck: true, handler: () => undefined });
      await expect(client.request(silent, "x", { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    });

    test.skipIf(name === "RabbitMQ")("a group commits offsets, and another client goes on behind them", async () => {
      const queue = fresh();
      const client = await connect();
      await client.declareStreamQueue({ name: queue });
      for (let i = 0; i < 10; i++) await client.publishToStream(queue, `m${i}`);
      const options = { queue, consumerGroup: "readers", autoCommit: false } as const;
      for await (const message of await client.subscribeToStream({ ...options, offset: "first" })) {
        expect(message.groupId).toBe("readers");
        if (message.streamOffset !== 4) continue;
        await message.commit();
        break;
      }
      await client.close();
      const next = await connect();
      for await (const message of await next.subscribeToStream({ ...options, offset: { offset: 5 } })) {
        expect(message.text()).toBe("m5");
        break;
      }
    });

    test.skipIf(name !== "RabbitMQ")(
      "a queue that is not there is declared as a quorum queue, with its delivery count",
      async () => {
        const queue = fresh();
        const client = await connect();
        await client.publishToQueue(queue, "x");
        const counts: number[] = [];
        await client.subscribeToQueue(queue, "workers", (message) => {
          counts.push(message.deliveryCount);
          if (counts.length < 3) throw new Error("not yet");
        });
        await vi.waitUntil(() => counts.length === 3, WAIT);
        expect(counts).toEqual([0, 1, 2]);
        const listed = await rabbitmq?.rabbitmqctl("list_queues", "--silent", "name", "type");
        expect(listed).toContain(`${queue}\tquorum`);
      },
    );
  });
});
