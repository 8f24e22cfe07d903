import { runChild } from "../../harness/parent.ts";
import type { NodeHostPlan, RunningBroker } from "./host.ts";

/** A Node broker's process: says "listening" with its port, ends on "finish". */
runChild<NodeHostPlan>(async (parent) => {
  const broker = await start(parent.config);
  parent.send({ type: "listening", data: broker.port });
  await parent.next("finish");
  await broker.close();
  parent.send({ type: "final" });
});

/** Loads only the broker under measurement, so that the memory of the other does not count. */
async function start({ broker }: NodeHostPlan): Promise<RunningBroker> {
  if (broker === "ours") return await (await import("./broker-ours.ts")).startOurs();
  return await (await import("./broker-aedes.ts")).startAedes();
}
