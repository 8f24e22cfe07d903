/** AMQP 0-9-1: a stream, read from its beginning, from an offset, and by a group that commits where it is. */
import { startBroker } from "@polymq/broker";
import { AmqpClient, type AmqpStreamSubscribeOptions } from "polymq/amqp091";

const given = process.env["POLYMQ_AMQP_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const client = new AmqpClient({ servers: given ?? `amqp://127.0.0.1:${broker?.port}` });

try {
  await client.connect();
  const queue = await client.declareStreamQueue({
    name: "events",
    durable: true,
    maxAge: "7D",
    maxLengthBytes: 10 * 1024 * 1024 * 1024,
  });
  for (let i = 0; i < 5; i++) await client.publishToStream(queue, `event ${i}`);

  await read("from the beginning", { queue, offset: "first" });
  await read("from offset 3", { queue, offset: { offset: 3 } });

  // RabbitMQ's streams have no groups.
  if (client.dialect !== "rabbitmq") {
    const group = { queue, consumerGroup: "my-group", autoCommit: false } as const;
    for await (const message of await client.subscribeToStream({ ...group, offset: "first" })) {
      if (message.streamOffset !== 1) continue;
      // The next one to read: what comes after a crash. message.commit() says the same.
      await client.commitOffset(queue, "my-group", 2);
      break;
    }
    print("the group has committed offset 2");
  }
} finally {
  await client.close();
  await broker?.close();
}

/** Reads up to the last event, in a subscription of its own. */
async function read(how: string, options: AmqpStreamSubscribeOptions): Promise<void> {
  for await (const message of await client.subscribeToStream(options)) {
    print(`${how}: offset ${message.streamOffset}, ${message.text()}`);
    if (message.streamOffset === 4) break;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
