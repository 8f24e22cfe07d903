import { nowNs } from "../harness/clock.ts";
import { type Parent, runChild } from "../harness/parent.ts";
import { percentile } from "../harness/statistics.ts";
import type { ContenderSession } from "../mqtt/client/contender.ts";
import { RoundTrips, Tally } from "../mqtt/client/message-sink.ts";
import type { ClientResult, Phase } from "../mqtt/client/rows.ts";
import { makePayloads } from "../mqtt/wire/payloads.ts";
import type { ClientPlan } from "./plan.ts";

/** Opens a connected session of one contender. */
export type OpenSession = (plan: ClientPlan, payloads: Uint8Array[]) => Promise<ContenderSession>;

type ClientParent = Parent<ClientPlan>;

/** Runs a client's process: one contender, one row, one size; a warm-up, then the measured phase, then the result. */
export function runClient(load: (contender: string) => Promise<OpenSession>): void {
  runChild<ClientPlan>(async (parent) => {
    const payloads = makePayloads(parent.config.size);
    const open = await load(parent.config.contender);
    const session = await open(parent.config, payloads);
    const result = await measure(parent, session, payloads);
    await session.close();
    parent.send({ type: "result", data: result });
  });
}

function measure(parent: ClientParent, session: ContenderSession, payloads: Uint8Array[]): Promise<ClientResult> {
  switch (parent.config.work.is) {
    case "publish":
      return measurePublish(parent, session);
    case "receive":
      return measureReceive(parent, session, payloads);
    default:
      return measureRoundTrips(parent, session, payloads);
  }
}

async function measurePublish(parent: ClientParent, session: ContenderSession): Promise<ClientResult> {
  const { warmup, measured, tail } = parent.config.counts;
  await announce(parent, warmup, warmup);
  await session.publish(0, warmup);
  await parent.next("done");
  await announce(parent, measured + tail, measured);
  const usage = startUsage();
  await session.publish(warmup, measured + tail);
  return usage.stop(await parent.next<number>("done"));
}

async function measureReceive(
  parent: ClientParent,
  session: ContenderSession,
  payloads: Uint8Array[],
): Promise<ClientResult> {
  const { work, counts } = parent.config;
  const { warmup, measured, tail } = counts;
  const tally = new Tally(payloads);
  await session.subscribe(tally);
  const warm = tally.begin(warmup, warmup, "thorough");
  await announce(parent, warmup, warmup);
  await warm;
  await parent.next("done");
  const received = tally.begin(measured + tail, measured, "quick");
  const usage = startUsage();
  await announce(parent, measured + tail, measured);
  const receivedMarkNs = await received;
  const doneMarkNs = await parent.next<number>("done");
  // With acknowledgements the clock stops when the server has the last one; without, the server cannot know.
  return usage.stop(work.isAnswered ? doneMarkNs : receivedMarkNs);
}

async function measureRoundTrips(
  parent: ClientParent,
  session: ContenderSession,
  payloads: Uint8Array[],
): Promise<ClientResult> {
  const { warmup, measured } = parent.config.counts;
  const trips = new RoundTrips(payloads, (payload) => session.send(payload));
  await session.subscribe(trips);
  await announce(parent, warmup, warmup);
  await trips.run(warmup);
  await parent.next("done");
  await announce(parent, measured, measured);
  const usage = startUsage();
  const samples = await trips.run(measured);
  const result = usage.stop(nowNs());
  return { ...result, p50Us: percentile(samples, 50), p99Us: percentile(samples, 99) };
}

/** Tells the stub server what comes next and waits until it is ready for it. */
async function announce(parent: ClientParent, count: number, mark: number): Promise<void> {
  parent.send({ type: "phase", relay: true, data: { count, mark } satisfies Phase });
  await parent.next("ready");
}

function startUsage(): { stop(markNs: number): ClientResult } {
  const cpu = process.cpuUsage();
  const startNs = nowNs();
  return {
    stop(markNs) {
      const { user, system } = process.cpuUsage(cpu);
      const maxRssKib = process.resourceUsage().maxRSS;
      return { startNs, markNs, cpuMicros: user + system, maxRssKib, p50Us: null, p99Us: null };
    },
  };
}
