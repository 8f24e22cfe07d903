import { type Broker, startBroker } from "@polymq/broker";
import { MqttClient, type MqttClientOptions, type MqttQueueMessage } from "polymq/mqtt";
import { faultProxy } from "polymq/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { SpawnedTool } from "../harness/spawn-tool.ts";
import { startFluxmq } from "../harness/start-fluxmq.ts";

/*
 * The queue API against a real FluxMQ, and, so that the scenarios themselves are known to work, against our broker. FluxMQ is built from its
 * public repository outside this one; where it listens, and how it is started, the environment says (interop/README.md).
 */

/** A broker that has queues. */
interface Target {
  readonly name: string;
  /** Why it is not here, or null. */
  readonly missing: string | null;
  /** Listens for MQTT 5.0 and for 3.1.1; null without such a port. */
  start(): Promise<{ readonly v5: string | null; readonly v3: string | null }>;
  stop(): Promise<void>;
}

const flux = {
  v5: process.env["POLYMQ_FLUXMQ_MQTT_V5"] ?? null,
  v3: process.env["POLYMQ_FLUXMQ_MQTT_V3"] ?? null,
};

let embedded: Broker | null = null;
let spawned: SpawnedTool | null = null;

const targets: readonly Target[] = [
  {
    name: "our broker",
    missing: null,
    start: async () => {
      embedded = await startBroker({ port: 0 });
      const address = `127.0.0.1:${embedded.port}`;
      return { v5: address, v3: address };
    },
    stop: async () => {
      await embedded?.close();
    },
  },
  {
    name: "FluxMQ",
    missing: flux.v5 === null ? "POLYMQ_FLUXMQ_MQTT_V5 names no FluxMQ, see interop/README.md" : null,
    start: async () => {
      spawned = await startFluxmq(flux.v5 ?? "");
      return flux;
    },
    stop: async () => {
      await spawned?.stop();
    },
  },
];

/** FluxMQ repeats what it has no PUBACK for after 20 s, and gives it to others after 30 s. */
const WAIT = { timeout: 60_000, interval: 20 };

