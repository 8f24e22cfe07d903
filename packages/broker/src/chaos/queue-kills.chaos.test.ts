import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomInteger, seededRandom } from "polymq/testing";
import { expect, test } from "vitest";
import { brokerProgram, ChildBroker } from "./child-broker.test-support.ts";
import { runSeed, say } from "./progress.test-support.ts";
import { LOAD_QUEUE, QueueLoad } from "./queue-load.test-support.ts";

const KILLS = Number(process.env["POLYMQ_KILLS"] ?? 50);

/** The fewest and most deliveries between two kills. */
const CALM = [200, 2_000] as const;

test("a broker that is killed with SIGKILL 50 times under 9 publishers and 8 consumers over MQTT, AMQP 0-9-1 and AMQP 1.0 loses no confirmed message, reuses no offset and leaves none out, enqueues nothing of QoS 2 twice and delivers nothing again that was acknowledged", async () => {
  const random = seededRandom(runSeed());
  const program = await brokerProgram();
  const dataDir = await mkdtemp(join(tmpdir(), "polymq-chaos-"));
  const options = { dataDir, durability: "fsync", queues: [{ name: LOAD_QUEUE, deliveryLimit: 0 }] } as const;
  let broker = await ChildBroker.start(program, { ...options, port: 0 });
  const { port } = broker;
  let due: (() => void) | null = null;
  let nextAt = randomInteger(random, ...CALM);
  const load = new QueueLoad(port, (delivered) => {
    if (delivered >= nextAt) due?.();
  });
  try {
    await load.start();
    for (let kill = 1; kill <= KILLS; kill++) {
      await load.unlessStalled(
        new Promise<void>((resolve) => {
          due = resolve;
        }),
      );
      due = null;
      await broker.kill();
      await load.afterKill();
      broker = await ChildBroker.start(program, { ...options, port });
      if (kill % 10 === 0) say(`${kill} kills, ${load.delivered} delivered`);
      nextAt = load.delivered + randomInteger(random, ...CALM);
    }
    const verdict = await load.stop();
    say(`${verdict.published} published, ${verdict.confirmed} confirmed, ${verdict.delivered} delivered to two groups`);
    expect(verdict).toMatchObject({ lost: [], reused: [], missing: [], twice: [], afterAck: [], refused: [] });
    expect(verdict.confirmed).toBe(verdict.published);
    await load.destroy();
    await broker.close();
  } finally {
    await load.destroy();
    await broker.kill();
    await rm(dataDir, { recursive: true, force: true });
  }
});
