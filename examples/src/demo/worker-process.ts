/**
 * One worker of the demo: a member of the consumer group. What it makes of a message is in its parent's ledger before the broker hears of
 * it, so that no kill can come between.
 */
import { Batch, parentLine, SafeBatch } from "./child.ts";
import { checksum, fateOf } from "./data-set.ts";
import {
  type DeliveryReport,
  type Envelope,
  type HoldReport,
  nowMs,
  type Outcome,
  type WorkerPlan,
} from "./messages.ts";
import { Amqp10WorkerClient } from "./worker-amqp10.ts";
import { Amqp091WorkerClient } from "./worker-amqp091.ts";
import type { WorkerClient, WorkMessage } from "./worker-client.ts";
import { MqttWorkerClient } from "./worker-mqtt.ts";

const parent = parentLine();
const plan = JSON.parse(process.argv[2] ?? "") as WorkerPlan;
const client = workerClient();
const reports = new SafeBatch<DeliveryReport>((deliveries) => ({ type: "delivered", deliveries }));
const holds = new Batch<HoldReport>((items) => parent.send({ type: "held", holds: items }));
let sabotage = plan.sabotage;

await client.connect();
await client.work(work);
parent.send({ type: "ready" });
await parent.heard("stop");
await client.close();
holds.close();
parent.finish({ type: "finished", reconnects: client.reconnects });

async function work(message: WorkMessage): Promise<void> {
  const cameAtMs = nowMs();
  const { id, publishedAtMs, flight } = message.json() as Envelope;
  const { offset, deliveryCount } = message;
  const outcome = judge(fateOf(flight), deliveryCount);
  if (sabotage && outcome === "done") {
    sabotage = false;
    await message.settle(outcome);
    return;
  }
  await reports.add([id, outcome, offset, deliveryCount, checksum(flight), cameAtMs - publishedAtMs]);
  const settledAtMs = nowMs();
  if (await message.settle(outcome)) holds.add([offset, cameAtMs, settledAtMs]);
}

function workerClient(): WorkerClient {
  if (plan.protocol === "mqtt") return new MqttWorkerClient(plan);
  return plan.protocol === "amqp10" ? new Amqp10WorkerClient(plan) : new Amqp091WorkerClient(plan);
}

function judge(fate: ReturnType<typeof fateOf>, deliveryCount: number): Outcome {
  if (fate === "rejected") return "rejected";
  return fate === "hopeless" || (fate === "retried" && deliveryCount === 0) ? "nacked" : "done";
}
