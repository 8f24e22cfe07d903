import fc from "fast-check";
import { isMessagingError } from "polymq/internal";
import { afterEach, describe, expect, test } from "vitest";
import { StoreBatch } from "./batch.ts";
import { KEY_BYTES_MAX, type Store } from "./store.ts";
import { key, readAll, StoreModel, scanAll, steps } from "./store-model.test-support.ts";

/** One kind of store under test. */
export interface StoreSubject {
  /** Opens the contents of this subject: empty at first, later what was committed. */
  open(): Promise<Store>;
  /** Changes one bit of the value stored under the small record `key`, behind the store's back, while no store is open. */
  damageRecord(key: Uint8Array): Promise<void>;
  /** Changes one bit of the stored entry at `offset` of a log, as {@link damageRecord} does. */
  damageEntry(log: number, offset: number): Promise<void>;
  /** Removes the entry at `offset` of a log and what is stored together with it, behind the store's back, while no store is open. */
  loseEntry(log: number, offset: number): Promise<void>;
  /** Writes another schema version, while no store is open. */
  changeVersion(): Promise<void>;
  /** Frees everything. */
  dispose(): Promise<void>;
}

/** What every {@link Store} must do; run once per kind. `runs` says how many series of batches are tried. */
export function describeStore(name: string, make: () => Promise<StoreSubject>, runs = 60): void {
  describe(`${name} as a store`, () => {
    const subjects: StoreSubject[] = [];
    const stores: Store[] = [];
    const subject = async (): Promise<StoreSubject> => {
      const made = await make();
      subjects.push(made);
      return made;
    };
    const open = async (from: StoreSubject): Promise<Store> => {
      const store = await from.open();
      stores.push(store);
      return store;
    };
    const reopen = async (store: Store, from: StoreSubject): Promise<Store> => {
      await store.close();
      return open(from);
    };
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
      for (const made of subjects.splice(0)) await made.dispose();
    });
    const harness = { subject, open, reopen };
    recordTests(harness);
    logTests(harness);
    atomicityTests(harness);
    damageTests(harness);
    modelTests(harness, runs);
  });
}

interface Harness {
  subject(): Promise<StoreSubject>;
  open(from: StoreSubject): Promise<Store>;
  reopen(store: Store, from: StoreSubject): Promise<Store>;
}

function recordTests({ subject, open, reopen }: Harness): void {
  test("a record that was never put is null", async () => {
    const store = await open(await subject());
    expect(store.get(key(1))).toBeNull();
  });

  test("a record is read as it was put", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => batch.put(key(1), bytes(1, 2, 3)));
    expect(store.get(key(1))).toEqual(bytes(1, 2, 3));
  });

  test("what was read is the caller's own copy", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => batch.put(key(1), bytes(1, 2, 3)));
    store.get(key(1))?.fill(9);
    scanAll(store, key()).forEach(([, value]) => void value.fill(9));
    expect(store.get(key(1))).toEqual(bytes(1, 2, 3));
  });

  test("a put replaces what was there", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => batch.put(key(1), bytes(1)));
    await commit(store, (batch) => batch.put(key(1), bytes(2)));
    expect(store.get(key(1))).toEqual(bytes(2));
  });

  test("a deleted record is gone, and deleting it again is harmless", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => batch.put(key(1), bytes(1)));
    await commit(store, (batch) => batch.delete(key(1)));
    await commit(store, (batch) => batch.delete(key(1)));
    expect(store.get(key(1))).toBeNull();
  });

  test("an empty value is a value", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => batch.put(key(1), bytes()));
    expect(store.get(key(1))).toEqual(bytes());
  });

  test("keys may hold any bytes and are scanned in byte order", async () => {
    const from = await subject();
    const store = await open(from);
    const keys = [key(0), key(0, 0), key(0, 255), key(1), key(127), key(128, 0), key(255), key(255, 255)];
    await commit(store, (batch) => {
      for (const one of [...keys].reverse()) batch.put(one, one);
    });
    const again = await reopen(store, from);
    expect(scanAll(again, key()).map(([found]) => found)).toEqual(keys);
  });

  test("a scan visits exactly the records under its prefix", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => {
      for (const one of [key(1, 255), key(2), key(2, 0), key(2, 255, 255), key(3)]) batch.put(one, bytes(7));
    });
    expect(scanAll(store, key(2)).map(([found]) => found)).toEqual([key(2), key(2, 0), key(2, 255, 255)]);
    expect(scanAll(store, key(255))).toEqual([]);
  });

  test("a visitor that returns false ends the scan", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => {
      for (let i = 0; i < 5; i++) batch.put(key(i), bytes(i));
    });
    const seen: number[] = [];
    store.scan(key(), (found) => seen.push(found[0] ?? -1) < 2);
    expect(seen).toEqual([0, 1]);
  });

  test("records survive closing and opening", async () => {
    const from = await subject();
    const store = await open(from);
    await commit(store, (batch) => batch.put(key(1), bytes(1)));
    const again = await reopen(store, from);
    expect(again.get(key(1))).toEqual(bytes(1));
  });

  test("a value of 1 MiB survives closing and opening", async () => {
    const from = await subject();
    const store = await open(from);
    const large = new Uint8Array(1 << 20).map((_, i) => (i * 31) ^ (i >> 8));
    await commit(store, (batch) => {
      batch.put(key(1), large);
      batch.append(4, 0, large);
    });
    const again = await reopen(store, from);
    expect(Buffer.compare(again.get(key(1)) ?? bytes(), large)).toBe(0);
    expect(Buffer.compare(readAll(again, 4)[0]?.[1] ?? bytes(), large)).toBe(0);
  });

  test("a key of the longest length works", async () => {
    const store = await open(await subject());
    const long = new Uint8Array(KEY_BYTES_MAX).fill(255);
    await commit(store, (batch) => batch.put(long, bytes(1)));
    expect(store.get(long)).toEqual(bytes(1));
    expect(scanAll(store, long.subarray(0, 9))).toHaveLength(1);
  });

  test.each([
    ["an empty key", 0],
    ["a key above the limit", KEY_BYTES_MAX + 1],
  ])("%s is ERR_INVALID_ARGUMENT and changes nothing", async (_name, length) => {
    const store = await open(await subject());
    await expectRefused(store, (batch) => {
      batch.put(key(1), bytes(1));
      batch.put(new Uint8Array(length), bytes(1));
    });
    expect(store.get(key(1))).toBeNull();
  });
}

