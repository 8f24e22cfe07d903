import { faultProxy, leakCheck } from "polymq/testing";
import { expect, test } from "vitest";
import { startBroker } from "../broker.ts";
import { FaultSchedule } from "./link-faults.test-support.ts";
import { Load } from "./load.test-support.ts";
import { runSeed, say } from "./progress.test-support.ts";

const PAIRS = 4;
const MESSAGES = 100_000;

/** Messages between two faults. */
const CALM = 1_000;

test("100,000 messages of QoS 1 and 2 over links that are cut, half closed, delayed and split: none lost, none of QoS 2 twice, in order, nothing left behind", async () => {
  const seed = runSeed();
  const leaks = leakCheck(5_000);
  const broker = await startBroker({ port: 0, sessions: { queuedMessagesMax: MESSAGES } });
  const target = { host: "127.0.0.1", port: broker.port };
  const faults = { pieceBytes: [1, 2_000] as const };
  const publishing = await faultProxy({ target, faults, seed });
  const subscribing = await faultProxy({ target, faults, seed: seed + 1 });
  const schedule = new FaultSchedule([publishing, subscribing], seed);
  const load = new Load({
    publisherPort: publishing.port,
    subscriberPort: subscribing.port,
    pairs: PAIRS,
    messages: MESSAGES / PAIRS,
    onProgress: (delivered) => {
      if (delivered % CALM === 0 && delivered < MESSAGES) schedule.strike();
      if (delivered % (MESSAGES / 10) === 0) say(`${delivered} delivered, ${load.reconnects} reconnects`);
    },
  });
  try {
    await load.start();
    const verdict = await load.finished();
    say(`${schedule.summary}; ${load.reconnects} reconnects, ${verdict.duplicatesQoS1} duplicates at QoS 1`);
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
    await load.destroy();
    await Promise.all([publishing.close(), subscribing.close()]);
    await broker.close();
  }
  await leaks.check();
});
