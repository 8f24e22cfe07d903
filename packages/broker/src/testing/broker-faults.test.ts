import { type Client, connect } from "polymq";
import { MqttClientBase, type MqttClientOptions } from "polymq/mqtt";
import { VirtualClock } from "polymq/testing";
import { nodePlatform, type Platform } from "polymq/transport";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MemoryMedium, MemoryStore } from "../storage/memory-store.ts";
import { type MemoryBroker, memoryBroker } from "./memory-broker.ts";

/** A client on a clock of the test's. */
class ClockClient extends MqttClientBase {
  constructor(options: MqttClientOptions, platform: Platform) {
    super(options, platform);
  }
}

const HASTY = { keepAliveSeconds: 10, reconnect: false } as const;

const clients: Client[] = [];
const brokers: MemoryBroker[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const broker of brokers.splice(0)) await broker.close().catch(() => undefined); // one whose store failed says so
});

async function started(medium: MemoryMedium | null = null): Promise<MemoryBroker> {
  const broker = await memoryBroker({}, { store: medium === null ? null : new MemoryStore(medium) });
  brokers.push(broker);
  return broker;
}

/** A client that comes back at once. */
async function dialled(broker: MemoryBroker, clientId: string, scheme = "mqtt"): Promise<Client> {
  const reconnect = { initialDelayMs: 0, jitter: "none" } as const;
  const client = await connect(`${scheme}://memory` as string, { dial: broker.dial, clientId, reconnect });
  clients.push(client);
  return client;
}

function event(client: Client, type: "connectionLost" | "reconnecting" | "reconnected"): Promise<unknown> {
  return new Promise((resolve) => {
    client.once(type, resolve);
  });
}

