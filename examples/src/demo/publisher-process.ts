/** One publisher of the demo: replays its share of the records and reports what each publish promise said. */
import { isMessagingError } from "polymq/mqtt";
import { Batch, parentLine } from "./child.ts";
import { countReconnects, demoClient } from "./client.ts";
import { PUBLISHERS, qosOf, readFlights } from "./data-set.ts";
import { type Envelope, nowMs, type PublisherPlan, QUEUE } from "./messages.ts";

/** Promises that may be open at a time. */
const OPEN_MAX = 1_000;

/** How often records fall due when they are spread over time. */
const TICK_MS = 10;

const parent = parentLine();
const plan = JSON.parse(process.argv[2] ?? "") as PublisherPlan;
const flights = await readFlights(plan.records);
const client = demoClient(plan, "lasting");
const reconnects = countReconnects(client);
const acknowledged = new Batch<number>((ids) => parent.send({ type: "acknowledged", ids }));
let open = 0;
let wake: () => void = () => undefined;

await client.connect();
parent.send({ type: "ready" });
await parent.heard("begin");
await replay();
while (open > 0) await settled();
acknowledged.close();
await client.close();
parent.finish({ type: "finished", reconnects: reconnects() });

async function replay(): Promise<void> {
  const beganAtMs = nowMs();
  for (let id = plan.publisher; id < flights.length; id += PUBLISHERS) {
    const dueAtMs = beganAtMs + (1_000 * plan.seconds * id) / flights.length;
    while (nowMs() < dueAtMs) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    while (open >= OPEN_MAX) await settled();
    publish(id);
  }
}

function publish(id: number): void {
  const flight = flights[id];
  if (flight === undefined) return;
  const envelope: Envelope = { id, publishedAtMs: nowMs(), flight };
  open++;
  client
    .publishToQueue(QUEUE, JSON.stringify(envelope), { qos: qosOf(id), routingKey: String(Math.floor(flight.time)) })
    .then(
      () => acknowledged.add(id),
      (error: unknown) =>
        parent.send({ type: "refused", id, code: isMessagingError(error) ? error.code : String(error) }),
    )
    .finally(() => {
      open--;
      wake();
    });
}

function settled(): Promise<void> {
  return new Promise((resolve) => {
    wake = resolve;
  });
}
