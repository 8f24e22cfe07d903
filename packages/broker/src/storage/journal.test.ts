import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMessagingError } from "polymq/internal";
import { afterEach, describe, expect, test } from "vitest";
import { StoreBatch } from "./batch.ts";
import { BLOCK_BYTES } from "./journal-block.ts";
import { LmdbStore } from "./lmdb-store.ts";
import { readAll, scanAll } from "./store-model.test-support.ts";

const FILES = ["polymq.mdb", "polymq.journal"];

/** A data directory, and pictures of it as a process that was killed leaves them. */
class Directories {
  readonly #root = mkdtempSync(join(tmpdir(), "polymq-journal-"));
  readonly #stores: LmdbStore[] = [];
  #count = 0;

  make(): string {
    const directory = join(this.#root, String(this.#count++));
    mkdirSync(directory);
    return directory;
  }

  async open(directory: string, durability: "fsync" | "buffered" = "fsync"): Promise<LmdbStore> {
    const store = await LmdbStore.open({ directory, durability });
    this.#stores.push(store);
    return store;
  }

  picture(directory: string, files: readonly string[] = FILES): string {
    const copy = this.make();
    for (const file of files) cpSync(join(directory, file), join(copy, file));
    return copy;
  }

  async dispose(): Promise<void> {
    for (const store of this.#stores) await store.close();
    rmSync(this.#root, { recursive: true });
  }
}

/** Commits entries of a log one by one, each filled with its offset. */
async function append(store: LmdbStore, count: number, bytes = 300): Promise<void> {
  for (let i = 0; i < count; i++) {
    const batch = new StoreBatch();
    const { next } = store.logRange(1);
    batch.append(1, next, new Uint8Array(bytes).fill(next));
    batch.put(Uint8Array.of(next % 3), Uint8Array.of(next));
    await store.commit(batch);
  }
}

/** What is in a store: offsets and first bytes of the log, and the records. */
function contents(store: LmdbStore): unknown {
  const records = scanAll(store, new Uint8Array(0)).map(([key, value]) => [...key, ...value]);
  return [readAll(store, 1).map(([offset, value]) => [offset, value.length, value[0]]), records];
}

describe("a store whose process was killed", () => {
  let directories = new Directories();
  afterEach(async () => {
    await directories.dispose();
    directories = new Directories();
  });

  test.each(["fsync", "buffered"] as const)("with %s, has every batch whose commit resolved", async (durability) => {
    const directory = directories.make();
    const store = await directories.open(directory, durability);
    for (let round = 0; round < 5; round++) {
      await append(store, round === 3 ? 2500 : 3); // 2,500 are more than the journal holds
      const again = await directories.open(directories.picture(directory), durability);
      expect(contents(again)).toEqual(contents(store));
    }
  });

  test("has what was truncated, dropped and deleted as it was", async () => {
    const directory = directories.make();
    const store = await directories.open(directory);
    await append(store, 5);
    const large = new StoreBatch();
    for (let offset = 5; offset < 205; offset++) large.append(1, offset, new Uint8Array(300).fill(offset));
    await store.commit(large);
    await append(store, 5);
    const small = new StoreBatch();
    small.truncate(1, 207);
    small.delete(Uint8Array.of(1));
    small.append(2, 0, Uint8Array.of(1));
    small.drop(2);
    small.append(2, 0, Uint8Array.of(2));
    await store.commit(small);
    expect(store.logRange(1)).toEqual({ first: 207, next: 210 });
    expect(readAll(store, 2)).toEqual([[0, Uint8Array.of(2)]]);
    const again = await directories.open(directories.picture(directory));
    expect(contents(again)).toEqual(contents(store));
    expect(readAll(again, 2)).toEqual([[0, Uint8Array.of(2)]]);
  });

  test("can be killed again while it takes up what the journal has, and after that", async () => {
    const directory = directories.make();
    const store = await directories.open(directory);
    await append(store, 4);
    const second = directories.picture(directory);
    const again = await directories.open(second);
    const third = await directories.open(directories.picture(second));
    expect(contents(third)).toEqual(contents(store));
    await append(again, 2);
    const fourth = await directories.open(directories.picture(second));
    expect(contents(fourth)).toEqual(contents(again));
  });

  test("loses a batch that was being written, and nothing else", async () => {
    const directory = directories.make();
    const store = await directories.open(directory);
    await append(store, 4);
    const before = contents(store);
    await append(store, 1, 3000);
    const picture = directories.picture(directory);
    const journal = readFileSync(join(picture, "polymq.journal"));
    // The first commit went to the database; three blocks follow, then the large batch, of which one block is on the medium.
    journal.fill(0, 4 * BLOCK_BYTES, 8 * BLOCK_BYTES);
    writeFileSync(join(picture, "polymq.journal"), journal);
    expect(contents(await directories.open(picture))).toEqual(before);
  });

  test("is ERR_STORE_CORRUPT without its journal, and with one that lost its end", async () => {
    const directory = directories.make();
    await append(await directories.open(directory), 3);
    const alone = directories.picture(directory, ["polymq.mdb"]);
    await expect(directories.open(alone)).rejects.toMatchObject({ code: "ERR_STORE_CORRUPT" });
    const cut = directories.picture(directory);
    truncateSync(join(cut, "polymq.journal"), 5000);
    await expect(directories.open(cut)).rejects.toMatchObject({ code: "ERR_STORE_CORRUPT" });
  });

  test("is ERR_STORE_CORRUPT or whole after a flipped bit anywhere in its journal, never other data", async () => {
    const directory = directories.make();
    const store = await directories.open(directory);
    await append(store, 20, 700);
    const whole = contents(store);
    const picture = directories.picture(directory);
    const sane = FILES.map((file) => readFileSync(join(picture, file)));
    let noticed = 0;
    for (let run = 0; run < 200; run++) {
      for (const [i, file] of FILES.entries()) writeFileSync(join(picture, file), sane[i] ?? "");
      const journal = readFileSync(join(picture, "polymq.journal"));
      const at = (run * 7919) % (run % 4 === 0 ? journal.length : 40 * BLOCK_BYTES);
      journal[at] = (journal[at] ?? 0) ^ (1 << (run % 8));
      writeFileSync(join(picture, "polymq.journal"), journal);
      try {
        const damaged = await LmdbStore.open({ directory: picture });
        expect(contents(damaged), `bit flipped at ${at}`).toEqual(whole);
        await damaged.close();
      } catch (error) {
        if (!isMessagingError(error)) throw error;
        expect(error.code).toBe("ERR_STORE_CORRUPT");
        noticed++;
      }
    }
    expect(noticed).toBeGreaterThan(100);
  });
});

test("a store that was closed is its data file alone, and a journal of another life does not matter to it", async () => {
  const directories = new Directories();
  const directory = directories.make();
  const store = await directories.open(directory);
  await append(store, 3);
  const early = directories.picture(directory);
  await append(store, 3);
  const whole = contents(store);
  await store.close();
  const alone = directories.picture(directory, ["polymq.mdb"]);
  expect(contents(await directories.open(alone))).toEqual(whole);
  cpSync(join(early, "polymq.journal"), join(directory, "polymq.journal"));
  expect(contents(await directories.open(directory))).toEqual(whole);
  await directories.dispose();
});
