/** A will: what the broker publishes for a client that is gone without saying goodbye. */
import { startBroker } from "@polymq/broker";
import { MqttClient, userPropertyValues } from "polymq/mqtt";

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const servers = given ?? `mqtt://127.0.0.1:${broker?.port}`;
const watcher = new MqttClient({ servers, clientId: "example-will-watcher", protocolVersion: 5 });
const device = new MqttClient({
  servers,
  clientId: "example-will-device",
  protocolVersion: 5,
  sessionExpirySeconds: 60, // without a session that lasts, the end of the connection ends the delay too
  will: {
    topic: "clients/device-001/status",
    payload: "offline",
    qos: 1,
    delaySeconds: 1, // a device that is back within the second was never away
    messageExpirySeconds: 3_600,
    userProperties: { reason: "unexpected" },
  },
});

try {
  await watcher.connect();
  const states = await watcher.subscribe("clients/+/status", { qos: 1 });
  await device.connect();
  await device.publish("clients/device-001/status", "online", { qos: 1 });

  for await (const message of states) {
    const reason = userPropertyValues(message.userProperties, "reason").join();
    process.stdout.write(`${message.topic}: ${message.text()}${reason === "" ? "" : ` (${reason})`}\n`);
    if (message.text() === "offline") {
      message.ack();
      break;
    }
    // destroy() cuts the connection without a DISCONNECT, as a crash does; close() would discard the will.
    await device.destroy();
  }
} finally {
  await device.destroy();
  await watcher.close();
  await broker?.close();
}
