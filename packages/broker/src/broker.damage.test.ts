/** Records that turn out to be damaged while a broker is at work: it ends, and says so. */
import { MessagingError } from "polymq/internal";
import { MqttClient } from "polymq/mqtt";
import { nodePlatform, type Platform } from "polymq/transport";
import { afterEach, expect, test } from "vitest";
import type { QueueDefinition } from "./core/queues/queue-settings.ts";
import type { StoreBatch } from "./storage/batch.ts";
import { MemoryMedium, MemoryStore } from "./storage/memory-store.ts";
import type { EntryVisitor } from "./storage/store.ts";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

/** A store in which the third entry of every log, and every delayed message, is damaged. */
class DamagedStore extends MemoryStore {
  override readLog(log: number, from: number, visit: EntryVisitor): void {
    super.readLog(log, from, (offset, value) => {
      if (offset === 2) throw damaged();
      return visit(offset, value);
    });
  }

  override get(_key: Uint8Array): Uint8Array | null {
    throw damaged();
  }
}

function damaged(): MessagingError {
  return new MessagingError("ERR_STORE_CORRUPT", "damaged record in the store, key 01");
}

const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function client(broker: MemoryBroker): Promise<MqttClient> {
  const made = new MqttClient({ servers: "mqtt://memory", clientId: "", protocolVersion: 5, dial: broker.dial });
  opened.push(() => made.destroy());
  await made.connect();
  return made;
}

/** The process's own surroundings an hour later. */
function later(platform: Platform): Platform {
  const { clock } = platform;
  return {
    ...platform,
    clock: {
      nowMs: () => clock.nowMs(),
      epochMs: () => clock.epochMs() + 3_600_000,
      setTimer: (ms, task) => clock.setTimer(ms, task),
      nextTurn: (task) => clock.nextTurn(task),
    },
  };
}

/** A broker over what another one wrote an hour before: five messages, and as many more as asked for that were to come half an hour later. */
async function damagedBroker(queue: QueueDefinition, delayed = 0): Promise<MemoryBroker> {
  const medium = new MemoryMedium();
  const options = { queues: [queue], sysIntervalSeconds: 0 };
  const before = await memoryBroker(options, { store: new MemoryStore(medium) });
  const publisher = await client(before);
  for (let i = 0; i < 5; i++) await publisher.publishToQueue(queue.name, `message ${i}`);
  for (let i = 0; i < delayed; i++) await publisher.publishToQueue(queue.name, "late", { deliverAfterMs: 1_800_000 });
  await publisher.destroy();
  await before.close();
  const broker = await memoryBroker(options, { store: new DamagedStore(medium), platform: later(nodePlatform()) });
  opened.push(() => broker.close().catch(() => undefined));
  return broker;
}

test.each(["classic", "stream"] as const)(
  "a damaged message of a %s queue ends the broker when its turn comes, and is neither served nor passed over",
  async (kind) => {
    const broker = await damagedBroker({ name: "q", kind });
    const got: string[] = [];
    const consumer = await client(broker);
    void consumer.subscribeToQueue("q", "g", { handler: (message) => void got.push(message.text()) }).catch(() => {});
    expect(await broker.closed).toMatchObject({ code: "ERR_STORE_CORRUPT", message: /key 01/ });
    expect(got.every((text) => text === "message 0" || text === "message 1")).toBe(true);
  },
);

test("a damaged message ends the broker when a publisher asks whether the queue has room for more bytes", async () => {
  const broker = await damagedBroker({ name: "q", maxBytes: 1_000 });
  const publisher = await client(broker);
  void publisher.publishToQueue("q", "more").catch(() => undefined);
  expect(await broker.closed).toMatchObject({ code: "ERR_STORE_CORRUPT" });
});

test("what cannot be stored while a broker closes is told by `closed` as well", async () => {
  class FullStore extends MemoryStore {
    isFull = false;

    override commit(batch: StoreBatch): Promise<void> | null {
      return this.isFull ? Promise.reject(new MessagingError("ERR_STORE_FAILED", "no room")) : super.commit(batch);
    }
  }
  const store = new FullStore(new MemoryMedium());
  const broker = await memoryBroker({ sysIntervalSeconds: 0 }, { store });
  broker.hub.queues.declare({ name: "q" });
  store.isFull = true;
  await expect(broker.close()).rejects.toMatchObject({ code: "ERR_STORE_FAILED" });
  expect(await broker.closed).toMatchObject({ code: "ERR_STORE_FAILED" });
});

test("a damaged delayed message ends the broker when its time comes", async () => {
  const broker = await damagedBroker({ name: "q" }, 1);
  expect(await broker.closed).toMatchObject({ code: "ERR_STORE_CORRUPT" });
});
