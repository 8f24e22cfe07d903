import { Child } from "../../harness/child.ts";
import type { BrokerHost, NodeHostPlan } from "./host.ts";

/** Starts our broker or aedes in a fresh Node process. */
export async function startNodeHost(plan: NodeHostPlan): Promise<BrokerHost> {
  const child = Child.start(new URL("./node-host-main.js", import.meta.url), plan);
  try {
    const port = await child.next<number>("listening");
    return { port, pid: child.pid, stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    throw error;
  }
}
