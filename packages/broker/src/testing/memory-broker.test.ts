import { MqttClient } from "polymq/mqtt";
import { VirtualClock } from "polymq/testing";
import { memoryPair, nodePlatform } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { MemoryMedium, MemoryStore } from "../storage/memory-store.ts";
import { memoryBroker } from "./memory-broker.ts";

describe("a broker in memory", () => {
  test("serves clients that dial it, without a socket", async () => {
    await using broker = await memoryBroker();
    await using client = new MqttClient({ servers: "mqtt://memory", clientId: "c", dial: broker.dial });
    await client.connect();
    const got = new Promise<string>((resolve) => {
      void client
        .subscribe("a/#", { handler: (message) => resolve(message.text()) })
        .then(() => client.publish("a/b", "x"));
    });
    expect(await got).toBe("x");
    expect(broker.addresses).toEqual([]);
    expect(broker.inspect().attachedCount).toBe(1);
  });

  test("keeps sessions in the store that it was given", async () => {
    const medium = new MemoryMedium();
    const connectOnce = async (): Promise<boolean> => {
      await using broker = await memoryBroker({}, { store: new MemoryStore(medium) });
      const options = { cleanStart: false, protocolVersion: 5, sessionExpirySeconds: 60 } as const;
      await using client = new MqttClient({ servers: "mqtt://m", clientId: "c", dial: broker.dial, ...options });
      const connected = new Promise<boolean>((resolve) => {
        client.once("connect", (event) => resolve(event.sessionPresent));
      });
      await client.connect();
      return await connected;
    };
    expect([await connectOnce(), await connectOnce()]).toEqual([false, true]);
  });

  test("does nothing but what its clock lets it: a connection that says nothing ends after its time", async () => {
    const clock = new VirtualClock();
    const broker = await memoryBroker(
      { connections: { sniffTimeoutMs: 500 } },
      { platform: { ...nodePlatform(), clock } },
    );
    const pair = memoryPair({ clock });
    broker.accept((handler) => pair.server.attach(handler));
    const ends: (Error | null)[] = [];
    pair.client.attach({ onBytes: ignore, onDrain: ignore, onClosed: (error) => ends.push(error) });
    await clock.advance(499);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect(ends).toEqual([null]);
    expect(broker.inspect().metrics.connectionsTimedOut).toBe(1);
    const closing = broker.close();
    await clock.advance(10_000);
    await closing;
    expect([clock.pendingTimers, clock.pendingTurns]).toEqual([0, 0]);
  });

  test.each([
    ["bytes of no protocol", "connectionsUnrecognized", 10],
    ["one connection more than allowed", "connectionsRefused", 0],
  ] as const)("ends %s", async (_, metric, countMax) => {
    const clock = new VirtualClock();
    const options = { connections: { countMax: Math.max(1, countMax) } };
    const broker = await memoryBroker(options, { platform: { ...nodePlatform(), clock } });
    const ends: (Error | null)[] = [];
    for (let i = 0; i < (countMax === 0 ? 2 : 1); i++) {
      const pair = memoryPair({ clock });
      broker.accept((handler) => pair.server.attach(handler));
      pair.client.attach({ onBytes: ignore, onDrain: ignore, onClosed: (error) => ends.push(error) });
      if (countMax > 0) pair.client.write(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
    }
    await clock.settle();
    expect(ends).toEqual([null]);
    expect(broker.inspect().metrics[metric]).toBe(1);
    const closing = broker.close();
    await clock.advance(10_000);
    await closing;
  });
});

function ignore(): void {}
