/** Streams, queues over MQTT 3.1.1, and queues over a restart: `MqttClient` against a broker on a socket. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { startBroker } from "./broker.ts";
import { Got, Opened, publishAll, WAIT } from "./queue-clients.test-support.ts";

const opened = new Opened();
const started = opened.broker.bind(opened);
const client = opened.client.bind(opened);

afterEach(() => opened.close());

describe("a queue over MQTT 3.1.1", () => {
  test("is consumed in the group that the client id begins with, and settled by PUBACK", async () => {
    const broker = await started();
    const options = { protocolVersion: 4 } as const;
    const one = await client(broker, { ...options, clientId: "workers-1" });
    const two = await client(broker, { ...options, clientId: "workers-2" });
    const got = new Got();
    await one.subscribeToQueue("orders", "workers", got);
    await two.subscribeToQueue("orders", "", got);
    const other = two.subscribeToQueue("orders", "others", got);
    await expect(other).rejects.toMatchObject({ code: "ERR_QUEUE_GROUP_REQUIRES_V5" });
    await publishAll(one, "orders", ["a", "b"]);
    expect((await got.texts(2)).sort()).toEqual(["a", "b"]);
    await vi.waitFor(() => expect(broker.inspect().queues[0]?.depth).toBe(0), WAIT);
    expect(broker.inspect().queues[0]?.groups.map((group) => group.id)).toEqual(["workers"]);
  });

  test("a publish that a queue refuses ends the connection, for PUBACK would lose the message", async () => {
    const broker = await started({ queues: [{ name: "small", maxMessageBytes: 1 }] });
    const from = await client(broker, { protocolVersion: 4, clientId: "c", reconnect: false });
    await expect(from.publishToQueue("small", "too long")).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
  });

  test.each([
    ["too large for a queue", { queues: [{ name: "q", maxMessageBytes: 4 }] }, "too long"],
    ["one too many for a queue", { queues: [{ name: "q", maxDepth: 1, overflow: "reject" }] }, "next"],
    [
      "too large for the broker",
      { queues: [{ name: "q" }], mqtt: { maximumPacketSize: 1_024 } },
      "x".repeat(2_000_000),
    ],
  ] as const)("a message that is %s is rejected in the end, and the others go on", async (_, options, text) => {
    const broker = await started(options);
    const from = await client(broker, { protocolVersion: 4, clientId: "c", reconnect: { delay: () => 5 } });
    await from.publishToQueue("q", "1st");
    const others = (): Promise<unknown>[] => ["a", "b"].map((each) => from.publish("t", each, { qos: 1 }));
    const all = [...others(), from.publishToQueue("q", text), ...others()];
    const ended = await Promise.allSettled(all);
    expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(ended[2]).toMatchObject({ reason: { code: "ERR_PUBLISH_REJECTED" } });
    expect(broker.inspect().queues[0]?.depth).toBe(1);
  });
});

describe("a stream over MQTT", () => {
  const queues = [{ name: "events", kind: "stream" }] as const;

  test("is read by position, with its facts, by each group", async () => {
    const broker = await started({ queues });
    const from = await client(broker);
    await publishAll(from, "events", ["0", "1", "2", "3"]);
    const [all, late, group] = [new Got(), new Got(), new Got()];
    await from.subscribeToStream("events", { group: "all", ...all });
    expect(await all.texts(4)).toEqual(["0", "1", "2", "3"]);
    expect(await all.at(3)).toMatchObject({ streamOffset: 3, groupId: "all" });
    expect((await all.at(3)).streamTimestampMs).toBeGreaterThan(1_700_000_000_000);
    await from.subscribeToStream("events", { group: "late", from: { offset: 2 }, ...late });
    expect(await late.texts(2)).toEqual(["2", "3"]);
    const next = await from.subscribeToStream("events", { group: "next", from: "next", ...group });
    await from.publishToQueue("events", "4");
    expect(await group.texts(1)).toEqual(["4"]);
    await next.unsubscribe();
  });

  test("a group goes on behind what was acknowledged when its reader comes back", async () => {
    const broker = await started({ queues });
    const from = await client(broker);
    await publishAll(from, "events", ["0", "1", "2"]);
    const reader = await client(broker);
    const got = new Got();
    await reader.subscribeToStream("events", { group: "g", ack: "manual", ...got });
    await (await got.at(0)).ack();
    await got.texts(3);
    await reader.destroy();
    const again = new Got();
    await (await client(broker)).subscribeToStream("events", { group: "g", ...again });
    expect(await again.texts(2)).toEqual(["1", "2"]);
  });

  test("tells its readers how far the primary group is", async () => {
    const broker = await started({ queues: [{ name: "events", kind: "stream", primaryGroup: "billing" }] });
    const from = await client(broker);
    await publishAll(from, "events", ["0", "1", "2"]);
    const [work, read] = [new Got(), new Got()];
    await from.subscribeToStream("events", { group: "billing", ack: "manual", ...work });
    for (const place of [0, 1]) await (await work.at(place)).ack();
    await from.subscribeToStream("events", { group: "audit", ...read });
    await read.texts(3);
    const told = [await read.at(1), await read.at(2)].map(({ workGroup, workCommittedOffset, workAcked }) => {
      return { workGroup, workCommittedOffset, workAcked };
    });
    expect(told).toEqual([
      { workGroup: "billing", workCommittedOffset: 2, workAcked: true },
      { workGroup: "billing", workCommittedOffset: 2, workAcked: false },
    ]);
  });

  test("gives what one of several readers left unsettled to the others", async () => {
    const broker = await started({ queues });
    const [from, leaving] = [await client(broker), await client(broker)];
    const [stays, leaves] = [new Got(), new Got()];
    await from.subscribeToStream("events", { group: "g", ...stays });
    await leaving.subscribeToStream("events", { group: "g", ack: "manual", ...leaves });
    await publishAll(from, "events", ["0", "1", "2", "3"]);
    await leaves.texts(2);
    await leaving.destroy();
    expect((await stays.texts(4)).sort()).toEqual(["0", "1", "2", "3"]);
    expect(await stays.at(3)).toMatchObject({ deliveryCount: 1 });
  });

  test("is not made out of a work queue: subscribeToStream to one is refused with 0x83", async () => {
    const broker = await started({ queues: [{ name: "orders" }] });
    const reader = await client(broker);
    await expect(reader.subscribeToStream("orders", { group: "g" })).rejects.toMatchObject({ peer: { code: 0x83 } });
    await expect(reader.subscribeToStream("none", { group: "g" })).rejects.toMatchObject({
      peer: { code: 0x83, text: "none is no stream" },
    });
  });
});

describe("a restart with a data directory", () => {
  test("brings back messages, groups, counts of deliveries and dead letters, and consumers go on by themselves", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "polymq-queues-"));
    opened.push(() => rmSync(dataDir, { recursive: true }));
    const first = await startBroker({ port: 0, dataDir });
    const { port } = first;
    const worker = await client(first, { reconnect: { initialDelayMs: 5, maxDelayMs: 20 } });
    const got = new Got();
    await worker.subscribeToQueue("orders", "workers", { ack: "manual", ...got });
    await publishAll(worker, "orders", ["acked", "nacked", "rejected", "held"]);
    await got.texts(4);
    await (await got.at(0)).ack();
    await (await got.at(1)).nack({ delayMs: 60_000 });
    await (await got.at(2)).reject("no");
    await first.close();
    const second = await started({ port, dataDir });
    await got.texts(6);
    const again = got.messages.slice(4).map((message) => [message.text(), message.deliveryCount]);
    expect(again).toEqual([
      ["nacked", 1],
      ["held", 1],
    ]);
    const dead = new Got();
    await (await client(second)).subscribeToQueue("$dlq/orders", "g", dead);
    expect((await dead.at(0)).deadLetter).toMatchObject({ reason: "rejected", queue: "orders", offset: 2 });
    await publishAll(worker, "orders", ["new"]);
    expect(await (await got.at(6)).offset).toBe(4);
  });
});

describe("the groups of a queue", () => {
  test("that nobody named end with clients that leave nothing behind; the others stay until they are deleted", async () => {
    const broker = await started({ queues: [{ name: "orders", passingGroupExpiresAfterMs: 1 }] });
    const options = { protocolVersion: 5 } as const;
    const passing = await client(broker, { ...options, clientId: "passing" });
    await passing.subscribeToQueue("orders", "", new Got());
    const staying = await client(broker, { ...options, clientId: "staying", sessionExpirySeconds: 60 });
    await staying.subscribeToQueue("orders", "", new Got());
    const named = await client(broker, { ...options, clientId: "named" });
    await named.subscribeToQueue("orders", "workers", new Got());
    for (const each of [passing, staying, named]) await each.disconnect();
    const ids = (): string[] => (broker.queues.get("orders")?.groups ?? []).map((group) => group.id);
    await vi.waitFor(() => expect(ids()).toEqual(["staying", "workers"]), WAIT);
    await broker.queues.deleteGroup("orders", "staying");
    expect(broker.queues.list().map((queue) => queue.groups.length)).toEqual([1]);
    await expect(broker.queues.deleteGroup("orders", "staying")).rejects.toMatchObject({ code: "ERR_QUEUE_NOT_FOUND" });
  });
});
