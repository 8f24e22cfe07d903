import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomInteger, seededRandom } from "polymq/testing";
import { expect, test } from "vitest";
import { brokerProgram, ChildBroker } from "./child-broker.test-support.ts";
import { CrashLoad } from "./crash-load.test-support.ts";
import { runSeed, say } from "./progress.test-support.ts";

const KILLS = 50;

/** The fewest and most deliveries between two kills. */
const CALM = [50, 1_200] as const;

/** Without a time limit on deliveries: a slow machine is no reason for a repetition. */
const QUEUE = { name: "work", deliveryLimit: 0, visibilityTimeoutMs: 0, maxDepth: 0 } as const;

test(`a broker that is killed with SIGKILL ${KILLS} times under 8 publishers and 8 consumers of a queue loses nothing that it confirmed, uses no offset twice, and delivers nothing again whose acknowledgement it confirmed`, async () => {
  const random = seededRandom(runSeed());
  const program = await brokerProgram();
  const dataDir = await mkdtemp(join(tmpdir(), "polymq-chaos-"));
  const options = { dataDir, durability: "fsync", queues: [QUEUE], sysIntervalSeconds: 0 } as const;
  let broker = await ChildBroker.start(program, { ...options, port: 0 });
  const load = new CrashLoad(QUEUE.name, broker.port);
  try {
    await load.start();
    for (let kill = 1; kill <= KILLS; kill++) {
      await load.progress(randomInteger(random, ...CALM));
      await broker.kill();
      load.brokerReplaced();
      broker = await ChildBroker.start(program, { ...options, port: broker.port });
      if (kill % 10 === 0) say(`${kill} kills, ${load.ledger.deliveries} deliveries`);
    }
    await load.stop();
    const verdict = load.ledger.verdict();
    const { published, confirmed, deliveries, redeliveries } = verdict;
    say(
      `${published} published, ${confirmed} confirmed, ${deliveries} deliveries, ${redeliveries} of them repetitions`,
    );
    expect(verdict).toMatchObject({ lost: [], reused: [], gaps: [], repeated: [] });
    expect(confirmed).toBe(published);
    expect(redeliveries).toBeGreaterThan(0);
  } finally {
    await load.destroy();
    await broker.kill();
    await rm(dataDir, { recursive: true, force: true });
  }
});
