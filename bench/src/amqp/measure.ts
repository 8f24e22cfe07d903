import { Child } from "../harness/child.ts";
import type { Metrics } from "../harness/metrics.ts";
import type { ClientResult } from "../mqtt/client/rows.ts";
import type { ClientPlan, StubPlan } from "./plan.ts";

/** The entry files of the two processes of a protocol. */
export interface Entries {
  readonly stub: URL;
  readonly client: URL;
  /** The programs of contenders that are none of Node. */
  readonly programs?: Readonly<Record<string, string>>;
}

/** Takes one measurement: a fresh stub server and a fresh client process, which both end with it. */
export async function measureClient(entries: Entries, plan: Omit<ClientPlan, "port">): Promise<Metrics> {
  const { work, size } = plan;
  const stub = Child.start(entries.stub, { work, size } satisfies StubPlan);
  let client: Child | null = null;
  try {
    const port = await stub.next<number>("listening");
    client = Child.start(entries.client, { ...plan, port } satisfies ClientPlan, entries.programs?.[plan.contender]);
    client.relayTo(stub);
    stub.relayTo(client);
    const result = await client.next<ClientResult>("result", [stub]);
    stub.send({ type: "finish" });
    return metricsOf(plan, result, await stub.next<number>("final"));
  } finally {
    await Promise.all([client?.stop(), stub.stop()]);
  }
}

function metricsOf({ counts }: Omit<ClientPlan, "port">, result: ClientResult, counted: number): Metrics {
  const { warmup, measured, tail } = counts;
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
