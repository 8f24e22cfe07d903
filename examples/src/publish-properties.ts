/** MQTT 5.0 publish properties: content type, response topic, correlation data, expiry, user properties. */
import { startBroker } from "@polymq/broker";
import { MqttClient, type MqttMessage, userPropertyValues } from "polymq/mqtt";

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const client = new MqttClient({
  servers: given ?? `mqtt://127.0.0.1:${broker?.port}`,
  clientId: "example-publish-properties",
  protocolVersion: 5,
});

try {
  await client.connect();
  const readings = await client.subscribe("sensors/temp", { qos: 1 });

  // One object, as the seed's PublishMessage takes it; publish(topic, payload, options) is the same.
  await client.publish({
    topic: "sensors/temp",
    payload: "22.5",
    qos: 1,
    properties: {
      contentType: "text/plain",
      payloadFormat: 1,
      messageExpirySeconds: 60,
      responseTopic: "responses/temp",
      correlationData: new TextEncoder().encode("req-123"),
      // A name may repeat: give a list, or pairs in order.
      userProperties: { unit: "celsius", tag: ["indoor", "calibrated"] },
    },
  });

  for await (const message of readings) {
    print(message);
    message.ack();
    break;
  }
} finally {
  await client.close();
  await broker?.close();
}

function print(message: MqttMessage): void {
  const lines = [
    `topic: ${message.topic}`,
    `payload: ${message.text()}`,
    `content type: ${message.contentType}`,
    `response topic: ${message.responseTopic}`,
    `correlation data: ${new TextDecoder().decode(message.correlationData)}`,
    `unit: ${userPropertyValues(message.userProperties, "unit").join()}`,
    `tags: ${userPropertyValues(message.userProperties, "tag").join()}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
