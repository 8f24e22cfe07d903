import { startBroker } from "@polymq/broker";
import { runChild } from "../harness/parent.ts";
import { QUEUE } from "./rows.ts";

/** The broker's process, in memory: says "listening" with its port; ends on "finish". */
runChild<Record<string, never>>(async (parent) => {
  const broker = await startBroker({ port: 0, http: false, queues: [{ name: QUEUE, maxDepth: 0 }] });
  parent.send({ type: "listening", data: broker.port });
  await parent.next("finish");
  await broker.close();
  parent.send({ type: "final" });
});
