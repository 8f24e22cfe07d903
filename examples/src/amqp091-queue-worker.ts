/** AMQP 0-9-1: workers that share a queue; done, given back, and given up. Runs with polymq's broker; FluxMQ marks no redelivery, which this program waits for. */
import { startBroker } from "@polymq/broker";
import { AmqpClient, type AmqpQueueMessage } from "polymq/amqp091";

// A broker in this process, unless POLYMQ_AMQP_URL names another one.
const given = process.env["POLYMQ_AMQP_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const servers = given ?? `amqp://127.0.0.1:${broker?.port}`;

const shop = new AmqpClient({ servers, connectionName: "shop" });
const workers = ["worker-1", "worker-2"].map((connectionName) => ({
  name: connectionName,
  client: new AmqpClient({ servers, connectionName, prefetch: 10 }),
}));
let left = 3;
let finish: () => void = () => undefined;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

try {
  for (const { name, client } of workers) {
    await client.connect();
    await client.subscribeToQueue("orders", "order-shippers", (message) => ship(message, name));
  }
  await shop.connect();
  for (const order of [{ item: "widget" }, { item: "anvil" }, {}]) {
    // Resolves when the server has confirmed that it keeps the message.
    await shop.publishToQueue("orders", JSON.stringify(order), { contentType: "application/json" });
  }
  await finished;
} finally {
  await Promise.all([shop, ...workers.map(({ client }) => client)].map((client) => client.close()));
  await broker?.close();
}

/** Acknowledged when this returns, given back when it throws. */
function ship(message: AmqpQueueMessage, who: string): void {
  const { item } = message.json() as { readonly item?: string };
  if (item === undefined) {
    // No attempt will help: it is dead-lettered, where the server does so.
    message.reject();
    return end(`${who} rejected an order without an item`);
  }
  if (item === "anvil" && !message.redelivered) throw new Error("too heavy for the first attempt");
  end(`${item} shipped by ${who}${message.redelivered ? " at another attempt" : ""}`);
}

function end(what: string): void {
  process.stdout.write(`${what}\n`);
  if (--left === 0) finish();
}
