import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MqttClient } from "polymq/mqtt";
import { afterEach, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "./broker.ts";
import { type ChildBrokers, childBrokers } from "./child-broker.test-support.ts";
import { bytesOf, publishPacket, subscribePacket, textOf } from "./sessions/mqtt/scene.test-support.ts";
import { SocketClient } from "./socket-client.test-support.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), "polymq-restart-"));
  cleanups.push(() => rmSync(made, { recursive: true }));
  return made;
}

async function started(dataDir: string, durability: "fsync" | "buffered"): Promise<Broker> {
  const broker = await startBroker({ port: 0, dataDir, durability });
  cleanups.push(() => broker.close());
  return broker;
}

const KEPT = { cleanStart: false, properties: { sessionExpirySeconds: 600 } } as const;

describe.each(["fsync", "buffered"] as const)("a broker with a data directory (%s)", (durability) => {
  test("that is closed and started again has sessions, subscriptions, messages in every phase, retained messages and delayed wills", async () => {
    const dataDir = directory();
    const first = await started(dataDir, durability);
    const sub = await SocketClient.connect(first.port, { clientId: "sub", ...KEPT });
    sub.send(subscribePacket([{ filter: "t/#", qos: 2, retainAsPublished: true }]));
    await sub.next("suback");
    const from = await SocketClient.connect(first.port, { clientId: "from", ...KEPT });
    const properties = { contentType: "c", userProperties: [["k", "v"]] } as const;
    from.send(
      publishPacket("t/1", { qos: 1, packetId: 1, text: "unacknowledged", retain: true, properties }),
      publishPacket("t/2", { qos: 2, packetId: 2, text: "received" }),
    );
    expect(await from.next("puback")).toMatchObject({ packetId: 1, reasonCode: 0 });
    expect(await from.next("pubrec")).toMatchObject({ packetId: 2, reasonCode: 0 });
    const [one, two] = [await sub.next("publish"), await sub.next("publish")];
    sub.send({ type: "pubrec", packetId: two.packetId, reasonCode: 0, properties: null });
    await sub.next("pubrel");
    sub.send({ type: "disconnect", reasonCode: 0, properties: null });
    await sub.closed; // the broker has ended it, so it knows
    from.send(publishPacket("t/3", { qos: 2, packetId: 3, text: "queued" }));
    await from.next("pubrec");
    const will = {
      topic: "t/w",
      payload: bytesOf("w"),
      qos: 1,
      retain: false,
      properties: { delaySeconds: 500 },
    } as const;
    const willing = await SocketClient.connect(first.port, { clientId: "willing", ...KEPT, will });
    willing.send({ type: "disconnect", reasonCode: 4, properties: null });
    await willing.closed;
    await first.close();

    const second = await started(dataDir, durability);
    expect(second.inspect()).toMatchObject({
      sessionCount: 3,
      subscriptionCount: 1,
      retainedCount: 1,
      delayedCount: 1,
      durability,
    });
    const again = await SocketClient.connect(second.port, { clientId: "sub", ...KEPT });
    expect(await again.next("publish")).toMatchObject({
      packetId: one.packetId,
      dup: true,
      retain: true,
      topic: "t/1",
      properties,
    });
    expect((await again.next("pubrel")).packetId).toBe(two.packetId);
    const queued = await again.next("publish");
    expect([textOf(queued.payload), queued.dup]).toEqual(["queued", false]);
    const back = await SocketClient.connect(second.port, { clientId: "from", ...KEPT });
    back.send(publishPacket("t/2", { qos: 2, packetId: 2, text: "received", dup: true }), {
      type: "pubrel",
      packetId: 2,
      reasonCode: 0,
      properties: null,
    });
    expect(await back.next("pubrec")).toMatchObject({ packetId: 2, reasonCode: 0 });
    expect(await back.next("pubcomp")).toMatchObject({ packetId: 2, reasonCode: 0 });
    back.send({ type: "pingreq" });
    await back.next("pingresp");
    expect(again.packets.filter((packet) => packet.type === "publish")).toEqual([]);
    for (const client of [again, back]) client.destroy();
  });
});

describe("a broker that is killed", () => {
  const MESSAGES = 3_000;
  const KILLS_AT = [400, 1_200, 2_000] as const;

  async function children(): Promise<ChildBrokers> {
    const made = await childBrokers();
    cleanups.push(() => made.dispose());
    return made;
  }

  function reconnecting(port: number, clientId: string): MqttClient {
    const client = new MqttClient({
      servers: `mqtt://127.0.0.1:${port}`,
      clientId,
      protocolVersion: 5,
      cleanStart: false,
      sessionExpirySeconds: 600,
      reconnect: { initialDelayMs: 10, maxDelayMs: 20, jitter: "none" },
      whenOffline: "block",
    });
    cleanups.push(() => client.destroy());
    return client;
  }

  test("with SIGKILL three times under load loses no acknowledged message, and delivers none of QoS 2 twice", async () => {
    const dataDir = directory();
    const brokers = await children();
    let broker = await brokers.start({ port: 0, dataDir });
    const { port } = broker;
    const seen = new Map<string, number>();
    let onAll: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      onAll = resolve;
    });
    const [sub, from] = [reconnecting(port, "sub"), reconnecting(port, "from")];
    await Promise.all([sub.connect(), from.connect()]);
    await sub.subscribe("t/+", {
      qos: 2,
      handler: (message) => {
        const text = textOf(message.payload);
        seen.set(text, (seen.get(text) ?? 0) + 1);
        if (seen.size === MESSAGES) onAll();
      },
    });
    let acknowledged = 0;
    const marks: (() => void)[] = [];
    const published = Array.from({ length: MESSAGES }, async (_, i) => {
      await from.publish("t/x", `${i}`, { qos: i % 2 === 0 ? 1 : 2 });
      acknowledged++;
      const at = (KILLS_AT as readonly number[]).indexOf(acknowledged);
      if (at >= 0) marks[at]?.();
    });
    for (const [i] of KILLS_AT.entries()) {
      if (acknowledged < (KILLS_AT[i] ?? 0)) {
        await new Promise<void>((resolve) => {
          marks[i] = resolve;
        });
      }
      await broker.kill();
      broker = await brokers.start({ port, dataDir });
    }
    await Promise.all(published);
    await all;
    const twice = [...seen].filter(([text, count]) => Number(text) % 2 === 1 && count !== 1);
    expect(seen.size).toBe(MESSAGES);
    expect(twice).toEqual([]);
  });
});
