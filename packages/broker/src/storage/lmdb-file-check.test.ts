import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMessagingError } from "polymq/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StoreBatch } from "./batch.ts";
import { checkLmdbFile } from "./lmdb-file-check.ts";
import { LmdbStore } from "./lmdb-store.ts";

const PAGE_BYTES = 4096;

/** A small deterministic generator, so that a failing case can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

describe("a data file that was changed behind the broker's back", () => {
  const directory = mkdtempSync(join(tmpdir(), "polymq-check-"));
  const path = join(directory, "polymq.mdb");
  let sane: Buffer = Buffer.alloc(0);
  let contents: string[] = [];

  beforeAll(async () => {
    const store = await LmdbStore.open({ directory });
    const random = generator(7);
    // Puts, replacements and deletions of small and large values: branch, leaf, overflow and free pages all come to be.
    for (let round = 0; round < 12; round++) {
      const batch = new StoreBatch();
      for (let i = 0; i < 150; i++) {
        const key = Uint8Array.of(random(4), random(200));
        if (random(3) === 0) batch.delete(key);
        else batch.put(key, new Uint8Array(random(40) === 0 ? 9000 : random(300)).fill(round));
      }
      await store.commit(batch);
    }
    contents = readAll(store);
    await store.close();
    sane = readFileSync(path);
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  function readAll(store: LmdbStore): string[] {
    const found: string[] = [];
    store.scan(new Uint8Array(0), (key, value) => found.push(`${key} ${value}`) > 0);
    return found;
  }

  /** Opens and reads whatever lies in the file now: its contents, or the code of the error. */
  async function read(): Promise<string[] | string> {
    let store: LmdbStore | null = null;
    try {
      store = await LmdbStore.open({ directory });
      return readAll(store);
    } catch (error) {
      return isMessagingError(error) ? error.code : String(error);
    } finally {
      await store?.close();
    }
  }

  test("an unharmed one passes", () => {
    writeFileSync(path, sane);
    expect(() => checkLmdbFile(path)).not.toThrow();
  });

  test("a missing or an empty one passes: it will be made", () => {
    expect(() => checkLmdbFile(join(directory, "missing.mdb"))).not.toThrow();
    writeFileSync(join(directory, "empty.mdb"), "");
    expect(() => checkLmdbFile(join(directory, "empty.mdb"))).not.toThrow();
  });

  test("something else than a data file is ERR_STORE_CORRUPT", async () => {
    writeFileSync(path, "x".repeat(3 * PAGE_BYTES));
    expect(await read()).toBe("ERR_STORE_CORRUPT");
  });

  test("one that lost its end is ERR_STORE_CORRUPT", async () => {
    for (const bytes of [1, 100, PAGE_BYTES, 2 * PAGE_BYTES, Math.floor(sane.length / 2)]) {
      writeFileSync(path, sane);
      truncateSync(path, bytes);
      expect(await read()).toBe("ERR_STORE_CORRUPT");
    }
  });

  test("one with a page that was torn (half old, half new) is an error or whole, never other data", async () => {
    for (let page = 0; page < sane.length / PAGE_BYTES; page += 5) {
      const torn = Buffer.from(sane);
      torn.fill(0, page * PAGE_BYTES + 512, (page + 1) * PAGE_BYTES);
      writeFileSync(path, torn);
      expect(["ERR_STORE_CORRUPT", contents]).toContainEqual(await read());
    }
  });

  test("a flipped bit anywhere is a typed error or harmless, never other data", async () => {
    const codes = new Set(["ERR_STORE_CORRUPT", "ERR_STORE_VERSION", "ERR_STORE_FAILED"]);
    const random = generator(42);
    let noticed = 0;
    for (let run = 0; run < 200; run++) {
      const flipped = Buffer.from(sane);
      // Half of the flips go where they do most harm: the headers of the pages.
      const page = random(sane.length / PAGE_BYTES) * PAGE_BYTES;
      const at = page + (run % 2 === 0 ? random(PAGE_BYTES) : random(page < 2 * PAGE_BYTES ? 168 : 64));
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random(8));
      writeFileSync(path, flipped);
      const found = await read();
      if (typeof found === "string") {
        expect(codes, `${found}, bit flipped at ${at}`).toContain(found);
        noticed++;
      } else expect(found, `bit flipped at ${at}`).toEqual(contents);
    }
    expect(noticed).toBeGreaterThan(50);
  });
});