function logTests({ subject, open, reopen }: Harness): void {
  test("a log that was never written is empty and starts at 0", async () => {
    const store = await open(await subject());
    expect(store.logRange(1)).toEqual({ first: 0, next: 0 });
    expect(store.logs()).toEqual([]);
  });

  test("entries are read in order of their offsets", async () => {
    const from = await subject();
    const store = await open(from);
    await append(store, 1, 0, 300);
    const again = await reopen(store, from);
    expect(again.logRange(1)).toEqual({ first: 0, next: 300 });
    expect(readAll(again, 1).map(([offset, value]) => [offset, value[0]])).toEqual(
      Array.from({ length: 300 }, (_, i) => [i, i & 255]),
    );
  });

  test("reading starts where asked and ends when the visitor says so", async () => {
    const store = await open(await subject());
    await append(store, 1, 0, 10);
    const seen: number[] = [];
    store.readLog(1, 4, (offset) => seen.push(offset) < 3);
    expect(seen).toEqual([4, 5, 6]);
    expect(readAll(store, 1, 10)).toEqual([]);
  });

  test("logs do not see each other's entries", async () => {
    const store = await open(await subject());
    await append(store, 1, 0, 3);
    await append(store, 0x01_00_00_00, 0, 2);
    await append(store, 0xffff_ffff, 0, 1);
    expect(store.logs()).toEqual([1, 0x01_00_00_00, 0xffff_ffff]);
    expect([1, 0x01_00_00_00, 0xffff_ffff].map((log) => readAll(store, log).length)).toEqual([3, 2, 1]);
  });

  test("truncating the head keeps the offsets of the rest", async () => {
    const from = await subject();
    const store = await open(from);
    await append(store, 1, 0, 10);
    await commit(store, (batch) => batch.truncate(1, 7));
    const again = await reopen(store, from);
    expect(again.logRange(1)).toEqual({ first: 7, next: 10 });
    expect(readAll(again, 1).map(([offset]) => offset)).toEqual([7, 8, 9]);
  });

  test("truncation may end anywhere, within and between what was committed together", async () => {
    const from = await subject();
    let store = await open(from);
    for (const start of [0, 10, 20]) await append(store, 1, start, start + 10);
    for (const first of [4, 9, 10, 11, 25, 25, 29]) {
      await commit(store, (batch) => batch.truncate(1, first));
      store = await reopen(store, from);
      const left = Array.from({ length: 30 - first }, (_, i) => [first + i, bytes(first + i)]);
      expect(readAll(store, 1)).toEqual(left);
    }
    await append(store, 1, 30, 32);
    expect(readAll(store, 1).map(([offset]) => offset)).toEqual([29, 30, 31]);
  });

  test("reading starts at any offset, whatever was committed together", async () => {
    const store = await open(await subject());
    for (const start of [0, 1, 4, 9]) await append(store, 1, start, [1, 4, 9, 30][[0, 1, 4, 9].indexOf(start)] ?? 0);
    for (let first = 0; first < 30; first++) {
      const expected = Array.from({ length: 30 - first }, (_, i) => first + i);
      expect(readAll(store, 1, first).map(([offset]) => offset)).toEqual(expected);
    }
  });

  test("what a batch appends and truncates at once is not kept, and its offsets stay used", async () => {
    const from = await subject();
    const store = await open(from);
    await append(store, 1, 0, 3);
    await commit(store, (batch) => {
      for (let offset = 3; offset < 8; offset++) batch.append(1, offset, bytes(offset));
      batch.truncate(1, 6);
      batch.append(1, 8, bytes(8));
    });
    const again = await reopen(store, from);
    expect(again.logRange(1)).toEqual({ first: 6, next: 9 });
    expect(readAll(again, 1).map(([offset, value]) => [offset, value[0]])).toEqual([
      [6, 6],
      [7, 7],
      [8, 8],
    ]);
  });

  test("entries read are the caller's own, and keep their bytes", async () => {
    const store = await open(await subject());
    await append(store, 1, 0, 3);
    const read = readAll(store, 1);
    for (const [, value] of read) value.fill(99);
    expect(readAll(store, 1)).toEqual([0, 1, 2].map((offset) => [offset, bytes(offset)]));
    expect(new Set(read.map(([, value]) => value.buffer)).size).toBe(3);
  });

  test("a log that was truncated to nothing never reuses an offset", async () => {
    const from = await subject();
    const store = await open(from);
    await append(store, 1, 0, 3);
    await commit(store, (batch) => batch.truncate(1, 3));
    const again = await reopen(store, from);
    expect(again.logRange(1)).toEqual({ first: 3, next: 3 });
    await append(again, 1, 3, 4);
    expect(readAll(again, 1).map(([offset]) => offset)).toEqual([3]);
  });

  test("a dropped log is gone and starts at 0 again", async () => {
    const from = await subject();
    const store = await open(from);
    await append(store, 1, 0, 3);
    await commit(store, (batch) => {
      batch.drop(1);
      batch.append(1, 0, bytes(42));
    });
    expect(readAll(store, 1)).toEqual([[0, bytes(42)]]);
    await commit(store, (batch) => batch.drop(1));
    const again = await reopen(store, from);
    expect(again.logs()).toEqual([]);
    expect(readAll(again, 1)).toEqual([]);
  });

  test.each<[string, (batch: StoreBatch) => void]>([
    ["a gap", (batch) => batch.append(1, 4, bytes(1))],
    ["an offset used before", (batch) => batch.append(1, 2, bytes(1))],
    ["the same offset twice in one batch", (batch) => void [3, 3].map((offset) => batch.append(1, offset, bytes(1)))],
    ["a truncation behind the end", (batch) => batch.truncate(1, 4)],
    ["a truncation before the start", (batch) => batch.truncate(1, 0)],
    ["a log number that is none", (batch) => batch.append(-1, 0, bytes(1))],
  ])("%s is ERR_INVALID_ARGUMENT and changes nothing", async (_name, change) => {
    const store = await open(await subject());
    await append(store, 1, 0, 3);
    await commit(store, (batch) => batch.truncate(1, 1));
    await expectRefused(store, (batch) => {
      batch.put(key(1), bytes(1));
      change(batch);
    });
    expect(store.get(key(1))).toBeNull();
    expect(store.logRange(1)).toEqual({ first: 1, next: 3 });
  });
}

