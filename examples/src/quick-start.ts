/** Connects, subscribes, publishes, receives. */
import { startBroker } from "@polymq/broker";
import { MqttClient } from "polymq/mqtt";

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const client = new MqttClient({
  servers: given ?? `mqtt://127.0.0.1:${broker?.port}`,
  clientId: "example-quick-start",
  protocolVersion: 5,
});

try {
  await client.connect();
  const readings = await client.subscribe("sensors/#", { qos: 1 });
  await client.publish("sensors/temp", "22.5", { qos: 1 });
  for await (const message of readings) {
    process.stdout.write(`received: ${message.topic} -> ${message.text()} (QoS ${message.qos})\n`);
    // A loop acknowledges a message when it asks for the next one; this one does not ask again.
    message.ack();
    break;
  }
} finally {
  await client.close();
  await broker?.close();
}
