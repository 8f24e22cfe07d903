/** The broker of the demo, in a process of its own: it will be killed, so everything that it confirms is on disk before. */
import { startBroker } from "@polymq/broker";
import { parentLine } from "./child.ts";
import { type BrokerPlan, QUEUE } from "./messages.ts";

/** How often it says how much is left to do. */
const DEPTH_MS = 100;

const parent = parentLine();
const plan = JSON.parse(process.argv[2] ?? "") as BrokerPlan;
const broker = await startBroker({
  port: plan.port,
  dataDir: plan.dataDir,
  durability: "fsync",
  queues: [{ name: QUEUE, deliveryLimit: 10, maxDepth: 1_000_000 }],
});
parent.send({ type: "listening", port: broker.port });
const timer = setInterval(() => {
  const count = broker.inspect().queues.reduce((sum, { depth }) => sum + depth, 0);
  parent.send({ type: "depth", count });
}, DEPTH_MS);
await parent.heard("stop");
clearInterval(timer);
await broker.close();
parent.finish({ type: "finished", reconnects: 0 });
