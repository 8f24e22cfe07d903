/**
 * QoS 2 across the end of a process. The first client's link breaks in the middle of its exchanges and the client is gone; a
 * second one finds on disk where they stood and finishes them. Each message arrives once. (Here both run one after the other in
 * one process.)
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBroker } from "@polymq/broker";
import { ClassicLevel } from "classic-level";
import { MqttClient, type MqttClientOptions } from "polymq/mqtt";
import { LevelStore } from "polymq/store";
import { faultProxy } from "polymq/testing";

const COUNT = 10;

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const target = new URL(given ?? `mqtt://127.0.0.1:${broker?.port}`);
const link = await faultProxy({ target: { host: target.hostname, port: Number(target.port || "1883") } });
const directory = await mkdtemp(join(tmpdir(), "polymq-example-"));
const database = new ClassicLevel<string, Uint8Array>(join(directory, "inflight"));

const auditor = new MqttClient({ servers: target.href, clientId: "example-durable-auditor", protocolVersion: 5 });
const device: MqttClientOptions = {
  servers: `mqtt://${link.host}:${link.port}`,
  clientId: "example-durable-device",
  protocolVersion: 5,
  cleanStart: false,
  sessionExpirySeconds: 3_600,
};

try {
  await auditor.connect();
  const entries = await auditor.subscribe("audit/#", { qos: 2 });

  const first = new MqttClient({ ...device, store: new LevelStore({ database }), reconnect: false });
  await first.connect();
  // Five acknowledgements of four bytes come through, then the link breaks.
  link.cutAfter({ direction: "toClient", unit: "bytes", count: link.stats.bytesToClient + 20, mode: "rst" });
  const outcomes = await Promise.allSettled(
    Array.from({ length: COUNT }, (_, i) => first.publish("audit/door", `entry ${i}`, { qos: 2 })),
  );
  await first.destroy();
  const unsure = outcomes.filter((outcome) => outcome.status === "rejected").length;
  process.stdout.write(`the first client does not know what became of ${unsure} of ${COUNT} messages\n`);

  const second = new MqttClient({ ...device, store: new LevelStore({ database }) });
  await second.connect();
  await second.close(); // waits until all exchanges are finished

  await auditor.publish("audit/door", "that was all", { qos: 2 });
  const arrived: string[] = [];
  for await (const entry of entries) {
    entry.ack();
    if (entry.text() === "that was all") break;
    arrived.push(entry.text());
  }
  process.stdout.write(`arrived: ${arrived.length}, different ones: ${new Set(arrived).size}\n`);
} finally {
  await auditor.close();
  await link.close();
  await broker?.close();
  await database.close();
  await rm(directory, { recursive: true });
}
