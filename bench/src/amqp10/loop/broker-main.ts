import { startBroker } from "@polymq/broker";
import { runChild } from "../../harness/parent.ts";
import { watchLoop } from "./loop-watch.ts";

/** Larger than any message that is sent. */
const LARGEST_BYTES = 134_217_728;

/** The broker's process, in memory: says "listening" with its port; between "watch" and "finish" its event loop is watched, which "final" tells. */
runChild<Record<string, never>>(async (parent) => {
  const broker = await startBroker({
    port: 0,
    http: false,
    // The next message may have come before the last has left; one beyond what a client may have waiting would be left out.
    sessions: { queuedBytesMax: LARGEST_BYTES },
    amqp10: { maximumMessageSize: LARGEST_BYTES },
  });
  parent.send({ type: "listening", data: broker.port });
  await parent.next("watch");
  const stop = watchLoop();
  await parent.next("finish");
  parent.send({ type: "final", data: stop() });
  await broker.close();
});
