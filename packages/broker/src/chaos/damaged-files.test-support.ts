import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MqttClient } from "polymq/mqtt";
import { randomInteger, seededRandom } from "polymq/testing";
import { BLOCK_BYTES } from "../storage/journal-block.ts";
import { LmdbStore } from "../storage/lmdb-store.ts";
import { memoryBroker } from "../testing/memory-broker.ts";
import { bundledProgram } from "./child-broker.test-support.ts";
import type { Finding } from "./damaged-file-process.test-support.ts";

const FILE = "polymq.mdb";
const JOURNAL = "polymq.journal";

/** What was seen over all cases. */
export interface DamageReport {
  /** Cases in which opening or reading said what is wrong, a broker that found it while it delivered among them. */
  readonly reported: number;
  /** Cases in which everything that was there is served, unchanged, also after further writing. */
  readonly harmless: number;
  /** All others, with how to repeat them: none is right. */
  readonly wrong: readonly string[];
}

type Random = () => number;

/**
 * Writes one data file with a broker, damages copies of it in `cases` ways, and has each opened in another process. In every third case the files are those of
 * a broker that was killed, and its journal is damaged.
 */
export async function damageFiles(seed: number, cases: number): Promise<DamageReport> {
  const directory = await mkdtemp(join(tmpdir(), "polymq-damage-"));
  const opener = new Opener(await bundledProgram("damaged-file-process"));
  try {
    const original = join(directory, "original");
    const killed = join(directory, "killed");
    await mkdir(killed);
    await writeContents(original, killed);
    const whole = await readFile(join(original, FILE));
    const intact = await examineIntact(opener, original);
    const early = { data: await readFile(join(killed, FILE)), journal: await readFile(join(killed, JOURNAL)) };
    const intactEarly = await examineIntact(opener, killed);
    const report = { reported: 0, harmless: 0, wrong: [] as string[] };
    for (let number = 0; number < cases; number++) {
      const random = seededRandom(seed + number);
      const copy = join(directory, `case-${number}`);
      await mkdir(copy);
      const isJournal = number % 3 === 2;
      const { bytes, what } = isJournal ? damagedJournal(early.journal, random) : damaged(whole, random);
      await writeFile(join(copy, isJournal ? JOURNAL : FILE), bytes);
      if (isJournal) await writeFile(join(copy, FILE), early.data);
      const finding = await opener.examine(copy);
      const verdict = judge(finding, isJournal ? intactEarly : intact);
      if (verdict === "wrong") report.wrong.push(`POLYMQ_SEED=${seed + number}: ${what}: ${JSON.stringify(finding)}`);
      else report[verdict]++;
      await rm(copy, { recursive: true });
    }
    return report;
  } finally {
    opener.end();
    await rm(directory, { recursive: true, force: true });
  }
}

async function examineIntact(opener: Opener, directory: string): Promise<Finding> {
  const finding = await opener.examine(directory);
  if (finding !== "crashed" && DIGEST.test(finding.contents) && DIGEST.test(finding.broker)) return finding;
  throw new Error(`the files are not what they should be to begin with: ${JSON.stringify(finding)}`);
}

const DIGEST = /^[0-9a-f]{64}$/;

const REPORTS: ReadonlySet<string> = new Set(["ERR_STORE_CORRUPT", "ERR_STORE_VERSION", "ERR_STORE_FAILED"]);

function judge(finding: Finding | "crashed", intact: Finding): "reported" | "harmless" | "wrong" {
  if (finding === "crashed") return "wrong";
  const { contents, broker, later } = finding;
  if (broker !== intact.broker && !REPORTS.has(broker)) return "wrong";
  if (contents === intact.contents) {
    return later === intact.contents && broker === intact.broker ? "harmless" : "wrong";
  }
  return REPORTS.has(contents) ? "reported" : "wrong";
}

/** One random kind of damage at a random place. */
function damaged(whole: Buffer, random: Random): { bytes: Buffer; what: string } {
  const bytes = Buffer.from(whole);
  const at = randomInteger(random, 0, whole.length - 1);
  switch (randomInteger(random, 0, 5)) {
    case 0: {
      const count = randomInteger(random, 1, 8);
      for (let i = 0; i < count; i++) flip(bytes, randomInteger(random, 0, whole.length - 1), random);
      return { bytes, what: `${count} flipped bits` };
    }
    case 1:
      flip(bytes, at, random);
      return { bytes, what: `a flipped bit at ${at}` };
    case 2: {
      // Headers are a small part of the file, and the one that everything hangs on.
      const header = randomInteger(random, 0, 2 * 4096 - 1);
      flip(bytes, header, random);
      return { bytes, what: `a flipped bit at ${header}` };
    }
    case 3:
      return { bytes: bytes.subarray(0, at), what: `the file ends at ${at}` };
    case 4: {
      const from = whole.length - randomInteger(random, 1, Math.min(whole.length, 65_536));
      bytes.fill(0, from);
      return { bytes, what: `zeros from ${from} on` };
    }
    default: {
      // A page of which only a part was written: the rest is as it was before, or something else.
      const from = Math.floor(at / 4096) * 4096 + randomInteger(random, 0, 4095);
      for (let i = from; i < Math.min(from - (from % 4096) + 4096, bytes.length); i++) {
        bytes[i] = randomInteger(random, 0, 255);
      }
      return { bytes, what: `a torn page from ${from} on` };
    }
  }
}

