/** AMQP 1.0: workers that share a queue; done, given back, and given up, with a dead letter to look at. */
import { startBroker } from "@polymq/broker";
import { type AmqpConnection, type AmqpQueueMessage, connect } from "polymq/amqp10";

// A broker in this process, unless POLYMQ_AMQP10_URL names another one.
const given = process.env["POLYMQ_AMQP10_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const url = given ?? `amqp://127.0.0.1:${broker?.port}`;

const shop = await connect(url, { containerId: "shop" });
const workers: AmqpConnection[] = [];
let left = 3;
let finish: () => void = () => undefined;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

try {
  for (const containerId of ["worker-1", "worker-2"]) {
    const worker = await connect(url, { containerId });
    workers.push(worker);
    await worker.subscribeToQueue("orders", "order-shippers", {
      prefetch: 10,
      handler: (message) => ship(message, containerId),
    });
  }
  for (const order of [{ item: "widget" }, { item: "anvil" }, {}]) {
    // Resolves when the server has accepted the message, which it does once that is stored.
    await shop.publishToQueue("orders", JSON.stringify(order), { contentType: "application/json" });
  }
  await finished;
} finally {
  await Promise.all([shop, ...workers].map((connection) => connection.close()));
  await broker?.close();
}

/** Acknowledged when this returns, given back when it throws. */
async function ship(message: AmqpQueueMessage, who: string): Promise<void> {
  const { item } = message.json() as { readonly item?: string };
  if (item === undefined) {
    // No attempt will help: it is dead-lettered, where the server does so.
    await message.reject("an order without an item");
    return end(`${who} rejected an order without an item`);
  }
  if (item === "anvil" && message.deliveryCount === 0) throw new Error("too heavy for the first attempt");
  end(`${item} shipped by ${who}${message.deliveryCount > 0 ? ` at attempt ${message.deliveryCount + 1}` : ""}`);
}

function end(what: string): void {
  process.stdout.write(`${what}\n`);
  if (--left === 0) finish();
}