function atomicityTests({ subject, open, reopen }: Harness): void {
  test("the changes of one batch take effect in their order", async () => {
    const store = await open(await subject());
    await commit(store, (batch) => {
      batch.put(key(1), bytes(1));
      batch.delete(key(1));
      batch.put(key(2), bytes(1));
      batch.put(key(2), bytes(2));
      batch.append(1, 0, bytes(1));
      batch.truncate(1, 1);
    });
    expect([store.get(key(1)), store.get(key(2))]).toEqual([null, bytes(2)]);
    expect(store.logRange(1)).toEqual({ first: 1, next: 1 });
  });

  test("an empty batch commits at once", async () => {
    const store = await open(await subject());
    expect(store.commit(new StoreBatch())).toBeNull();
  });

  test("many batches in a row all stay", async () => {
    const from = await subject();
    const store = await open(from);
    for (let i = 0; i < 200; i++) {
      await commit(store, (batch) => {
        batch.put(key(i >> 8, i), bytes(i));
        batch.append(1, i, bytes(i));
      });
    }
    const again = await reopen(store, from);
    expect(scanAll(again, key())).toHaveLength(200);
    expect(readAll(again, 1)).toHaveLength(200);
  });

  test("one batch of many records is complete", async () => {
    const from = await subject();
    const store = await open(from);
    await commit(store, (batch) => {
      for (let i = 0; i < 20_000; i++) batch.put(key(1, i >> 8, i), new Uint8Array(20).fill(i));
    });
    const again = await reopen(store, from);
    expect(scanAll(again, key(1))).toHaveLength(20_000);
  });

  test("a closed store refuses every call with ERR_STORE_FAILED", async () => {
    const store = await open(await subject());
    await store.close();
    await store.close();
    expect(codeOf(() => store.get(key(1)))).toBe("ERR_STORE_FAILED");
    expect(codeOf(() => store.scan(key(), () => true))).toBe("ERR_STORE_FAILED");
    expect(codeOf(() => store.logRange(1))).toBe("ERR_STORE_FAILED");
    expect(codeOf(() => store.commit(new StoreBatch()))).toBe("ERR_STORE_FAILED");
  });

  test("closing waits for the running commit", async () => {
    const from = await subject();
    const store = await open(from);
    const batch = new StoreBatch();
    batch.put(key(1), bytes(1));
    const running = store.commit(batch);
    const again = await reopen(store, from);
    await running;
    expect(again.get(key(1))).toEqual(bytes(1));
  });
}

