import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leakCheck, randomInteger, seededRandom } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../broker.ts";
import { brokerProgram, ChildBroker } from "./child-broker.test-support.ts";
import type { Verdict } from "./ledger.test-support.ts";
import { Load } from "./load.test-support.ts";
import { runSeed, say } from "./progress.test-support.ts";

const PAIRS = 4;

/** The fewest and most deliveries between two restarts. */
const CALM = [200, 1_500] as const;

const SESSIONS = { queuedMessagesMax: 1_000_000 } as const;

/** Each message exactly where its promise said it would be; how many there were is the load's business. */
const NOTHING_WRONG: Partial<Verdict> = {
  lost: [],
  twice: [],
  misordered: [],
  unsettled: [],
  refused: [],
  strange: [],
};

/** Runs a load on a broker that is replaced again and again, and looks into the books afterwards. */
async function underLoad(port: number, rounds: number, replace: () => Promise<void>): Promise<void> {
  const random = seededRandom(runSeed());
  let due: (() => void) | null = null;
  let nextAt = randomInteger(random, ...CALM);
  const load = new Load({
    publisherPort: port,
    subscriberPort: port,
    pairs: PAIRS,
    onProgress: (delivered) => {
      if (delivered >= nextAt) due?.();
    },
  });
  try {
    await load.start();
    for (let round = 1; round <= rounds; round++) {
      const moment = new Promise<void>((resolve) => {
        due = resolve;
      });
      await load.unlessStalled(moment);
      due = null;
      await replace();
      if (round % 10 === 0) say(`${round} rounds, ${load.delivered} delivered`);
      nextAt = load.delivered + randomInteger(random, ...CALM);
    }
    const verdict = await load.stop();
    say(
      `${verdict.published} published, ${verdict.delivered} delivered, ${verdict.duplicatesQoS1} duplicates at QoS 1, ` +
        `${verdict.twice.length} at QoS 2, ${load.reconnects} reconnects`,
    );
    expect(verdict).toMatchObject(NOTHING_WRONG);
    expect(verdict.acknowledged).toBe(verdict.published);
    expect(verdict.delivered).toBe(verdict.published);
    expect(load.reconnects).toBeGreaterThanOrEqual(rounds);
    await load.close();
  } finally {
    await load.destroy();
  }
}

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "polymq-chaos-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe("a broker with a data directory, under load from 4 publishers to 4 subscribers", () => {
  test("closed and started again 10 times in this process loses nothing, delivers nothing of QoS 2 twice, and leaves nothing behind", async () => {
    const leaks = leakCheck(5_000);
    await withDirectory(async (dataDir) => {
      let broker: Broker = await startBroker({ port: 0, dataDir, sessions: SESSIONS });
      const { port } = broker;
      try {
        await underLoad(port, 10, async () => {
          await broker.close();
          broker = await startBroker({ port, dataDir, sessions: SESSIONS });
        });
      } finally {
        await broker.close();
      }
    });
    await leaks.check();
  });

  test("killed with SIGKILL 50 times loses nothing that it acknowledged, and delivers nothing of QoS 2 twice", async () => {
    const program = await brokerProgram();
    await withDirectory(async (dataDir) => {
      const options = { dataDir, durability: "fsync", sessions: SESSIONS } as const;
      let broker = await ChildBroker.start(program, { ...options, port: 0 });
      const { port } = broker;
      try {
        await underLoad(port, 50, async () => {
          await broker.kill();
          broker = await ChildBroker.start(program, { ...options, port });
        });
        await broker.close();
      } finally {
        await broker.kill();
      }
    });
  });
});
