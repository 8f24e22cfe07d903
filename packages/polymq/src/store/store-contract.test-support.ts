/** What every {@link MessageStore} must do; run by the tests of each implementation beside this file. */
import { describe, expect, test } from "vitest";
import type { MessageStore, StoredPublish, StoreOperation } from "./message-store.ts";

/** One place where sessions are kept, and stores over it. */
export interface StorePlace {
  /** A store over the place; several, one after the other, see the same sessions. */
  store(): MessageStore;
  /** Ends the use of the place. */
  end(): Promise<void>;
}

/** A message to store. */
export function stored(packetId: number, fields: Partial<StoredPublish> = {}): StoredPublish {
  return {
    packetId,
    order: packetId,
    qos: 1,
    topic: `topic/${packetId}`,
    payload: Uint8Array.of(packetId & 255, 0, 255),
    retain: false,
    properties: null,
    released: false,
    ...fields,
  };
}

function put(publish: StoredPublish): StoreOperation {
  return { op: "putPublish", publish };
}

/** Declares the suite for one implementation. */
export function describeStore(name: string, open: () => Promise<StorePlace>): void {
  describe(`${name} as a message store`, () => {
    /** Runs `use` with a place of its own. */
    const withPlace = async (use: (place: StorePlace) => Promise<void>): Promise<void> => {
      const place = await open();
      try {
        await use(place);
      } finally {
        await place.end();
      }
    };

    /** What the next process would find. */
    const reopened = async (place: StorePlace, clientId = "c"): Promise<Awaited<ReturnType<MessageStore["open"]>>> => {
      const store = place.store();
      const session = await store.open(clientId);
      await store.close();
      return session;
    };

    /** Opens, writes each batch, closes. */
    const write = async (place: StorePlace, ...batches: StoreOperation[][]): Promise<void> => {
      const store = place.store();
      await store.open("c");
      for (const batch of batches) await store.write(batch);
      await store.close();
    };

    test("an unknown session is empty", () =>
      withPlace(async (place) => {
        expect(await reopened(place)).toEqual({ publishes: [], receivedIds: [] });
      }));

    test("messages come back as they were put, by rising order", () =>
      withPlace(async (place) => {
        const first = stored(9, { order: 1, qos: 2, topic: "ü/$x", retain: true, properties: "0301ff" });
        const second = stored(3, { order: 2, payload: new Uint8Array(0) });
        const third = stored(65_535, { order: 12, payload: new Uint8Array(100_000).fill(7) });
        await write(place, [put(third), put(first)], [put(second)]);
        expect((await reopened(place)).publishes).toEqual([first, second, third]);
      }));

    test("putting under a packet id again replaces the message", () =>
      withPlace(async (place) => {
        await write(place, [put(stored(1))], [put(stored(1, { topic: "new" }))]);
        expect((await reopened(place)).publishes).toEqual([stored(1, { topic: "new" })]);
      }));

    test("a payload may be changed after it was put", () =>
      withPlace(async (place) => {
        const payload = Uint8Array.of(1, 2, 3);
        const store = place.store();
        await store.open("c");
        await store.write([put(stored(1, { payload }))]);
        payload.fill(9);
        await store.write([{ op: "putReceived", packetId: 4 }]);
        await store.close();
        expect((await reopened(place)).publishes[0]?.payload).toEqual(Uint8Array.of(1, 2, 3));
      }));

    test("a released message is known as such; its payload is not needed any more", () =>
      withPlace(async (place) => {
        await write(
          place,
          [put(stored(1, { qos: 2 })), put(stored(2, { qos: 2 }))],
          [{ op: "releasePublish", packetId: 1 }],
        );
        const { publishes } = await reopened(place);
        expect(publishes.map(({ packetId, released }) => [packetId, released])).toEqual([
          [1, true],
          [2, false],
        ]);
      }));

    test("releasing works in the next process, too, and in the same batch as the put", () =>
      withPlace(async (place) => {
        await write(place, [put(stored(1, { qos: 2 }))]);
        await write(place, [
          { op: "releasePublish", packetId: 1 },
          put(stored(2, { qos: 2 })),
          { op: "releasePublish", packetId: 2 },
        ]);
        expect((await reopened(place)).publishes.map((each) => each.released)).toEqual([true, true]);
      }));

    test("deleted messages are gone; deleting and releasing what is not there is harmless", () =>
      withPlace(async (place) => {
        await write(
          place,
          [put(stored(1)), put(stored(2))],
          [
            { op: "deletePublish", packetId: 1 },
            { op: "deletePublish", packetId: 7 },
            { op: "releasePublish", packetId: 8 },
            { op: "deleteReceived", packetId: 9 },
          ],
        );
        expect(await reopened(place)).toEqual({ publishes: [stored(2)], receivedIds: [] });
      }));

    test("received ids are kept apart from messages under the same numbers", () =>
      withPlace(async (place) => {
        await write(
          place,
          [{ op: "putReceived", packetId: 1 }, { op: "putReceived", packetId: 65_535 }, put(stored(1))],
          [{ op: "deleteReceived", packetId: 1 }],
        );
        expect(await reopened(place)).toEqual({ publishes: [stored(1)], receivedIds: [65_535] });
      }));

    test("clearReceived forgets received ids alone, clear forgets everything", () =>
      withPlace(async (place) => {
        await write(place, [{ op: "putReceived", packetId: 1 }, put(stored(2))], [{ op: "clearReceived" }]);
        expect(await reopened(place)).toEqual({ publishes: [stored(2)], receivedIds: [] });
        await write(place, [{ op: "putReceived", packetId: 1 }], [{ op: "clear" }]);
        expect(await reopened(place)).toEqual({ publishes: [], receivedIds: [] });
      }));

    test("operations of a batch take effect in order", () =>
      withPlace(async (place) => {
        await write(place, [
          put(stored(1)),
          { op: "deletePublish", packetId: 1 },
          put(stored(1, { topic: "last" })),
          { op: "putReceived", packetId: 5 },
          { op: "clearReceived" },
          { op: "putReceived", packetId: 6 },
        ]);
        expect(await reopened(place)).toEqual({ publishes: [stored(1, { topic: "last" })], receivedIds: [6] });
      }));

    test("sessions of different clients do not touch each other", () =>
      withPlace(async (place) => {
        const ids = ["a", "a/p", "a~", "", "ä", "a/p/0001", "__proto__"];
        for (const id of ids) {
          const store = place.store();
          await store.open(id);
          await store.write([put(stored(1, { topic: `of ${id}` }))]);
          await store.close();
        }
        for (const id of ids) {
          expect((await reopened(place, id)).publishes.map((each) => each.topic)).toEqual([`of ${id}`]);
        }
        const store = place.store();
        await store.open("a");
        await store.write([{ op: "clear" }]);
        await store.close();
        expect((await reopened(place, "a")).publishes).toEqual([]);
        expect((await reopened(place, "a/p")).publishes).toHaveLength(1);
      }));

    test("an empty batch is nothing", () =>
      withPlace(async (place) => {
        await write(place, []);
        expect(await reopened(place)).toEqual({ publishes: [], receivedIds: [] });
      }));

    test("writing before open and after close rejects", () =>
      withPlace(async (place) => {
        const store = place.store();
        await expect(store.write([put(stored(1))])).rejects.toThrow();
        await store.open("c");
        await store.close();
        await expect(store.write([put(stored(1))])).rejects.toThrow();
        expect((await reopened(place)).publishes).toEqual([]);
      }));
  });
}
