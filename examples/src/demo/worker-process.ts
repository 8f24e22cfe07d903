/** One worker of the demo: takes its share of the messages and reports each one it saw before it is acknowledged. */
import type { MqttMessage } from "polymq/mqtt";
import { Batch, parentLine } from "./child.ts";
import { countReconnects, demoClient } from "./client.ts";
import { checksum } from "./data-set.ts";
import { type DeliveryReport, type Envelope, endTopic, nowMs, SHARED_FILTER, type WorkerPlan } from "./messages.ts";

const parent = parentLine();
const plan = JSON.parse(process.argv[2] ?? "") as WorkerPlan;
const client = demoClient(plan);
const reconnects = countReconnects(client);
const delivered = new Batch<DeliveryReport>((deliveries) => parent.send({ type: "delivered", deliveries }));
let sabotage = plan.sabotage;

await client.connect();
const over = new Promise<void>((resolve) => {
  const handler = (message: MqttMessage): void => {
    if (message.topic === endTopic(plan.name)) resolve();
    else count(message);
  };
  client.subscribe({ [SHARED_FILTER]: 2, [endTopic(plan.name)]: 1 }, { handler }).then(
    () => parent.send({ type: "ready" }),
    (error: unknown) => {
      process.stderr.write(`${plan.name}: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
await over;
delivered.close();
// Acknowledgements leave before the connection ends.
await client.close();
parent.finish({ type: "finished", reconnects: reconnects() });

function count(message: MqttMessage): void {
  const { id, publishedAtMs, flight } = message.json() as Envelope;
  if (sabotage) {
    sabotage = false;
    return;
  }
  delivered.add([id, message.qos, checksum(flight), nowMs() - publishedAtMs]);
}
