import { nowNs } from "../../harness/clock.ts";
import { type Parent, runChild } from "../../harness/parent.ts";
import { percentile } from "../../harness/statistics.ts";
import { makePayloads } from "../wire/payloads.ts";
import { WINDOW } from "../wire/publish-ring.ts";
import type { ContenderSession, OpenContender } from "./contender.ts";
import { RoundTrips, Tally } from "./message-sink.ts";
import { type ClientPlan, type ClientResult, type Phase, qosOf, TOPIC } from "./rows.ts";

/** The client's process: one contender, one row, one size; a warm-up, then the measured phase, then the result. */
runChild<ClientPlan>(async (parent) => {
  const { row, size, level, port } = parent.config;
  const payloads = makePayloads(size);
  const open = await loadContender(parent.config);
  const session = await open({ port, payloads, window: WINDOW, shape: { topic: TOPIC, size, level, qos: qosOf(row) } });
  const result = await measure(parent, session, payloads);
  await session.close();
  parent.send({ type: "result", data: result });
});

/** Loads only the contender under measurement, so that the memory of the others does not count. */
async function loadContender({ contender }: ClientPlan): Promise<OpenContender> {
  switch (contender) {
    case "ours":
      return (await import("./contender-ours.ts")).openOurs;
    case "mqttjs":
      return (await import("./contender-mqttjs.ts")).openMqttjs;
    case "mqttjs-batch":
      return (await import("./contender-mqttjs.ts")).openMqttjsBatch;
    case "raw":
      return (await import("./contender-raw.ts")).openRawSocket;
  }
}

type ClientParent = Parent<ClientPlan>;

function measure(parent: ClientParent, session: ContenderSession, payloads: Uint8Array[]): Promise<ClientResult> {
  const { row } = parent.config;
  if (row === "round-trip") return measureRoundTrips(parent, session, payloads);
  return row.startsWith("publish") ? measurePublish(parent, session) : measureReceive(parent, session, payloads);
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
  const { warmup, measured, tail } = parent.config.counts;
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
  // With acks the clock stops when the server has the last one; at QoS 0 the server cannot know.
  return usage.stop(qosOf(parent.config.row) === 0 ? receivedMarkNs : doneMarkNs);
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