function damageTests({ subject, open }: Harness): void {
  test("a record with a flipped bit is ERR_STORE_CORRUPT, never data", async () => {
    const from = await subject();
    const store = await open(from);
    await commit(store, (batch) => {
      batch.put(key(1), new Uint8Array(40).fill(0xa5));
      batch.put(key(2), bytes(2));
    });
    await store.close();
    await from.damageRecord(key(1));
    const again = await open(from);
    expect(codeOf(() => again.get(key(1)))).toBe("ERR_STORE_CORRUPT");
    expect(codeOf(() => again.scan(key(), () => true))).toBe("ERR_STORE_CORRUPT");
    expect(again.get(key(2))).toEqual(bytes(2));
  });

  test.each([0, 4, 9])("a log with a hole at %i is ERR_STORE_CORRUPT, never skipped", async (offset) => {
    const from = await subject();
    const store = await open(from);
    for (const start of [0, 3, 5]) await append(store, 1, start, { 0: 3, 3: 5, 5: 10 }[start] ?? 0);
    await store.close();
    await from.loseEntry(1, offset);
    const again = await open(from);
    expect(codeOf(() => readAll(again, 1))).toBe("ERR_STORE_CORRUPT");
    expect(codeOf(() => readAll(again, 1, offset))).toBe("ERR_STORE_CORRUPT");
  });

  test.each([0, 4, 9])("a log with a flipped bit at %i is ERR_STORE_CORRUPT, never data", async (offset) => {
    const from = await subject();
    const store = await open(from);
    await append(store, 1, 0, 5);
    await append(store, 1, 5, 10);
    await store.close();
    await from.damageEntry(1, offset);
    const again = await open(from);
    expect(codeOf(() => readAll(again, 1))).toBe("ERR_STORE_CORRUPT");
    expect(codeOf(() => readAll(again, 1, offset))).toBe("ERR_STORE_CORRUPT");
  });

  test("a store of another schema version is ERR_STORE_VERSION", async () => {
    const from = await subject();
    const store = await open(from);
    await commit(store, (batch) => batch.put(key(1), bytes(1)));
    await store.close();
    await from.changeVersion();
    await expect(from.open()).rejects.toMatchObject({ code: "ERR_STORE_VERSION" });
  });
}

function modelTests({ subject, open, reopen }: Harness, numRuns: number): void {
  test("any series of batches leaves what a simple model leaves, before and after opening again", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (batches) => {
        const from = await subject();
        let store = await open(from);
        const model = new StoreModel();
        for (const batch of batches) {
          await commit(store, (into) => {
            for (const step of batch) model.apply(step, into);
          });
        }
        model.check(store);
        store = await reopen(store, from);
        model.check(store);
        await store.close();
      }),
      { numRuns },
    );
  });
}

async function commit(store: Store, fill: (batch: StoreBatch) => void): Promise<void> {
  const batch = new StoreBatch();
  fill(batch);
  await store.commit(batch);
}

async function append(store: Store, log: number, from: number, to: number): Promise<void> {
  await commit(store, (batch) => {
    for (let offset = from; offset < to; offset++) batch.append(log, offset, bytes(offset));
  });
}

async function expectRefused(store: Store, fill: (batch: StoreBatch) => void): Promise<void> {
  await expect((async () => commit(store, fill))()).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return isMessagingError(error) ? error.code : String(error);
  }
  return "no error";
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
