import { nowNs } from "../../harness/clock.ts";
import { runChild } from "../../harness/parent.ts";
import { Load } from "./load.ts";
import type { LoadPlan } from "./rows.ts";

/**
 * The load generator's process: a warm-up, "warm"; on "go" the measured load, "done"; on "finish" it disconnects and
 * says "final". The pauses let the parent read the broker's CPU time.
 */
runChild<LoadPlan>(async (parent) => {
  const { port, size, qos, subscribers, warmup, measured, tail } = parent.config;
  const load = await Load.open({ port, subscribers, shape: { topic: "bench/data", size, qos, level: 4 } });
  await load.run(warmup, warmup);
  parent.send({ type: "warm" });
  await parent.next("go");
  const startNs = nowNs();
  const markNs = await load.run(measured + tail, measured);
  parent.send({ type: "done", data: markNs - startNs });
  await parent.next("finish");
  await load.close();
  parent.send({ type: "final" });
});