/**
 * The same for a journal, in the part that is in use. Its last record, where that is gone without a trace, is like one that was never written: no journal
 * can tell, so that is not done here.
 */
function damagedJournal(whole: Buffer, random: Random): { bytes: Buffer; what: string } {
  const bytes = Buffer.from(whole);
  const { blocks, lastRecord } = journalUse(whole);
  const at = randomInteger(random, 0, blocks * BLOCK_BYTES - 1);
  switch (randomInteger(random, 0, 3)) {
    case 0:
      flip(bytes, at, random);
      return { bytes, what: `a flipped bit at ${at} of the journal` };
    case 1:
      return { bytes: bytes.subarray(0, at), what: `the journal ends at ${at}` };
    case 2: {
      const end = (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES;
      for (let i = at; i < end; i++) bytes[i] = randomInteger(random, 0, 255);
      return { bytes, what: `a torn block from ${at} of the journal on` };
    }
    default: {
      const block = randomInteger(random, 0, lastRecord - 1);
      bytes.fill(0, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
      return { bytes, what: `block ${block} of the journal is zeros` };
    }
  }
}

/** Blocks of the journal's current round, and the first one of its last record. */
function journalUse(journal: Buffer): { readonly blocks: number; readonly lastRecord: number } {
  const numberAt = (block: number): number => Number(journal.readBigUInt64BE(block * BLOCK_BYTES + 4));
  const first = numberAt(0);
  let blocks = 0;
  while (blocks * BLOCK_BYTES < journal.length && numberAt(blocks) === first + blocks) blocks++;
  const lastRecord = blocks - 1 - journal.readUInt16BE((blocks - 1) * BLOCK_BYTES + 12);
  if (first === 0 || lastRecord < 2) throw new Error(`the journal holds no more than ${blocks} blocks`);
  return { blocks, lastRecord };
}

function flip(bytes: Buffer, at: number, random: Random): void {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInteger(random, 0, 7));
}

/** Queues with groups at work, a stream, dead letters, sessions with messages, retained messages; in `killed` as a broker leaves them that is killed. */
async function writeContents(directory: string, killed: string): Promise<void> {
  const store = await LmdbStore.open({ directory });
  const queues = [
    { name: "work", topics: ["orders/#"], priorityMax: 3 },
    { name: "events", kind: "stream" },
  ] as const;
  const broker = await memoryBroker({ queues, sysIntervalSeconds: 0 }, { store });
  const session = { protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 86_400, dial: broker.dial } as const;
  const client = new MqttClient({ servers: "mqtt://memory", clientId: "writer", ...session });
  await client.connect();
  const absent = new MqttClient({ servers: "mqtt://memory", clientId: "absent", ...session });
  await absent.connect();
  await absent.subscribe("orders/#", { qos: 1, handler: ignore });
  await absent.disconnect();
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < 600; i++) {
    const size = [20, 256, 3_000][i % 3] ?? 0;
    const payload = Buffer.alloc(size, `${i} `);
    sent.push(client.publishToQueue("work", payload, { priority: i % 4, routingKey: `key/${i % 5}` }));
    if (i % 2 === 0) sent.push(client.publishToQueue("events", payload));
    if (i % 3 === 0) sent.push(client.publish(`orders/${i}`, payload, { qos: 1, retain: i % 6 === 0 }));
    if (i % 20 === 0) sent.push(client.publishToQueue("work", payload, { deliverAfterMs: 86_400_000 }));
    if (i % 50 === 0) await Promise.all(sent.splice(0));
  }
  await Promise.all(sent);
  let handled = 0;
  await new Promise<void>((resolve) => {
    void client.subscribeToQueue("work", "workers", {
      ack: "manual",
      prefetch: 50,
      handler: async (message) => {
        const verb = handled++ % 20;
        if (verb === 0) await message.reject("no use");
        else if (verb === 1) await message.nack({ delayMs: 3_600_000 });
        else if (verb < 18) await message.ack(); // the others stay out, less than the prefetch
        if (handled === 300) resolve();
      },
    });
  });
  // One by one, so that the journal has something of each.
  for (let i = 0; i < 20; i++) await client.publishToQueue("work", `late ${i}`);
  for (const file of [FILE, JOURNAL]) await copyFile(join(directory, file), join(killed, file));
  await client.destroy();
  await broker.close();
}

/** Examines directories in a child process; one that dies is noticed and replaced. */
class Opener {
  readonly #program: string;
  #child: ChildProcess | null = null;

  constructor(program: string) {
    this.#program = program;
  }

  async examine(directory: string): Promise<Finding | "crashed"> {
    const child = this.#child ?? (await this.#start());
    const over = new AbortController();
    const signal = over.signal;
    try {
      const answer = once(child, "message", { signal }).then(([finding]) => finding as Finding);
      const ended = once(child, "exit", { signal }).then(() => {
        this.#child = null;
        return "crashed" as const;
      });
      child.send(directory);
      const first = await Promise.race([answer, ended]);
      answer.catch(ignore);
      ended.catch(ignore);
      return first;
    } finally {
      over.abort();
    }
  }

  end(): void {
    this.#child?.kill("SIGKILL");
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(this.#program, [], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    this.#child = child;
    await once(child, "message");
    return child;
  }
}

function ignore(): void {}
