import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMessagingError, MessagingError } from "polymq/internal";
import { MqttClient, type MqttQueueMessage } from "polymq/mqtt";
import type { DialHook } from "polymq/transport";
import { afterEach, describe, expect, test } from "vitest";
import type { StoreBatch } from "./storage/batch.ts";
import { LmdbStore } from "./storage/lmdb-store.ts";
import type { EntryVisitor, LogRange, RecordVisitor, Store } from "./storage/store.ts";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

/** The acknowledgements of MQTT by the upper half of their first byte. */
const ACKNOWLEDGEMENTS: Readonly<Record<number, string>> = { 4: "PUBACK", 5: "PUBREC", 7: "PUBCOMP" };

/** The lmdb store with its sync in the test's hands: a commit's promise settles when the test says so. */
class HeldStore implements Store {
  readonly durability = "fsync";
  readonly #inner: LmdbStore;
  #holds = false;
  #end: ((fate: "synced" | "failed") => void) | null = null;
  #told: (() => void) | null = null;

  constructor(inner: LmdbStore) {
    this.#inner = inner;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#inner.get(key);
  }

  scan(prefix: Uint8Array, visit: RecordVisitor): void {
    this.#inner.scan(prefix, visit);
  }

  logRange(log: number): LogRange {
    return this.#inner.logRange(log);
  }

  logs(): number[] {
    return this.#inner.logs();
  }

  readLog(log: number, from: number, visit: EntryVisitor): void {
    this.#inner.readLog(log, from, visit);
  }