describe("faults of connections", () => {
  test.each(["mqtt", "amqp", "amqp10"])("a cut ends one client's connection over %s", async (scheme) => {
    const broker = await started();
    const cut = await dialled(broker, "one", scheme);
    const other = await dialled(broker, "two", scheme);
    const lost = event(cut, "connectionLost");
    const back = event(cut, "reconnected");
    expect(broker.faults.cutConnections("one")).toBe(1);
    expect(await lost).toMatchObject({ error: { code: "ERR_CONNECTION_LOST" } });
    await back;
    expect(other.state).toBe("connected");
    expect(broker.faults.stats.connectionsCut).toBe(1);
  });

  test("a cut without a name ends all connections", async () => {
    const broker = await started();
    const lost = [await dialled(broker, "one"), await dialled(broker, "two", "amqp10")].map((client) =>
      event(client, "connectionLost"),
    );
    expect([broker.faults.cutConnections("nobody"), broker.faults.cutConnections()]).toEqual([0, 2]);
    await Promise.all(lost);
  });

  test("what is in hand when the connection is cut comes again", async () => {
    const broker = await started();
    const client = await dialled(broker, "worker");
    const attempts: number[] = [];
    await client.queue("jobs").consume({
      group: "workers",
      handler: (message) => {
        if (attempts.push(message.deliveryCount) === 1) broker.faults.cutConnections("worker");
      },
    });
    await client
      .queue("jobs")
      .publish("job")
      .catch(() => undefined);
    await vi.waitUntil(() => attempts.length === 2);
    expect(attempts).toEqual([0, 1]);
  });

  test("only a keep-alive finds that a connection was silenced, on either side", async () => {
    const clock = new VirtualClock();
    const platform = { ...nodePlatform(), clock };
    const broker = await memoryBroker({}, { platform });
    const ends: unknown[] = [];
    const client = new ClockClient({ servers: "mqtt://m", clientId: "c", dial: broker.dial, ...HASTY }, platform);
    const connected = client.connect();
    await clock.advance(100);
    await connected;
    client.on("connectionLost", ({ error }) => ends.push(error.code));
    expect(broker.faults.silenceConnections("c")).toBe(1);
    await clock.advance(9_000);
    expect([broker.inspect().attachedCount, ends]).toEqual([1, []]);
    await clock.advance(20_000);
    expect([broker.inspect().attachedCount, ends]).toEqual([0, ["ERR_PING_TIMEOUT"]]);
    client.destroy();
    const closing = broker.close();
    await clock.advance(10_000);
    await closing;
  });

  test("refuses the next connections, so many as were asked for", async () => {
    const broker = await started();
    const client = await dialled(broker, "c");
    const attempts: unknown[] = [];
    client.on("reconnecting", ({ attempt }) => attempts.push(attempt));
    const back = event(client, "reconnected");
    broker.faults.refuseConnections(2);
    broker.faults.cutConnections();
    await back;
    expect(attempts).toEqual([1, 2, 3]);
    expect(broker.faults.stats.connectionsRefused).toBe(2);
  });

  test("refuses connections until it is healed", async () => {
    const broker = await started();
    broker.faults.refuseConnections();
    const refused = connect("mqtt://m" as string, { dial: broker.dial, reconnect: false });
    await expect(refused).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    broker.faults.heal();
    expect((await dialled(broker, "c")).state).toBe("connected");
  });

  test.each(["mqtt", "amqp", "amqp10"])(
    "a link that carries one byte at a time carries all of them over %s",
    async (scheme) => {
      const broker = await started();
      broker.faults.shapeLinks({ chunkBytes: 1 });
      const client = await dialled(broker, "c", scheme);
      const got = new Promise((resolve) => {
        void client.queue("q").consume({ group: "g", handler: (message) => resolve(message.text()) });
      });
      await client.queue("q").publish("whole");
      expect(await got).toBe("whole");
    },
  );

  test("a slow link delays what is written", async () => {
    const clock = new VirtualClock();
    const broker = await memoryBroker({}, { platform: { ...nodePlatform(), clock } });
    const arrived: number[] = [];
    const transport = await broker.dial({} as never, {} as never, {
      onBytes: () => arrived.push(clock.nowMs()),
      onDrain: () => undefined,
      onClosed: () => undefined,
    });
    const startMs = clock.nowMs();
    broker.faults.shapeLinks({ delayMs: 40 });
    transport.write(Uint8Array.of(0x10, 14, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 2, 97, 98));
    await clock.advance(1_000);
    expect(arrived.map((atMs) => atMs - startMs)).toEqual([80]);
    const closing = broker.close();
    await clock.advance(10_000);
    await closing;
  });

  test.each([
    ["a delay that is none", (broker: MemoryBroker) => broker.faults.shapeLinks({ delayMs: -1 })],
    ["pieces of nothing", (broker: MemoryBroker) => broker.faults.shapeLinks({ chunkBytes: 0 })],
    ["half a refusal", (broker: MemoryBroker) => broker.faults.refuseConnections(0.5)],
    ["a commit before its time", (broker: MemoryBroker) => broker.faults.delayCommits(Number.NaN)],
  ])("%s is a typed error", async (_, call) => {
    const broker = await started(new MemoryMedium());
    expect(() => call(broker)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });
});

describe("faults of the store", () => {
  test.each(["mqtt", "amqp", "amqp10"])("nothing is acknowledged over %s while commits are held", async (scheme) => {
    const broker = await started(new MemoryMedium());
    const client = await dialled(broker, "c", scheme);
    await client.queue("q").publish("first");
    broker.faults.holdCommits();
    let acknowledged = false;
    const published = client
      .queue("q")
      .publish("second")
      .then(() => {
        acknowledged = true;
      });
    await vi.waitUntil(() => broker.faults.stats.commitsDelayed === 1);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(acknowledged).toBe(false);
    broker.faults.releaseCommits();
    await published;
    expect(broker.inspect().queues).toMatchObject([{ name: "q", depth: 2 }]);
  });

  test("a late commit comes after its time on the broker's clock", async () => {
    const broker = await started(new MemoryMedium());
    const client = await dialled(broker, "c");
    broker.faults.delayCommits(1);
    await client.queue("q").publish("late");
    expect(broker.faults.stats.commitsDelayed).toBeGreaterThan(0);
  });

  test.each([
    ["lost", 1],
    ["written", 2],
  ] as const)("a failed commit ends the broker, unacknowledged; what it left is %s", async (left, depth) => {
    const medium = new MemoryMedium();
    const broker = await started(medium);
    const client = await connect("mqtt://m" as string, { dial: broker.dial, reconnect: false });
    clients.push(client);
    await client.queue("q").publish("first");
    broker.faults.failNextCommit(left);
    await expect(client.queue("q").publish("second")).rejects.toMatchObject({ name: "MessagingError" });
    expect(await broker.closed).toMatchObject({ code: "ERR_STORE_FAILED" });
    expect(broker.faults.stats.commitsFailed).toBe(1);
    const again = await started(medium);
    expect(again.inspect().queues).toMatchObject([{ name: "q", depth }]);
  });

  test("a broker closes though its commits are held", async () => {
    const medium = new MemoryMedium();
    const broker = await started(medium);
    const client = await dialled(broker, "c");
    broker.faults.holdCommits();
    client
      .queue("q")
      .publish("x")
      .catch(() => undefined);
    await vi.waitUntil(() => broker.faults.stats.commitsDelayed === 1);
    await broker.close();
    expect((await started(medium)).inspect().queues).toMatchObject([{ name: "q", depth: 1 }]);
  });

  test.each([
    (broker: MemoryBroker) => broker.faults.holdCommits(),
    (broker: MemoryBroker) => broker.faults.delayCommits(1),
    (broker: MemoryBroker) => broker.faults.failNextCommit(),
  ])("a broker without a store says that it commits nothing", async (call) => {
    const broker = await started();
    expect(() => call(broker)).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
  });
});
