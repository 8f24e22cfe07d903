import { MqttClient, type MqttClientOptions } from "polymq/mqtt";
import { type FaultProxy, faultProxy } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { startBroker } from "../broker.ts";
import { brokerProgram, ChildBroker } from "./child-broker.test-support.ts";
import { MemoryGauge, MIB, mib } from "./memory.test-support.ts";
import { say } from "./progress.test-support.ts";

/** Payload bytes of each message; 200,000 of them are 195 MiB. */
const PAYLOAD = new Uint8Array(1_024).fill(0x61);
const MESSAGES = 200_000;

/** What may be held in all, where the limits under test allow some 10 to 20 MiB. */
const CEILING = 64 * MIB;

/** Publishes after which the event loop gets a turn. */
const PER_TURN = 500;

function client(port: number, options: Partial<MqttClientOptions> & { readonly clientId: string }): MqttClient {
  return new MqttClient({
    servers: `mqtt://127.0.0.1:${port}`,
    protocolVersion: 5,
    sessionExpirySeconds: 600,
    cleanStart: false,
    reconnect: { initialDelayMs: 10, maxDelayMs: 200 },
    ...options,
  });
}

/** How many promises ended how: "resolved", or the error's code. */
class Outcomes {
  readonly counts: Record<string, number> = {};
  settled = 0;

  watch(promise: Promise<unknown>): void {
    promise.then(
      () => this.#count("resolved"),
      (error: { readonly code: string }) => this.#count(error.code),
    );
  }

  #count(outcome: string): void {
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
    this.settled++;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Publishes without awaiting anything but turns of the event loop; resolves with the most memory held on the way. */
async function flood(publisher: MqttClient, qos: 0 | 1, outcomes: Outcomes, gauge: MemoryGauge): Promise<number> {
  let most = 0;
  for (let i = 0; i < MESSAGES; i++) {
    outcomes.watch(publisher.publish("flood", PAYLOAD, { qos }));
    if (i % PER_TURN === 0) await turn();
    if (i % 20_000 === 0) most = Math.max(most, gauge.grownBytes());
  }
  await turn();
  return Math.max(most, gauge.grownBytes());
}

async function withProxy(work: (proxy: FaultProxy) => Promise<void>): Promise<void> {
  const broker = await startBroker({ port: 0 });
  const proxy = await faultProxy({ target: { host: "127.0.0.1", port: broker.port } });
  try {
    await work(proxy);
  } finally {
    await proxy.close();
    await broker.close();
  }
}

describe("memory stays bounded", () => {
  test.each([0, 1] as const)("in the broker and the client while a subscriber at QoS %i does not read", async (qos) => {
    const broker = await ChildBroker.start(await brokerProgram(), {
      port: 0,
      sessions: { queuedMessagesMax: 5_000, queuedBytesMax: 8 * MIB, unsentBytesMax: 4 * MIB },
    });
    const subscriber = client(broker.port, { clientId: "subscriber" });
    const publisher = client(broker.port, { clientId: "publisher" });
    try {
      await Promise.all([subscriber.connect(), publisher.connect()]);
      await subscriber.subscribe("flood", { qos, handler: () => new Promise(() => undefined) });
      const before = await broker.picture();
      const gauge = new MemoryGauge();
      let most = 0;
      for (let i = 0; i < MESSAGES / PER_TURN; i++) {
        const some = Array.from({ length: PER_TURN }, () => publisher.publish("flood", PAYLOAD, { qos: 1 }));
        await Promise.all(some);
        if (i % 40 === 0) most = Math.max(most, gauge.grownBytes());
      }
      const after = await broker.picture();
      const grown = after.rssBytes - before.rssBytes;
      const held = after.heldBytes - before.heldBytes;
      const dropped = after.statistics["messagesDropped"] ?? 0;
      say(
        `QoS ${qos}: the broker's RSS grew by ${mib(grown)} and what it holds by ${mib(held)}, the clients by ${mib(most)}; ${dropped} dropped`,
      );
      expect(dropped).toBeGreaterThan(MESSAGES / 2);
      expect(held).toBeLessThan(CEILING);
      expect(grown).toBeLessThan(2 * CEILING);
      expect(most).toBeLessThan(CEILING);
    } finally {
      await Promise.all([subscriber.destroy(), publisher.destroy()]);
      await broker.close();
    }
  });

  test.each([0, 1] as const)("while a publisher at QoS %i awaits nothing and the link takes nothing", async (qos) => {
    await withProxy(async (proxy) => {
      const publisher = client(proxy.port, {
        clientId: "publisher",
        writeTimeoutMs: 0,
        ackTimeoutMs: 0,
        waiting: { maxMessages: 5_000, maxBytes: 4 * MIB },
      });
      await publisher.connect();
      const outcomes = new Outcomes();
      const gauge = new MemoryGauge();
      proxy.setFaults({ stall: "toServer" });
      const most = await flood(publisher, qos, outcomes, gauge);
      say(`QoS ${qos}: grew by ${mib(most)}; ${JSON.stringify(publisher.waiting)} ${JSON.stringify(outcomes.counts)}`);
      expect(most).toBeLessThan(CEILING);
      expect(publisher.waiting.bytes).toBeLessThanOrEqual(4 * MIB);
      proxy.setFaults({});
      await publisher.close({ timeoutMs: 60_000 });
      await turn();
      expect(outcomes.settled).toBe(MESSAGES);
      expect(outcomes.counts["resolved"]).toBeGreaterThan(0);
      expect(Object.keys(outcomes.counts).sort()).toEqual(
        ["resolved", qos === 0 ? "ERR_OUTBOUND_BACKPRESSURE" : "ERR_MAX_INFLIGHT"].sort(),
      );
    });
  });

  test.each(["block", "dropOldest"] as const)("while the link is down and publishes wait with %s", async (policy) => {
    await withProxy(async (proxy) => {
      const limit = 2_000;
      const publisher = client(proxy.port, {
        clientId: "publisher",
        ackTimeoutMs: 0,
        whenOffline: policy,
        waiting: { maxMessages: limit, maxBytes: 64 * MIB },
      });
      await publisher.connect();
      const lost = new Promise<void>((resolve) => publisher.once("connectionLost", () => resolve()));
      await proxy.refuse();
      proxy.cut("rst");
      await lost;
      const outcomes = new Outcomes();
      const gauge = new MemoryGauge();
      const most = await flood(publisher, 1, outcomes, gauge);
      say(`${policy}: grew by ${mib(most)}; ${JSON.stringify(publisher.waiting)} ${JSON.stringify(outcomes.counts)}`);
      expect(most).toBeLessThan(CEILING);
      expect(publisher.waiting).toMatchObject({ messages: limit });
      expect(outcomes.counts).toEqual({ ERR_OFFLINE_FULL: MESSAGES - limit });
      await proxy.accept();
      await publisher.close({ timeoutMs: 60_000 });
      await turn();
      expect(outcomes.counts).toEqual({ ERR_OFFLINE_FULL: MESSAGES - limit, resolved: limit });
    });
  });
});
