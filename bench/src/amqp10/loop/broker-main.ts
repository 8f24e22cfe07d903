import { startBroker } from "@polymq/broker";
import { runChild } from "../../harness/parent.ts";
import { watchLoop } from "./loop-watch.ts";

/** The broker's process, in memory: says "listening" with its port; between "watch" and "finish" its event loop is watched, which "final" tells. */
runChild<Record<string, never>>(async (parent) => {
  const broker = await startBroker({ port: 0, http: false, amqp10: { maximumMessageSize: 134_217_728 } });
  parent.send({ type: "listening", data: broker.port });
  await parent.next("watch");
  const stop = watchLoop();
  await parent.next("finish");
  parent.send({ type: "final", data: stop() });
  await broker.close();
});
