import { Child } from "../../harness/child.ts";
import type { Metrics } from "../../harness/metrics.ts";

const STARTS_PER_PROCESS = 20;

/** Measures how long `startBroker` takes in process: the median of 20 in one fresh process, and the cold first one. */
export async function measureStartup(): Promise<Metrics> {
  const child = Child.start(new URL("./startup-main.js", import.meta.url), { times: STARTS_PER_PROCESS });
  try {
    return await child.next<Metrics>("result");
  } finally {
    await child.stop();
  }
}