  commit(batch: StoreBatch): Promise<void> | null {
    const written = this.#inner.commit(batch);
    if (!this.#holds || written === null) return written;
    return written.then(async () => {
      const verdict = new Promise<"synced" | "failed">((resolve) => {
        this.#end = resolve;
      });
      this.#told?.();
      this.#told = null;
      if ((await verdict) === "failed") throw new MessagingError("ERR_STORE_FAILED", "the disk did not sync");
    });
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** From now on each sync waits for {@link finish}. */
  hold(): void {
    this.#holds = true;
  }

  release(): void {
    this.#holds = false;
    this.#end?.("synced");
  }

  /** Resolves when a sync is waiting. */
  async syncing(): Promise<void> {
    if (this.#end !== null) return;
    await new Promise<void>((resolve) => {
      this.#told = resolve;
    });
  }

  finish(fate: "synced" | "failed"): void {
    const end = this.#end;
    this.#end = null;
    end?.(fate);
  }
}

/** A broker over a held lmdb store, a client at work, a second one that tells when the broker has answered all it will, and what left. */
class Scene {
  readonly acknowledged: string[] = [];
  readonly #undo: (() => Promise<unknown>)[] = [];
  readonly store: HeldStore;
  readonly #broker: MemoryBroker;
  readonly client: MqttClient;
  readonly #echoed: (() => void)[] = [];

  private constructor(store: HeldStore, broker: MemoryBroker) {
    this.store = store;
    this.#broker = broker;
    this.client = new MqttClient({
      servers: "mqtt://memory",
      clientId: "worker",
      protocolVersion: 5,
      cleanStart: false,
      sessionExpirySeconds: 600,
      reconnect: false,
      dial: this.#tapped(broker.dial),
    });
  }

  static async open(): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), "polymq-sync-"));
    const store = new HeldStore(await LmdbStore.open({ directory, durability: "fsync" }));
    const broker = await memoryBroker(
      { queues: [{ name: "q" }, { name: "log", kind: "stream" }], sysIntervalSeconds: 0 },
      { store },
    );
    const scene = new Scene(store, broker);
    scene.#undo.push(
      () => scene.client.destroy(),
      () => broker.close().catch(ignore),
    );
    scene.#undo.push(() => rm(directory, { recursive: true, force: true }));
    await scene.client.connect();
    await scene.client.subscribe("echo", { qos: 0, handler: () => scene.#echoed.shift()?.() });
    return scene;
  }

  /** Messages of a queue in a consumer's hands. */
  async take(queue: string, count: number): Promise<MqttQueueMessage[]> {
    for (let i = 0; i < count; i++) await this.client.publishToQueue(queue, `message ${i}`, { qos: 1 });
    const taken: MqttQueueMessage[] = [];
    await new Promise<void>((resolve) => {
      const handler = async (message: MqttQueueMessage): Promise<void> => {
        if (taken.push(message) === count) resolve();
        await new Promise(() => undefined); // settled by hand
      };
      void this.client.subscribeToQueue(queue, "workers", { handler, concurrency: count });
    });
    return taken;
  }

  /** A message of QoS 0 that needs no store goes through the same connection: whatever could be acknowledged before it has been. */
  async echo(): Promise<void> {
    const echoed = new Promise<void>((resolve) => this.#echoed.push(resolve));
    await this.client.publish("echo", "", { qos: 0 });
    await echoed;
  }

  get brokerClosed(): Promise<unknown> {
    return this.#broker.closed;
  }

  async close(): Promise<void> {
    this.store.release();
    for (const undo of this.#undo) await undo();
  }

  #tapped(dial: DialHook): DialHook {
    return (endpoint, options, handler) => {
      const packets = new PacketKinds((kind) => {
        const name = ACKNOWLEDGEMENTS[kind];
        if (name !== undefined) this.acknowledged.push(name);
      });
      return dial(endpoint, options, {
        onBytes: (chunk) => {
          packets.push(chunk);
          handler.onBytes(chunk);
        },
        onDrain: () => handler.onDrain(),
        onClosed: (error) => handler.onClosed(error),
      });
    };
  }
}

/** Tells the kind of each packet in a stream of MQTT. */
class PacketKinds {
  readonly #tell: (kind: number) => void;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(tell: (kind: number) => void) {
    this.#tell = tell;
  }

  push(chunk: Uint8Array): void {
    let bytes = Uint8Array.from([...this.#rest, ...chunk]);
    for (let length = packetBytes(bytes); length !== null && length <= bytes.length; length = packetBytes(bytes)) {
      this.#tell((bytes[0] ?? 0) >> 4);
      bytes = bytes.subarray(length);
    }
    this.#rest = bytes;
  }
}

/** The length of the packet at the start, or null when that is not known yet. */
function packetBytes(bytes: Uint8Array): number | null {
  let length = 0;
  for (let i = 1; i <= 4 && i < bytes.length; i++) {
    const digit = bytes[i] ?? 0;
    length += (digit & 0x7f) * 128 ** (i - 1);
    if (digit < 0x80) return 1 + i + length;
  }
  return null;
}

/** What a client does, with what must be there before it, and what acknowledges it. */
interface Case {
  readonly name: string;
  readonly acknowledgements: readonly string[];
  prepare(scene: Scene): Promise<() => Promise<unknown>>;
}

const settle = (verb: "ack" | "nack" | "reject"): Case => ({
  name: `a queue settlement (${verb})`,
  // The settlement's own, and nothing before it.
  acknowledgements: ["PUBACK"],
  prepare: async (it: Scene) => {
    const [message] = await it.take("q", 1);
    return () => it.client[verb]("q", message?.messageId ?? "", { group: message?.groupId ?? "" });
  },
});

const CASES: readonly Case[] = [
  {
    name: "a message of QoS 1 that is kept for a session",
    acknowledgements: ["PUBACK"],
    prepare: async ({ client }) => {
      await client.subscribe("kept", { qos: 1, handler: ignore });
      return () => client.publish("kept", "x", { qos: 1 });
    },
  },
  {
    name: "a retained message of QoS 1",
    acknowledgements: ["PUBACK"],
    prepare: async ({ client }) => {
      return () => client.publish("retained", "x", { qos: 1, retain: true });
    },
  },
  {
    name: "a message of QoS 1 into a queue",
    acknowledgements: ["PUBACK"],
    prepare: async ({ client }) => {
      return () => client.publishToQueue("q", "x", { qos: 1 });
    },
  },
  {
    name: "a message of QoS 1 into a stream",
    acknowledgements: ["PUBACK"],
    prepare: async ({ client }) => {
      return () => client.publishToQueue("log", "x", { qos: 1 });
    },
  },
  {
    name: "a message of QoS 2 into a queue",
    acknowledgements: ["PUBREC", "PUBCOMP"],
    prepare: async ({ client }) => {
      return () => client.publishToQueue("q", "x", { qos: 2 });
    },
  },
  settle("ack"),
  settle("nack"),
  settle("reject"),
];

const scenes: Scene[] = [];

async function scene(): Promise<Scene> {
  const made = await Scene.open();
  scenes.push(made);
  return made;
}

afterEach(async () => {
  for (const made of scenes.splice(0)) await made.close();
});

describe.each(CASES)("$name", ({ acknowledgements, prepare }) => {
  test("is acknowledged after its sync, not before", async () => {
    const it = await scene();
    const act = await prepare(it);
    await it.echo();
    const before = it.acknowledged.length;
    it.store.hold();
    let isDone = false;
    const done = act().then(() => {
      isDone = true;
    });
    let syncs = 0;
    for (const expected of acknowledgements) {
      const position = before + acknowledgements.indexOf(expected);
      // A batch without it may be on its way first; each one is looked at.
      while (it.acknowledged.length === position) {
        await it.store.syncing();
        await it.echo();
        expect(it.acknowledged.slice(before)).toEqual(acknowledgements.slice(0, position - before));
        syncs++;
        it.store.finish("synced");
        await it.echo();
      }
      expect(it.acknowledged[position]).toBe(expected);
    }
    await done;
    expect([isDone, it.acknowledged.slice(before)]).toEqual([true, acknowledgements]);
    expect(syncs).toBeGreaterThanOrEqual(acknowledgements.length);
  });

  test("is never acknowledged when the sync fails, and the broker ends", async () => {
    const it = await scene();
    const act = await prepare(it);
    await it.echo();
    const before = it.acknowledged.length;
    it.store.hold();
    const outcome = act().then(
      () => "acknowledged",
      (error: unknown) => (isMessagingError(error) ? error.code : String(error)),
    );
    await it.store.syncing();
    await it.echo();
    it.store.finish("failed");
    expect(await it.brokerClosed).toMatchObject({ code: "ERR_STORE_FAILED" });
    await it.client.destroy();
    expect(await outcome).not.toBe("acknowledged");
    expect(it.acknowledged.slice(before)).toEqual([]);
  });
});

function ignore(): void {}
