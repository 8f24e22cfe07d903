/** What a client tells of itself: callbacks by type, and all events as one stream. The link is cut once on purpose. */
import { startBroker } from "@polymq/broker";
import { MqttClient } from "polymq/mqtt";
import { faultProxy } from "polymq/testing";

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const target = new URL(given ?? `mqtt://127.0.0.1:${broker?.port}`);
const link = await faultProxy({ target: { host: target.hostname, port: Number(target.port || "1883") } });
const client = new MqttClient({
  servers: `mqtt://${link.host}:${link.port}`,
  clientId: "example-lifecycle",
  protocolVersion: 5,
  reconnect: { initialDelayMs: 100, maxDelayMs: 2_000, maxAttempts: 20 },
});

client.on("connect", ({ server, sessionPresent }) =>
  print(`connected to ${server}, session present: ${sessionPresent}`),
);
client.on("connectionLost", ({ error }) => print(`connection lost: ${error.code}`));
client.on("reconnecting", ({ attempt }) => print(`reconnecting (attempt ${attempt})`));
client.on("reconnectFailed", ({ error }) => print(`gave up: ${error.message}`));
client.on("serverCapabilities", ({ capabilities }) => {
  print(`server: maximum QoS ${capabilities.maximumQoS}, retain available: ${capabilities.retainAvailable}`);
});

try {
  await client.connect();
  const events = client.events();
  link.cut("rst");
  for await (const event of events) if (event.type === "connect") break;

  // Ends the connection with a reason and allows connect() again; close() would be final.
  await client.disconnect({ reasonCode: 0x04, reasonString: "going offline" });
  print(`state: ${client.state}`);
} finally {
  await client.close();
  print(`state: ${client.state}`);
  await link.close();
  await broker?.close();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
