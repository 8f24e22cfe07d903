import { Child } from "../../harness/child.ts";
import type { Metrics } from "../../harness/metrics.ts";
import type { StubPart, StubPlan } from "../stub/connection.ts";
import { type ClientPlan, type ClientResult, type ClientRow, qosOf, TOPIC } from "./rows.ts";

/** Takes one measurement: a fresh stub server and a fresh client process, which both end with it. */
export async function measureClient(plan: Omit<ClientPlan, "port">): Promise<Metrics> {
  const { row, size, level } = plan;
  const stubPlan: StubPlan = { part: partFor(row), shape: { topic: TOPIC, size, level, qos: qosOf(row) } };
  const stub = Child.start(new URL("../stub/main.js", import.meta.url), stubPlan);
  let client: Child | null = null;
  try {
    const port = await stub.next<number>("listening");
    client = Child.start(new URL("./main.js", import.meta.url), { ...plan, port } satisfies ClientPlan);
    client.relayTo(stub);
    stub.relayTo(client);
    const result = await client.next<ClientResult>("result", [stub]);
    stub.send({ type: "finish" });
    return metricsOf(plan, result, await stub.next<number>("final"));
  } finally {
    await Promise.all([client?.stop(), stub.stop()]);
  }
}

function partFor(row: ClientRow): StubPart {
  if (row === "round-trip") return "echo";
  return row.startsWith("publish") ? "sink" : "source";
}

function metricsOf(plan: Omit<ClientPlan, "port">, result: ClientResult, counted: number): Metrics {
  const { warmup, measured, tail } = plan.counts;
  const total = warmup + measured + tail;
  if (counted !== total) throw new Error(`the server counts ${counted} messages instead of ${total}`);
  const seconds = (result.markNs - result.startNs) / 1e9;
  if (!(seconds > 0)) throw new Error("the measured phase has no duration");
  return {
    rate: measured / seconds,
    cpu: result.cpuMicros / (measured + tail),
    memory: result.maxRssKib,
    ...(result.p50Us === null ? {} : { p50: result.p50Us }),
    ...(result.p99Us === null ? {} : { p99: result.p99Us }),
  };
}
