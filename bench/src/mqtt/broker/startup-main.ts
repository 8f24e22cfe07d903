import type { Metrics } from "../../harness/metrics.ts";
import { runChild } from "../../harness/parent.ts";
import { median } from "../../harness/statistics.ts";
import { startOurs } from "./broker-ours.ts";

/** Starts and closes our broker some times in this process and says how long the start took: the first time and in the median. */
runChild<{ readonly times: number }>(async (parent) => {
  const startsMs: number[] = [];
  for (let time = 0; time < parent.config.times; time += 1) {
    const beforeMs = performance.now();
    const broker = await startOurs();
    startsMs.push(performance.now() - beforeMs);
    await broker.close();
  }
  parent.send({
    type: "result",
    data: { startup: median(startsMs), coldStartup: startsMs[0] ?? Number.NaN } satisfies Metrics,
  });
});
