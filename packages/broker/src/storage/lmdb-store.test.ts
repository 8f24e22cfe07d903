import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as lmdb from "lmdb";
import { afterEach, describe, expect, test } from "vitest";
import { StoreBatch } from "./batch.ts";
import { seal } from "./crc32.ts";
import { offsetOfStartKey, recordKey, schemaKey, startKey } from "./layout.ts";
import { LmdbStore } from "./lmdb-store.ts";
import { describeStore, type StoreSubject } from "./store-contract.test-support.ts";

describeStore("the lmdb store with fsync", async () => new LmdbSubject("fsync"), 12);
describeStore("the lmdb store with buffered commits", async () => new LmdbSubject("buffered"), 12);
describeStore("the lmdb store with few entries a record", async () => new LmdbSubject("buffered", 60), 12);
describeStore("the lmdb store with one entry a record", async () => new LmdbSubject("buffered", 0), 12);

describeStore("the lmdb store whose process is killed", async () => new KilledSubject("fsync"), 12);
describeStore(
  "the lmdb store with buffered commits whose process is killed",
  async () => new KilledSubject("buffered"),
  12,
);

class LmdbSubject implements StoreSubject {
  directory: string = makeDirectory();
  readonly #durability: "fsync" | "buffered";

  readonly #recordBytes: { readonly recordBytes?: number };

  constructor(durability: "fsync" | "buffered", recordBytes: number | null = null) {
    this.#durability = durability;
    this.#recordBytes = recordBytes === null ? {} : { recordBytes };
  }

