import { startBroker } from "@polymq/broker";
import { connect } from "polymq";
import { faultProxy } from "polymq/testing";
import { expect, test, vi } from "vitest";
import { sendReadings } from "./readings.ts";

test("every reading arrives, though the link breaks on the way", async () => {
  await using broker = await startBroker({ port: 0 });
  const link = await faultProxy({ target: { host: "127.0.0.1", port: broker.port }, seed: 7 });
  try {
    const arrived = new Set<string>();
    await using watcher = await connect(broker.url);
    await watcher.subscribe("readings", { qos: 1, handler: (message) => arrived.add(message.text()) });
    await using device = await connect(`mqtt://${link.host}:${link.port}` as string, {
      reconnect: { initialDelayMs: 10 },
      mqtt: { sessionExpirySeconds: 60 },
    });
    link.cutAfter({ direction: "toServer", unit: "bytes", count: 300, mode: "rst" });
    await sendReadings(
      device,
      Array.from({ length: 50 }, (_, i) => i),
    );
    await vi.waitUntil(() => arrived.size === 50);
    expect(link.stats.cuts).toBe(1);
  } finally {
    await link.close();
  }
});
