/** The broker of the demo, in a process of its own. */
import { startBroker } from "@polymq/broker";
import { parentLine } from "./child.ts";

const parent = parentLine();
const broker = await startBroker({
  port: 0,
  // Workers that are cut off or slow leave messages behind: room for all of them, instead of dropping the oldest.
  sessions: { queuedMessagesMax: 1_000_000, queuedBytesMax: 1_073_741_824 },
});
parent.send({ type: "listening", port: broker.port });
await parent.heard("stop");
const dropped = broker.inspect().statistics["messagesDropped"] ?? 0;
await broker.close();
parent.finish({ type: "dropped", count: dropped });
