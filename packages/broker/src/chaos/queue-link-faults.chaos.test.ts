import { faultProxy, leakCheck } from "polymq/testing";
import { expect, test } from "vitest";
import { startBroker } from "../broker.ts";
import { FaultSchedule } from "./link-faults.test-support.ts";
import { runSeed, say } from "./progress.test-support.ts";
import { LINK_PROTOCOLS } from "./queue-link-clients.test-support.ts";
import { QueueLinkLoad } from "./queue-link-load.test-support.ts";

const PAIRS = 4;
const MESSAGES = 40_000;

/** Messages between two faults. */
const CALM = 500;

test.each(LINK_PROTOCOLS)(
  "40,000 messages over %s through queues, over links that are cut, half closed, delayed and split: none lost, in order, nothing left behind",
  async (protocol) => {
    const seed = runSeed();
    const leaks = leakCheck(5_000);
    const broker = await startBroker({ port: 0 });
    const target = { host: "127.0.0.1", port: broker.port };
    const faults = { pieceBytes: [1, 2_000] as const };
    const publishing = await faultProxy({ target, faults, seed });
    const consuming = await faultProxy({ target, faults, seed: seed + 1 });
    const schedule = new FaultSchedule([publishing, consuming], seed);
    const load = new QueueLinkLoad({
      protocol,
      publisherPort: publishing.port,
      consumerPort: consuming.port,
      pairs: PAIRS,
      messages: MESSAGES / PAIRS,
      onProgress: (delivered) => {
        if (delivered % CALM === 0 && delivered < MESSAGES) schedule.strike();
        if (delivered % (MESSAGES / 10) === 0) say(`${delivered} delivered, ${load.reconnects} reconnects`);
      },
    });
    try {
      const verdict = await load.run();
      say(`${schedule.summary}; ${load.reconnects} reconnects, ${verdict.duplicatesQoS1} delivered again`);
      expect(verdict).toEqual({
        published: MESSAGES,
        acknowledged: MESSAGES,
        delivered: MESSAGES,
        duplicatesQoS1: expect.any(Number),
        lost: [],
        twice: [],
        misordered: [],
        unsettled: [],
        refused: [],
        strange: [],
      });
      expect(load.reconnects).toBeGreaterThan(PAIRS);
      await load.close();
    } finally {
      load.destroy();
      await Promise.all([publishing.close(), consuming.close()]);
      await broker.close();
    }
    await leaks.check();
  },
);
