/** AMQP 0-9-1: topics with wildcards, requests and answers, and a lost connection, which is cut on purpose. */
import { startBroker } from "@polymq/broker";
import { AmqpClient } from "polymq/amqp091";
import { faultProxy } from "polymq/testing";

const given = process.env["POLYMQ_AMQP_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const target = new URL(given ?? `amqp://127.0.0.1:${broker?.port}`);
const link = await faultProxy({ target: { host: target.hostname, port: Number(target.port || "5672") } });
const client = new AmqpClient({
  servers: `amqp://${link.host}:${link.port}`,
  reconnect: { initialDelayMs: 100, maxDelayMs: 2_000 },
});

client.on("connectionLost", ({ error }) => print(`lost: ${error.code}`));
client.on("reconnecting", ({ attempt }) => print(`reconnect attempt ${attempt}`));

try {
  await client.connect();
  const readings = await client.subscribe("sensors/#");
  await client.publish("sensors/temp", "22.5");
  const back = new Promise<void>((resolve) => void client.once("connect", () => resolve()));
  for await (const message of readings) {
    print(`topic: ${message.topic} payload: ${message.text()}`);
    if (message.text() === "23.0") break;
    // The subscription comes back with the connection.
    link.cut("rst");
    await back;
    await client.publish("sensors/temp", "23.0");
  }

  // Who answers has a queue; the answer finds its way by itself.
  const channel = await client.channel();
  await channel.declareQueue("time", { durable: false, autoDelete: true });
  await client.respond("time", (request) => `the time in ${request.text()} is noon`);
  const answer = await client.request("time", "Greenwich", { timeoutMs: 5_000 });
  print(answer.text());
} finally {
  await client.close();
  await link.close();
  await broker?.close();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
