import { MqttClient } from "polymq/mqtt";
import { expect, test } from "vitest";
import { brokerProgram, ChildBroker } from "./child-broker.test-support.ts";
import { MemoryGauge } from "./memory.test-support.ts";
import { say, until } from "./progress.test-support.ts";

const CLIENTS = 1_000;

/** Rounds of PINGREQ that everybody has to survive; the broker would cut a silent client after one and a half. */
const PINGS = 4;

const PINGREQ_BYTES = 2;

/** Far above what a connection needs. */
const BYTES_MAX = 128 * 1_024;

test("1,000 idle clients outlive their keep-alive and cost little memory each", async () => {
  const broker = await ChildBroker.start(await brokerProgram(), { port: 0 });
  const clients = Array.from(
    { length: CLIENTS },
    (_, i) =>
      new MqttClient({
        servers: `mqtt://127.0.0.1:${broker.port}`,
        clientId: `idle-${i}`,
        protocolVersion: i % 2 === 0 ? 4 : 5,
        keepAliveSeconds: 2,
        reconnect: false,
      }),
  );
  const losses: string[] = [];
  try {
    const before = await broker.picture();
    const gauge = new MemoryGauge();
    for (const client of clients) client.on("connectionLost", ({ error }) => losses.push(error.code));
    // Some at a time, as many machines do.
    for (let at = 0; at < CLIENTS; at += 100) {
      await Promise.all(clients.slice(at, at + 100).map((client) => client.connect()));
    }
    const connected = await broker.picture();
    const enough = connected.metrics.bytesReceived + PINGS * PINGREQ_BYTES * CLIENTS;
    // Nobody publishes: whatever comes in is a PINGREQ.
    await until(async () => losses.length > 0 || (await broker.metrics()).bytesReceived >= enough);
    const now = await broker.picture();
    const ours = gauge.grownBytes() / CLIENTS;
    const theirs = (now.rssBytes - before.rssBytes) / CLIENTS;
    say(
      `per connection: ${Math.round(theirs / 1_024)} KiB in the broker, ${Math.round(ours / 1_024)} KiB in the client`,
    );
    expect(losses).toEqual([]);
    expect(clients.filter((client) => !client.connected)).toEqual([]);
    expect(now.metrics.clientsConnected).toBe(CLIENTS);
    expect(theirs).toBeLessThan(BYTES_MAX);
    expect(ours).toBeLessThan(BYTES_MAX);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await broker.close();
  }
});
