/**
 * Opens data directories that were damaged on purpose, in a process of its own, because a file that slips through could end it. Bundled and
 * started by `damaged-files.test-support.ts`.
 */
import { createHash } from "node:crypto";
import { type Clock, isMessagingError } from "polymq/internal";
import { nodePlatform } from "polymq/transport";
import type { QueueDelivery } from "../core/queues/queue-port.ts";
import { StoreBatch } from "../storage/batch.ts";
import { LmdbStore } from "../storage/lmdb-store.ts";
import type { Store } from "../storage/store.ts";
import { memoryBroker } from "../testing/memory-broker.ts";

/** What became of one directory. */
export interface Finding {
  readonly directory: string;
  /** A digest of all contents, or the code of the error that opening or reading ended with. */
  readonly contents: string;
  /** A digest of all that a broker delivers of its queues, or the code of the error that its start or it ended with; `silent` when it left something out and said nothing. */
  readonly broker: string;
  /** The digest after a further record was written and the file opened again; the same as `contents` when nothing is wrong. */
  readonly later: string;
}

const ADDED = Uint8Array.of(0xff, 0xff, 0xff);

async function examine(directory: string): Promise<Finding> {
  const contents = await outcome(directory, digest);
  const broker = await outcome(directory, served);
  const later = contents.startsWith("ERR_") ? contents : await outcome(directory, writeMore);
  return { directory, contents, broker, later: later === "written" ? await outcome(directory, digest) : later };
}

async function outcome(directory: string, work: (store: Store) => string | Promise<string>): Promise<string> {
  try {
    const store = await LmdbStore.open({ directory });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    return isMessagingError(error) ? error.code : `strange: ${String(error)}`;
  }
}

/** Time in which a broker that has found damage must have ended. */
const END_MS = 10_000;

/** What a broker delivers to a new group of each queue. */
async function served(store: Store): Promise<string> {
  const platform = nodePlatform();
  const broker = await memoryBroker({ sysIntervalSeconds: 0 }, { store: unclosed(store), platform });
  const delivered: string[] = [];
  const closed = broker.closed.then((error) => error?.code ?? "ended");
  for (const { name, depth } of broker.hub.queues.list()) {
    let count = 0;
    const consumer = {
      id: "auditor",
      credit: Number.POSITIVE_INFINITY,
      deliver: ({ offset, message }: QueueDelivery) => {
        count++;
        delivered.push(`${name} ${offset} ${createHash("sha256").update(message.payload).digest("hex")}`);
      },
      onCancelled: () => undefined,
    };
    broker.hub.queues.subscribe(name, { consumer, group: "auditor" }).wake();
    if (count >= depth) continue;
    return await Promise.race([closed, silence(platform.clock)]);
  }
  await broker.close();
  return createHash("sha256").update(delivered.sort().join("\n")).digest("hex");
}

/** Resolves when a broker that had to end has not. */
function silence(clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    clock.setTimer(END_MS, () => resolve("silent"));
  });
}

/** All that the store serves, but what {@link writeMore} added. */
function digest(store: Store): string {
  const hash = createHash("sha256");
  store.scan(new Uint8Array(0), (key, value) => {
    if (Buffer.compare(key, ADDED) !== 0)
      hash.update(`record ${key.length} ${value.length}\n`).update(key).update(value);
    return true;
  });
  for (const log of store.logs()) {
    const { first, next } = store.logRange(log);
    hash.update(`log ${log} ${first} ${next}\n`);
    store.readLog(log, 0, (offset, value) => {
      hash.update(`entry ${offset} ${value.length}\n`).update(value);
      return true;
    });
  }
  return hash.digest("hex");
}

async function writeMore(store: Store): Promise<string> {
  const batch = new StoreBatch();
  batch.put(ADDED, new Uint8Array(20_000));
  await store.commit(batch);
  return "written";
}

/** The broker's own writes would change what is compared: it only gets to read. */
function unclosed(store: Store): Store {
  return {
    durability: store.durability,
    get: (key) => store.get(key),
    scan: (prefix, visit) => store.scan(prefix, visit),
    logRange: (log) => store.logRange(log),
    logs: () => store.logs(),
    readLog: (log, from, visit) => store.readLog(log, from, visit),
    commit: () => null,
    close: () => Promise.resolve(),
  };
}

process.on("disconnect", () => process.exit(0));
process.on("message", (directory: string) => {
  void examine(directory).then((finding) => process.send?.(finding));
});
process.send?.("ready");
