/** Workers that share a queue: done, tried again, and given up. */
import { type Broker, startBroker } from "@polymq/broker";
import { MqttClient, type MqttQueueMessage } from "polymq/mqtt";

interface Order {
  readonly item?: string;
}

// A broker in this process, unless POLYMQ_URL names another one.
const embedded: Broker | null = process.env["POLYMQ_URL"] === undefined ? await startBroker({ port: 0 }) : null;
const servers = process.env["POLYMQ_URL"] ?? embedded?.url ?? "";

const shop = new MqttClient({ servers, clientId: "shop", protocolVersion: 5 });
const workers = ["worker-1", "worker-2"].map((clientId) => new MqttClient({ servers, clientId, protocolVersion: 5 }));
let left = 3;
let finish: () => void = () => undefined;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

try {
  for (const worker of workers) {
    await worker.connect();
    await worker.subscribeToQueue("orders", "packers", { handler: (message) => pack(message, worker.clientId) });
  }
  await shop.connect();
  await shop.subscribeToQueue("$dlq/orders", "office", {
    handler: (message) => end(`dead letter: ${message.text()} ${message.deadLetter?.reason}`),
  });
  for (const order of [{ item: "widget" }, { item: "anvil" }, {}] satisfies Order[]) {
    await shop.publishToQueue("orders", JSON.stringify(order));
  }
  await finished;
} finally {
  await Promise.all([shop, ...workers].map((client) => client.close()));
  await embedded?.close();
}

/** Acknowledged when this resolves. */
async function pack(message: MqttQueueMessage, who: string): Promise<void> {
  const { item } = message.json() as Order;
  // Rejected: no attempt will help. It goes to the queue's dead letters.
  if (item === undefined) return await message.reject("an order without an item");
  // A handler that fails gives its message back; somebody in the group gets it again.
  if (item === "anvil" && message.deliveryCount === 0) throw new Error("too heavy for the first attempt");
  end(`${item} packed by ${who}, attempt ${message.deliveryCount + 1}`);
}

function end(what: string): void {
  process.stdout.write(`${what}\n`);
  if (--left === 0) finish();
}
