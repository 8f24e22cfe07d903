import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../base/system-clock.ts";
import { faultProxy } from "../../testing/node/fault-proxy.ts";
import { leakCheck } from "../../testing/node/leak-check.ts";
import { wrapSocket } from "../../transport/node/socket-transport.ts";
import { listenTcp } from "../../transport/node/tcp.ts";
import type { QoS } from "../codec/packets.ts";
import { MqttClient } from "../index.ts";
import { FakeServer, type FakeServerOptions } from "./fake-server.test-support.ts";

/** A server on a real port. */
async function listening(
  options: FakeServerOptions = {},
): Promise<{ server: FakeServer; port: number; close: () => Promise<void> }> {
  const server = new FakeServer(systemClock(), options);
  const listener = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) =>
    server.accept({ attach: (handler) => wrapSocket(socket, handler), cut: () => socket.destroy() }),
  );
  return {
    server,
    port: listener.port,
    close: async () => {
      for (const connection of server.connections) connection.cut();
      await listener.close();
    },
  };
}

describe("over real sockets", () => {
  test("messages go both ways at every QoS, and nothing is left behind afterwards [MQTT-4.2.0-1] [MQTT3-7.1.2-1]", async () => {
    const leaks = leakCheck();
    const { server, port, close } = await listening({ routes: true });
    const client = new MqttClient({ servers: `mqtt://127.0.0.1:${port}`, clientId: "c", protocolVersion: 5 });
    await client.connect();
    const got: string[] = [];
    const count = 600;
    await new Promise<void>((resolve, reject) => {
      const handler = (message: { text(): string }): void => {
        if (got.push(message.text()) === count) resolve();
      };
      const work = async (): Promise<void> => {
        await client.subscribe("echo/#", { qos: 2, handler });
        const all = Array.from({ length: count }, (_, i) =>
          client.publish(`echo/${i % 7}`, `${i} ${"x".repeat(i * 5)}`, { qos: (i % 3) as QoS }),
        );
        await Promise.all(all);
      };
      work().catch(reject);
    });
    expect(got.map((text) => Number.parseInt(text, 10)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    expect(server.received).toHaveLength(count);
    await client.close();
    await close();
    await leaks.check();
  });

  test("a loop that awaits each QoS 0 publish lets timers fire and acknowledgements in", async () => {
    const { port, close } = await listening();
    const client = new MqttClient({ servers: `mqtt://127.0.0.1:${port}`, clientId: "c" });
    await client.connect();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    let acknowledged = false;
    const confirmed = client.publish("t", "x", { qos: 1 }).then(() => {
      acknowledged = true;
    });
    const payload = new Uint8Array(1_000);
    let sent = 0;
    for (; sent < 200_000 && !(acknowledged && ticks > 3); sent++) await client.publish("t", payload);
    clearInterval(timer);
    expect(acknowledged).toBe(true);
    expect(ticks).toBeGreaterThan(3);
    await confirmed;
    await client.destroy();
    await close();
  });

  test("bytes in pieces of any size make no difference", async () => {
    const { server, port, close } = await listening({ routes: true });
    const proxy = await faultProxy({ target: { host: "127.0.0.1", port }, faults: { pieceBytes: [1, 3] } });
    const client = new MqttClient({ servers: `mqtt://127.0.0.1:${proxy.port}`, clientId: "c", protocolVersion: 5 });
    await client.connect();
    for (let i = 0; i < 20; i++) await client.publish("t", `${i}`, { qos: 2 });
    expect(server.payloads).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    await client.close();
    await proxy.close();
    await close();
  });

  test("a server that accepts and says nothing is an ERR_CONNECT_TIMEOUT, and its socket is closed", async () => {
    const leaks = leakCheck();
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const client = new MqttClient({ servers: `127.0.0.1:${port}`, clientId: "c", connectTimeoutMs: 50 });
    await expect(client.connect()).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    await client.close();
    await Promise.all(
      sockets.map(
        (socket) => new Promise((resolve) => (socket.destroyed ? resolve(null) : socket.on("close", resolve).resume())),
      ),
    );
    await new Promise((resolve) => silent.close(resolve));
    await leaks.check();
  });

  test("nobody listening is an ERR_CONNECT_FAILED with the system's error as cause", async () => {
    const { port, close } = await listening();
    await close();
    const client = new MqttClient({ servers: `127.0.0.1:${port}`, clientId: "c" });
    await expect(client.connect()).rejects.toMatchObject({
      code: "ERR_CONNECT_FAILED",
      cause: { code: "ECONNREFUSED" },
    });
    await client.close();
  });
});
