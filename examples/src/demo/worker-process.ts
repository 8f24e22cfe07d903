/**
 * One worker of the demo: a member of the consumer group. What it makes of a message is in its parent's ledger before the broker hears of
 * it, so that no kill can come between.
 */
import { isMessagingError, type MqttQueueMessage } from "polymq/mqtt";
import { parentLine, SafeBatch } from "./child.ts";
import { countReconnects, demoClient } from "./client.ts";
import { checksum, fateOf } from "./data-set.ts";
import { type DeliveryReport, type Envelope, GROUP, nowMs, type Outcome, QUEUE, type WorkerPlan } from "./messages.ts";

/** Messages in hand. */
const PREFETCH = 100;

/** Time after which a message that was not done is tried again. */
const RETRY_MS = 50;

/** The broker's code for a message that is not in this worker's hands any more. */
const NOT_PENDING = 0x80;

const parent = parentLine();
const plan = JSON.parse(process.argv[2] ?? "") as WorkerPlan;
const client = demoClient(plan, "clean");
const reconnects = countReconnects(client);
const reports = new SafeBatch<DeliveryReport>((deliveries) => ({ type: "delivered", deliveries }));
let sabotage = plan.sabotage;

await client.connect();
await client.subscribeToQueue(QUEUE, GROUP, { prefetch: PREFETCH, concurrency: PREFETCH, handler: work });
parent.send({ type: "ready" });
await parent.heard("stop");
await client.close();
parent.finish({ type: "finished", reconnects: reconnects() });

/** Acknowledged when this resolves, unless it was settled by hand. */
async function work(message: MqttQueueMessage): Promise<void> {
  const { id, publishedAtMs, flight } = message.json() as Envelope;
  const { offset, deliveryCount } = message;
  const outcome = judge(fateOf(flight), deliveryCount);
  if (sabotage && outcome === "done") {
    sabotage = false;
    return;
  }
  await reports.add([id, outcome, offset, deliveryCount, checksum(flight), nowMs() - publishedAtMs]);
  try {
    if (outcome === "nacked") await message.nack({ delayMs: RETRY_MS });
    else if (outcome === "rejected") await message.reject("more than three hours late");
  } catch (error) {
    // The link broke in between, and the queue has the message again: it comes to somebody once more.
    if (!isMessagingError(error) || error.peer?.code !== NOT_PENDING) throw error;
  }
}

function judge(fate: ReturnType<typeof fateOf>, deliveryCount: number): Outcome {
  if (fate === "rejected") return "rejected";
  return fate === "hopeless" || (fate === "retried" && deliveryCount === 0) ? "nacked" : "done";
}
