import { Child } from "../../harness/child.ts";
import type { Metrics } from "../../harness/metrics.ts";
import { cpuMicrosOf, peakKibOf } from "../../harness/process-usage.ts";
import type { BrokerHost } from "./host.ts";
import { startMosquitto } from "./mosquitto.ts";
import { startNodeHost } from "./node-host.ts";
import type { BrokerName, LoadPlan } from "./rows.ts";

/** Takes one measurement: a fresh broker process and a fresh load generator, which both end with it. */
export async function measureBroker(broker: BrokerName, load: Omit<LoadPlan, "port">): Promise<Metrics> {
  const host = broker === "mosquitto" ? await startMosquitto() : await startNodeHost({ broker });
  try {
    return await measureHost(host, { ...load, port: host.port });
  } finally {
    await host.stop();
  }
}

async function measureHost(host: BrokerHost, plan: LoadPlan): Promise<Metrics> {
  const generator = Child.start(new URL("./load-main.js", import.meta.url), plan);
  try {
    await generator.next("warm");
    const cpuBefore = cpuMicrosOf(host.pid);
    generator.send({ type: "go" });
    const durationNs = await generator.next<number>("done");
    const cpuAfter = cpuMicrosOf(host.pid);
    const peakKib = peakKibOf(host.pid);
    generator.send({ type: "finish" });
    await generator.next("final");
    const seconds = durationNs / 1e9;
    const deliveries = (plan.measured + plan.tail) * plan.subscribers;
    return {
      rate: (plan.measured * plan.subscribers) / seconds,
      ...(cpuBefore !== null && cpuAfter !== null ? { cpu: (cpuAfter - cpuBefore) / deliveries } : {}),
      ...(peakKib !== null ? { memory: peakKib } : {}),
    };
  } finally {
    await generator.stop();
  }
}
