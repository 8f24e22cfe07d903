import type { Client } from "polymq";

/** Publishes readings so that none is lost over a bad link; resolves when the server has all. */
export async function sendReadings(client: Client, readings: readonly number[]): Promise<void> {
  await Promise.all(readings.map((reading) => client.publish("readings", String(reading), { qos: 1 })));
}
