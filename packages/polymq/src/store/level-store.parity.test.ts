import { MemoryLevel } from "memory-level";
import { describe, expect, test } from "vitest";
import { LevelStore } from "./level-store.ts";
import { MemoryStore } from "./memory-store.ts";
import type { MessageStore, StoredPublish } from "./message-store.ts";

function publish(packetId: number, order: number): StoredPublish {
  const payload = Uint8Array.of(packetId, order);
  return { packetId, order, qos: 2, topic: "a/b", payload, retain: true, properties: "03", released: false };
}

/** Each kind of store with a way to look at its contents through a second store object, as a later process would. */
const KINDS: readonly [name: string, make: () => () => MessageStore][] = [
  [
    "LevelStore",
    () => {
      const database = new MemoryLevel<string, Uint8Array>();
      return () => new LevelStore({ database, sync: false });
    },
  ],
  [
    "MemoryStore",
    () => {
      const store = new MemoryStore();
      return () => store;
    },
  ],
];

describe.each(KINDS)("%s", (_, make) => {
  test("gives messages back in their order, with all that was stored, and received ids", async () => {
    const open = make();
    const store = open();
    await store.open("c");
    await store.write([
      { op: "putPublish", publish: publish(9, 1) },
      { op: "putPublish", publish: publish(3, 2) },
      { op: "putReceived", packetId: 70 },
    ]);
    await store.close();
    const { publishes, receivedIds } = await open().open("c");
    const plain = publishes.map((each) => ({ ...each, payload: Uint8Array.from(each.payload) }));
    expect(plain).toEqual([publish(9, 1), publish(3, 2)]);
    expect(receivedIds).toEqual([70]);
  });

  test("keeps the sessions of different clients apart", async () => {
    const open = make();
    const store = open();
    await store.open("one");
    await store.write([{ op: "putPublish", publish: publish(1, 1) }]);
    await store.close();
    expect(await open().open("two")).toEqual({ publishes: [], receivedIds: [] });
  });

  test("forgets what is deleted, notes a release, and clears everything", async () => {
    const open = make();
    const store = open();
    await store.open("c");
    await store.write([1, 2].map((id) => ({ op: "putPublish", publish: publish(id, id) })));
    await store.write([{ op: "putReceived", packetId: 5 }]);
    await store.write([
      { op: "deletePublish", packetId: 1 },
      { op: "releasePublish", packetId: 2 },
      { op: "deleteReceived", packetId: 5 },
    ]);
    const { publishes, receivedIds } = await open().open("c");
    expect(publishes).toMatchObject([{ packetId: 2, released: true }]);
    expect(receivedIds).toEqual([]);
    await store.open("c");
    await store.write([{ op: "putReceived", packetId: 6 }, { op: "clear" }]);
    expect(await open().open("c")).toEqual({ publishes: [], receivedIds: [] });
  });
});

test("MemoryStore keeps copies: what the caller does to its bytes afterwards changes nothing", async () => {
  const store = new MemoryStore();
  await store.open("c");
  const stored = publish(1, 1);
  await store.write([{ op: "putPublish", publish: stored }]);
  stored.payload.fill(0);
  expect((await store.open("c")).publishes[0]?.payload).toEqual(Uint8Array.of(1, 1));
});