describe.each(targets)("queues of $name", ({ name, missing, start, stop }) => {
  const title = missing === null ? name : `${name} (skipped: ${missing})`;
  describe.skipIf(missing !== null)(title, () => {
    let address: { readonly v5: string | null; readonly v3: string | null } = { v5: null, v3: null };
    const open: (() => unknown)[] = [];
    const run = Math.floor(performance.timeOrigin).toString(36);
    let count = 0;

    beforeAll(async () => {
      address = await start();
    });

    afterEach(async () => {
      for (const close of open.splice(0).reverse()) await close();
    });

    afterAll(stop);

    /** A name that no earlier run has left messages under. */
    const freshQueue = (): string => `polymq-${run}-${++count}`;

    const connect = async (options: Partial<MqttClientOptions> = {}): Promise<MqttClient> => {
      const clientId = `polymq${run}${++count}`;
      const made = new MqttClient({ servers: address.v5 ?? "", clientId, protocolVersion: 5, ...options });
      open.push(() => made.destroy());
      await made.connect();
      return made;
    };

    const consume = async (
      client: MqttClient,
      queue: string,
      group: string,
      options: Parameters<MqttClient["subscribeToQueue"]>[2] = {},
    ): Promise<MqttQueueMessage[]> => {
      const got: MqttQueueMessage[] = [];
      await client.subscribeToQueue(queue, group, { ...options, handler: (message) => void got.push(message) });
      return got;
    };

    const until = (got: readonly unknown[], length: number): Promise<void> =>
      vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(length), WAIT);

    test("publish and consume: messages come in order, with what the server says of them", async () => {
      const queue = freshQueue();
      const client = await connect();
      const got = await consume(client, queue, "workers");
      for (const text of ["a", "b", "c"]) await client.publishToQueue(queue, text, { properties: { mine: text } });
      await until(got, 3);
      expect(got.map((message) => message.text())).toEqual(["a", "b", "c"]);
      expect(got[0]).toMatchObject({ queue, messageId: `${queue}:0`, groupId: "workers", offset: 0 });
      expect(got[0]?.sourceTopic).toBe(`$queue/${queue}`);
      expect(got[0]?.userProperties).toContainEqual(["mine", "a"]);
    });

    test("ack: confirmed by the server", async () => {
      const queue = freshQueue();
      const client = await connect();
      const got = await consume(client, queue, "workers", { ack: "manual" });
      await client.publishToQueue(queue, "a");
      await until(got, 1);
      await got[0]?.ack();
    });

    test("a settlement of what is not pending is refused with its reason code", async () => {
      const queue = freshQueue();
      const client = await connect();
      await consume(client, queue, "workers");
      const call = client.nack(queue, `${queue}:99`, { group: "workers" });
      await expect(call).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED", peer: { code: 0x80 } });
    });

    test("nack: the message comes again, and others do not wait for it", async () => {
      const queue = freshQueue();
      const client = await connect();
      const got = await consume(client, queue, "workers", { ack: "manual" });
      await client.publishToQueue(queue, "a");
      await client.publishToQueue(queue, "b");
      await until(got, 2);
      await got[0]?.nack();
      await got[1]?.ack();
      await until(got, 3);
      expect(got[2]?.text()).toBe("a");
      await got[2]?.ack();
    });

    test("reject: the message does not come again", async () => {
      const queue = freshQueue();
      const client = await connect();
      const got = await consume(client, queue, "workers", { ack: "manual" });
      await client.publishToQueue(queue, "bad");
      await until(got, 1);
      await got[0]?.reject("no good");
      await client.publishToQueue(queue, "good");
      await until(got, 2);
      expect(got.map((message) => message.text())).toEqual(["bad", "good"]);
    });

    test("fan-out: every group gets all messages, members of one share them", async () => {
      const queue = freshQueue();
      const [one, two, three] = [await connect(), await connect(), await connect()];
      const shared = [await consume(one, queue, "workers"), await consume(two, queue, "workers")];
      const audit = await consume(three, queue, "audit");
      for (let i = 0; i < 20; i++) await one.publishToQueue(queue, String(i));
      await until(audit, 20);
      await vi.waitFor(() => expect(shared.flat()).toHaveLength(20), WAIT);
      expect(new Set(shared.flat().map((message) => message.text())).size).toBe(20);
    });

    test("filters: a group sees the routing keys that match", async () => {
      const queue = freshQueue();
      const client = await connect();
      const got = await consume(client, queue, "workers", { filter: "images/#" });
      for (const routingKey of ["images/a", "video/b", "images/c"]) {
        await client.publishToQueue(queue, routingKey, { routingKey });
      }
      await until(got, 2);
      expect(got.map((message) => message.text())).toEqual(["images/a", "images/c"]);
      await client.ack(queue, got[0]?.messageId ?? "", { group: got[0]?.groupId ?? "" }).catch(() => undefined);
      expect(got[0]?.groupId).toBe("workers@images/#");
    });

    test("reconnect: the consumer is back by itself, whatever the server kept", async () => {
      const queue = freshQueue();
      const [host = "", port = ""] = (address.v5 ?? "").split(":");
      const proxy = await faultProxy({ target: { host, port: Number(port) } });
      open.push(() => proxy.close());
      const reconnect = { initialDelayMs: 20, maxDelayMs: 100 };
      const client = await connect({ servers: `mqtt://127.0.0.1:${proxy.port}`, reconnect });
      const got = await consume(client, queue, "workers");
      const from = await connect();
      await from.publishToQueue(queue, "before");
      await until(got, 1);
      const back = new Promise<void>((resolve) => void client.once("connect", () => resolve()));
      proxy.cut("rst");
      await back;
      await from.publishToQueue(queue, "after");
      // What FluxMQ has given to the broken connection before it noticed, it gives no more to a consumer of the same name: another one follows.
      const comes = vi.waitUntil(() => got.length > 1, { timeout: 1_000, interval: 20 });
      if (name === "FluxMQ") await comes.catch(() => from.publishToQueue(queue, "after"));
      await until(got, 2);
      expect(got.at(-1)?.text()).toBe("after");
    });

    test("MQTT 3.1.1: published, consumed, and settled by PUBACK", async (context) => {
      if (address.v3 === null) return context.skip("POLYMQ_FLUXMQ_MQTT_V3 is not set");
      const queue = freshQueue();
      const client = await connect({ servers: address.v3, protocolVersion: 4 });
      const got = await consume(client, queue, "");
      await client.publishToQueue(queue, "a");
      await until(got, 1);
      expect(got[0]).toMatchObject({ queue, groupId: "" });
      await expect(client.ack(queue, 0)).rejects.toMatchObject({ code: "ERR_QUEUE_ACK_REQUIRES_V5" });
    });
  });
});
