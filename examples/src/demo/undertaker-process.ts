/** Reads the queue's dead letters and reports each one before it is acknowledged. */
import type { MqttQueueMessage } from "polymq/mqtt";
import { parentLine, SafeBatch } from "./child.ts";
import { countReconnects, demoClient } from "./client.ts";
import { checksum } from "./data-set.ts";
import { type ClientPlan, type Envelope, GROUP, type LetterReport, QUEUE } from "./messages.ts";

const PREFETCH = 200;

const parent = parentLine();
const plan = JSON.parse(process.argv[2] ?? "") as ClientPlan;
const client = demoClient(plan, "clean");
const reconnects = countReconnects(client);
const reports = new SafeBatch<LetterReport>((letters) => ({ type: "buried", letters }));

await client.connect();
await client.subscribeToQueue(`$dlq/${QUEUE}`, GROUP, { prefetch: PREFETCH, concurrency: PREFETCH, handler: bury });
parent.send({ type: "ready" });
await parent.heard("stop");
await client.close();
parent.finish({ type: "finished", reconnects: reconnects() });

async function bury(message: MqttQueueMessage): Promise<void> {
  const { id, flight } = message.json() as Envelope;
  await reports.add([id, message.deadLetter?.reason ?? "unknown", checksum(flight)]);
}