  open(): Promise<LmdbStore> {
    return LmdbStore.open({ directory: this.directory, durability: this.#durability, ...this.#recordBytes });
  }

  damageRecord(key: Uint8Array): Promise<void> {
    return this.change((db) => flipBit(db, Buffer.from(recordKey(key)), 1));
  }

  damageEntry(log: number, offset: number): Promise<void> {
    return this.change(async (db) => {
      const { key, count } = recordOf(db, log, offset);
      const behind = offsetOfStartKey(log, key) ?? 0;
      // The entries of these tests have one byte and a length in front.
      await flipBit(db, key, 1 + 5 * (behind + count - 1 - offset));
    });
  }

  loseEntry(log: number, offset: number): Promise<void> {
    return this.change(async (db) => {
      await db.remove(recordOf(db, log, offset).key);
    });
  }

  changeVersion(): Promise<void> {
    return this.change(async (db) => {
      const value = Buffer.from("polymq\0\0\0\x01", "latin1");
      await db.put(Buffer.from(schemaKey()), Buffer.from(seal(schemaKey(), value)));
    });
  }

  async change(work: (db: Database) => Promise<void>): Promise<void> {
    const db = lmdb.open<Buffer, Buffer>({
      path: join(this.directory, "polymq.mdb"),
      noSubdir: true,
      encoding: "binary",
      keyEncoding: "binary",
      overlappingSync: this.#durability === "buffered",
    });
    await work(db);
    await db.close();
  }

  async dispose(): Promise<void> {
    rmSync(this.directory, { recursive: true });
  }
}

/** Closing its store leaves the data directory as the end of the process would have. */
class KilledSubject extends LmdbSubject {
  override async open(): Promise<LmdbStore> {
    const store = await super.open();
    const [close, commit] = [store.close.bind(store), store.commit.bind(store)];
    let running: Promise<void> | null = null;
    store.commit = (batch) => {
      running = commit(batch);
      return running;
    };
    store.close = async () => {
      store.close = close;
      await running;
      const [before, picture] = [this.directory, makeDirectory()];
      cpSync(before, picture, { recursive: true, filter: (path) => !path.endsWith(".lock") });
      await close();
      rmSync(before, { recursive: true });
      this.directory = picture;
    };
    return store;
  }

  /** What is to be damaged has to be in the data file. */
  override async change(work: (db: Database) => Promise<void>): Promise<void> {
    await (await super.open()).close();
    await super.change(work);
  }
}

function makeDirectory(): string {
  return mkdtempSync(join(tmpdir(), "polymq-store-"));
}

type Database = lmdb.RootDatabase<Buffer, Buffer>;

/** The record that holds an entry. */
function recordOf(db: Database, log: number, offset: number): { key: Buffer; count: number } {
  for (const { key, value } of db.getRange({ start: Buffer.from(startKey(log, 0)) })) {
    const first = offsetOfStartKey(log, key);
    const count = value.readUInt32BE(4);
    if (first !== null && first <= offset && offset < first + count) return { key: Buffer.from(key), count };
  }
  throw new Error("no such entry");
}

/** @param fromEnd the byte: 1 is the value's last */
async function flipBit(db: Database, key: Buffer, fromEnd: number): Promise<void> {
  const sealed = db.get(key);
  if (sealed === undefined) throw new Error("no such record");
  const changed = Buffer.from(sealed);
  changed[sealed.length - fromEnd] = (sealed[sealed.length - fromEnd] ?? 0) ^ 0x10;
  await db.put(key, changed);
}

/** util-linux's prlimit sets the limits of a running process; elsewhere the test that needs it is skipped. */
function hasPrlimit(): boolean {
  return spawnSync("prlimit", ["--version"]).status === 0;
}

/** The largest file that this process may write from now on. */
function limitFileSize(bytes: string): void {
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:`]);
}

describe("the lmdb store", () => {
  const subjects: LmdbSubject[] = [];
  const make = (): LmdbSubject => {
    const subject = new LmdbSubject("fsync");
    subjects.push(subject);
    return subject;
  };
  afterEach(async () => {
    for (const subject of subjects.splice(0)) await subject.dispose();
  });

  test("a data directory has one owner: a second opening is ERR_STORE_IN_USE", async () => {
    const subject = make();
    const store = await subject.open();
    await expect(subject.open()).rejects.toMatchObject({ code: "ERR_STORE_IN_USE" });
    await store.close();
    await (await subject.open()).close();
  });

  test("a lock left behind by a process that is gone is taken over", async () => {
    const subject = make();
    writeFileSync(join(subject.directory, "polymq.lock"), "999999999 1");
    const store = await subject.open();
    await store.close();
  });

  test("a lock whose process id now belongs to another process is taken over", async () => {
    const subject = make();
    writeFileSync(join(subject.directory, "polymq.lock"), `${process.ppid} 1`);
    const store = await subject.open();
    await store.close();
  });

  test("somebody else's database is ERR_STORE_VERSION and stays as it is", async () => {
    const subject = make();
    await subject.change(async (db) => {
      await db.put(Buffer.from("foreign"), Buffer.from("data"));
    });
    await expect(subject.open()).rejects.toMatchObject({ code: "ERR_STORE_VERSION" });
    await subject.change(async (db) => {
      expect(db.get(Buffer.from("foreign"))?.toString()).toBe("data");
    });
  });

  test("truncation gives room back: a log that is worked off does not make the file grow", async () => {
    const subject = make();
    const store = await LmdbStore.open({ directory: subject.directory, durability: "buffered" });
    const size = (): number => statSync(join(subject.directory, "polymq.mdb")).size;
    let next = 0;
    let early = 0;
    for (let round = 0; round < 120; round++) {
      const batch = new StoreBatch();
      for (let i = 0; i < 300; i++) batch.append(1, next++, new Uint8Array(400).fill(round));
      batch.truncate(1, Math.max(0, next - 450));
      await store.commit(batch);
      if (round === 20) early = size();
    }
    expect(size()).toBeLessThan(early * 2);
    await store.close();
  });

  test("a second commit while one runs is refused", async () => {
    const subject = make();
    const store = await subject.open();
    const batch = new StoreBatch();
    batch.put(Uint8Array.of(1), Uint8Array.of(1));
    const running = store.commit(batch);
    expect(() => store.commit(batch)).toThrow("a commit is still running");
    await running;
    await store.close();
  });

  test.skipIf(!hasPrlimit()).each(["fsync", "buffered"] as const)(
    "with %s, a commit that the medium refuses is ERR_STORE_FAILED with the reason, and nothing is written after it",
    async (durability) => {
      const subject = make();
      const store = await LmdbStore.open({ directory: subject.directory, durability });
      const good = new StoreBatch();
      good.put(Uint8Array.of(1), Uint8Array.of(1));
      await store.commit(good);
      const unhandled: unknown[] = [];
      const note = (error: unknown): void => void unhandled.push(error);
      process.on("unhandledRejection", note);
      limitFileSize("200000");
      try {
        const large = new StoreBatch();
        large.put(Uint8Array.of(2), new Uint8Array(1 << 20));
        await expect(store.commit(large)).rejects.toMatchObject({
          code: "ERR_STORE_FAILED",
          cause: expect.objectContaining({ message: expect.stringMatching(/input\/output|too large/i) }),
        });
        expect(() => store.commit(good)).toThrow(expect.objectContaining({ code: "ERR_STORE_FAILED" }));
        await store.close();
      } finally {
        limitFileSize("unlimited");
      }
      await new Promise((resolve) => setImmediate(resolve));
      process.off("unhandledRejection", note);
      expect(unhandled).toEqual([]);
    },
  );

  test("a directory that cannot be made is ERR_STORE_FAILED", async () => {
    const subject = make();
    writeFileSync(join(subject.directory, "file"), "");
    const opening = LmdbStore.open({ directory: join(subject.directory, "file", "data") });
    await expect(opening).rejects.toMatchObject({ code: "ERR_STORE_FAILED" });
  });

  test.each(["buffered", "fsync"] as const)("data written with the other durability opens with %s", async (second) => {
    const subject = make();
    const first = await LmdbStore.open({
      directory: subject.directory,
      durability: second === "fsync" ? "buffered" : "fsync",
    });
    const batch = new StoreBatch();
    batch.put(Uint8Array.of(1), Uint8Array.of(1));
    await first.commit(batch);
    await first.close();
    const store = await LmdbStore.open({ directory: subject.directory, durability: second });
    expect(store.get(Uint8Array.of(1))?.[0]).toBe(1);
    await store.close();
  });
});

describe("the folder of an lmdb store", () => {
  test("is made with those above it", async () => {
    const above = makeDirectory();
    const directory = join(above, "a", "b", "c");
    await (await LmdbStore.open({ directory, durability: "buffered" })).close();
    expect(statSync(directory).isDirectory()).toBe(true);
    rmSync(above, { recursive: true });
  });

  test("ends in ERR_STORE_FAILED where a file is in the way", async () => {
    const above = makeDirectory();
    writeFileSync(join(above, "file"), "");
    for (const directory of [join(above, "file"), join(above, "file", "below")]) {
      await expect(LmdbStore.open({ directory, durability: "buffered" })).rejects.toMatchObject({
        code: "ERR_STORE_FAILED",
      });
    }
    rmSync(above, { recursive: true });
  });

  test.skipIf(process.platform !== "linux")("ends in ERR_STORE_FAILED where the file system makes none", async () => {
    const open = LmdbStore.open({ directory: "/proc/polymq-cannot-be", durability: "buffered" });
    await expect(open).rejects.toMatchObject({ code: "ERR_STORE_FAILED", cause: { code: "ENOENT" } });
  });
});
