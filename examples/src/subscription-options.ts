/** MQTT 5.0 subscription options: no local, retain as published, retain handling, subscription identifier, options per filter. */
import { startBroker } from "@polymq/broker";
import { MqttClient } from "polymq/mqtt";

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const servers = given ?? `mqtt://127.0.0.1:${broker?.port}`;
const subscriber = new MqttClient({ servers, clientId: "example-options-subscriber", protocolVersion: 5 });
const publisher = new MqttClient({ servers, clientId: "example-options-publisher", protocolVersion: 5 });

try {
  await subscriber.connect();
  await publisher.connect();
  await publisher.publish("sensors/temp", "retained before", { qos: 1, retain: true });

  const temperatures = await subscriber.subscribe("sensors/temp", {
    qos: 1,
    noLocal: true, // nothing that this client publishes itself
    retainAsPublished: true, // the retain flag as the publisher set it
    retainHandling: 2, // no retained messages at subscribing; 1: only if the subscription is new
    subscriptionIdentifier: 42, // comes back with each message
  });

  // Several filters at once, a QoS or options for each.
  const others = await subscriber.subscribe({ "devices/+/status": 2, "logs/#": { qos: 0, retainHandling: 1 } });
  for (const { filter, reasonCode } of others.filters) process.stdout.write(`${filter}: granted QoS ${reasonCode}\n`);

  await subscriber.publish("sensors/temp", "from the subscriber itself", { qos: 1 });
  await publisher.publish("sensors/temp", "22.5", { qos: 1, retain: true });
  for await (const message of temperatures) {
    const { retain, subscriptionIdentifiers } = message;
    process.stdout.write(`${message.text()}: retain ${retain}, subscription ${subscriptionIdentifiers.join()}\n`);
    message.ack();
    break; // unsubscribes
  }
  await subscriber.unsubscribe(["devices/+/status", "logs/#"]);
  await publisher.publish("sensors/temp", "", { qos: 1, retain: true }); // an empty payload clears the retained message
} finally {
  await subscriber.close();
  await publisher.close();
  await broker?.close();
}
