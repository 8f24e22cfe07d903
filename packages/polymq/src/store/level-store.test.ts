import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../base/errors.ts";
import { type LevelDatabase, LevelStore } from "./level-store.ts";
import { describeStore, stored } from "./store-contract.test-support.ts";

function memoryLevel(): MemoryLevel<string, Uint8Array> {
  return new MemoryLevel<string, Uint8Array>({ storeEncoding: "view" });
}

describeStore("LevelStore over memory-level", async () => {
  const database = memoryLevel();
  return { store: () => new LevelStore({ database }), end: () => database.close() };
});

describeStore("LevelStore over classic-level", async () => {
  const folder = await mkdtemp(join(tmpdir(), "polymq-store-"));
  const database = new ClassicLevel<string, Uint8Array>(folder);
  return {
    store: () => new LevelStore({ database, sync: false }),
    end: async () => {
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
});

describe("LevelStore", () => {
  const key = "polymq/1/c/p/0001";
  const encodings = { keyEncoding: "utf8", valueEncoding: "view" } as const;

  /** A database with one stored message, whose record is replaced by what `damage` makes of it. */
  async function damaged(damage: (record: Uint8Array) => Uint8Array): Promise<LevelDatabase> {
    const database = memoryLevel();
    const store = new LevelStore({ database });
    await store.open("c");
    await store.write([{ op: "putPublish", publish: stored(1) }]);
    const record = await database.get(key, encodings);
    if (record === undefined) throw new Error("nothing was stored");
    await database.put(key, damage(record), encodings);
    return database;
  }

  /** A record whose head is this JSON. */
  function withHead(json: string): (record: Uint8Array) => Uint8Array {
    const head = new TextEncoder().encode(json);
    const record = new Uint8Array(4 + head.length);
    new DataView(record.buffer).setUint32(0, head.length);
    record.set(head, 4);
    return () => record;
  }

  const HEAD = { order: 1, qos: 1, topic: "t", retain: false, properties: null, released: false };

  test.each([
    ["empty", () => new Uint8Array(0)],
    ["cut in its length", (record: Uint8Array) => record.slice(0, 3)],
    ["cut in its head", (record: Uint8Array) => record.slice(0, 20)],
    ["of another length than it says", (record: Uint8Array) => Uint8Array.of(0x7f, 0, 0, 0, ...record.slice(4))],
    ["overwritten", (record: Uint8Array) => record.map(() => 0xaa)],
    ["no object", withHead("7")],
    ["null", withHead("null")],
    ["of QoS 0", withHead(JSON.stringify({ ...HEAD, qos: 0 }))],
    ["without an order", withHead(JSON.stringify({ ...HEAD, order: null }))],
    ["without a topic", withHead(JSON.stringify({ ...HEAD, topic: 7 }))],
    ["with wrong flags", withHead(JSON.stringify({ ...HEAD, retain: 1 }))],
    ["with wrong properties", withHead(JSON.stringify({ ...HEAD, properties: [] }))],
  ])("a record that is %s ends open in ERR_STORE_FAILED, and names its packet id", async (_, damage) => {
    const store = new LevelStore({ database: await damaged(damage) });
    const error: unknown = await store.open("c").catch((reason: unknown) => reason);
    expect(isMessagingError(error) && error.code).toBe("ERR_STORE_FAILED");
    expect((error as Error).message).toContain("packet id 1");
  });

  test.each(["polymq/1/c/p/0000", "polymq/1/c/p/xyzw", "polymq/1/c/q/0001", "polymq/1/c/p/00010"])(
    "a key that is not its own is refused: %s",
    async (strange) => {
      const database = memoryLevel();
      await database.put(strange, new Uint8Array(0), encodings);
      await expect(new LevelStore({ database }).open("c")).rejects.toMatchObject({ code: "ERR_STORE_FAILED" });
    },
  );

  test("leaves other things in the database alone", async () => {
    const database = memoryLevel();
    await database.put("mine", Uint8Array.of(1), encodings);
    const store = new LevelStore({ database });
    await store.open("c");
    await store.write([{ op: "putPublish", publish: stored(1) }, { op: "clear" }]);
    expect(await database.get("mine", encodings)).toEqual(Uint8Array.of(1));
  });

  test("asks for a synced write unless told otherwise", async () => {
    const asked: (boolean | undefined)[] = [];
    const database: LevelDatabase = {
      open: () => Promise.resolve(),
      batch: async (_, options) => void asked.push(options.sync),
      async *iterator() {},
    };
    for (const sync of [undefined, true, false]) {
      const store = new LevelStore(sync === undefined ? { database } : { database, sync });
      await store.open("c");
      await store.write([{ op: "putReceived", packetId: 1 }]);
    }
    expect(asked).toEqual([true, true, false]);
  });

  test("after a batch that failed works on from what the database really holds", async () => {
    const database = memoryLevel();
    let failing = false;
    const flaky: LevelDatabase = {
      open: () => database.open(),
      iterator: (options) => database.iterator(options),
      batch: (operations, options) =>
        failing ? Promise.reject(new Error("disk full")) : database.batch(operations, options),
    };
    const store = new LevelStore({ database: flaky });
    await store.open("c");
    await store.write([
      { op: "putPublish", publish: stored(1, { qos: 2 }) },
      { op: "putReceived", packetId: 2 },
    ]);
    failing = true;
    await expect(store.write([{ op: "deletePublish", packetId: 1 }, { op: "clearReceived" }])).rejects.toThrow(
      "disk full",
    );
    failing = false;
    await store.write([{ op: "releasePublish", packetId: 1 }, { op: "clearReceived" }]);
    const session = await new LevelStore({ database }).open("c");
    expect(session.publishes).toMatchObject([{ packetId: 1, released: true }]);
    expect(session.receivedIds).toEqual([]);
  });
});
