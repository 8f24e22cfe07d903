import { startBroker } from "@polymq/broker";
import { runChild } from "../harness/parent.ts";

/** How our broker's process is to be. */
export interface BrokerPlan {
  readonly dataDir: string;
  readonly durability: "fsync" | "buffered";
  /** Messages that a consumer may hold. */
  readonly window: number;
}

/** Our broker's process: says "listening" with its port and how long the start took in ms; ends on "finish". */
runChild<BrokerPlan>(async (parent) => {
  const { dataDir, durability, window } = parent.config;
  const beforeMs = performance.now();
  const broker = await startBroker({
    port: 0,
    dataDir,
    durability,
    mqtt: { maxInflight: window },
    queues: [{ name: "bench", maxDepth: 0 }],
  });
  parent.send({ type: "listening", data: { port: broker.port, startMs: performance.now() - beforeMs } });
  await parent.next("finish");
  await broker.close();
  parent.send({ type: "final" });
});
