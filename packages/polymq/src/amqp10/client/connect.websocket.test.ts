import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { memoryPair } from "../../transport/memory.ts";
import { nodePlatform } from "../../transport/node/platform.ts";
import { wrapWebSocket } from "../../transport/node/websocket.ts";
import { acceptWebSocket } from "../../transport/node/websocket-server.ts";
import type { Platform, WebSocketDialOptions, WebSocketLike } from "../../transport/platform.ts";
import { webPlatform } from "../../transport/web/platform.ts";
import { encoded, LabServer, textOfBytes, until } from "./client-lab.test-support.ts";
import { connectOver } from "./connect.ts";

let http: Server | null = null;
const streams = new Set<Duplex>();

afterEach(async () => {
  for (const stream of streams) stream.destroy();
  streams.clear();
  http?.closeAllConnections();
  await new Promise((resolve) => (http === null ? resolve(null) : http.close(resolve)));
  http = null;
});

interface Served {
  readonly port: number;
  readonly servers: LabServer[];
  /** Subprotocols in force. */
  readonly protocols: string[];
}

/** An AMQP server behind WebSocket that cuts what it sends into messages of `cut` bytes. */
async function serve(protocols: readonly string[], cut: number): Promise<Served> {
  const served: Served = { port: 0, servers: [], protocols: [] };
  const acceptor = acceptWebSocket({ protocols });
  http = createServer();
  http.on("upgrade", (request, stream: Duplex, head: Buffer) => {
    streams.add(stream);
    acceptor.upgrade(request, stream, head, (web) => {
      served.protocols.push(web.protocol);
      const pair = memoryPair();
      const server = new LabServer(pair.server, {});
      pair.server.attach(server);
      const inner = pair.client.attach({
        onBytes: (chunk) => {
          for (let at = 0; at < chunk.length; at += cut) outer.write(chunk.slice(at, at + cut));
        },
        onDrain: () => {},
        onClosed: () => outer.close(),
      });
      const outer = wrapWebSocket(web.socket, {
        onBytes: (chunk) => void inner.write(chunk.slice()),
        onDrain: () => {},
        onClosed: () => inner.close(),
      });
      served.servers.push(server);
    });
  });
  await new Promise<void>((resolve) => http?.listen(0, "127.0.0.1", resolve));
  return { ...served, port: (http.address() as AddressInfo).port };
}

/** The transport of browsers, on a socket of the standard's form. */
const BROWSER: Partial<WebSocketDialOptions> = {
  createWebSocket: (url, protocols) => new WebSocket(url, [...protocols]) as unknown as WebSocketLike,
};

describe.each([
  ["Node", nodePlatform, {}],
  ["the platform of browsers", webPlatform, BROWSER],
])("over WebSocket with %s (S21)", (_name, platform: () => Platform, webSocket: Partial<WebSocketDialOptions>) => {
  test("messages pass however frames and WebSocket messages are cut", async () => {
    for (const cut of [7, 100_000]) {
      const { port, servers, protocols } = await serve(["amqp"], cut);
      const connection = await connectOver(platform(), `ws://127.0.0.1:${port}/amqp`, { webSocket });
      const session = await connection.createSession();
      const sender = await session.createSender("q");
      const receiver = await session.createReceiver("q");
      const large = new Uint8Array(200_000).fill(7);
      await sender.send(large);
      servers[0]?.deliver(["a", "b"]);
      expect(textOfBytes((await receiver.receive()).message.data)).toBe("a");
      expect(textOfBytes((await receiver.receive()).message.data)).toBe("b");
      expect([protocols, servers[0]?.deliveries[0]?.payloadBytes]).toEqual([["amqp"], encoded("").length + 200_003]);
      await connection.close();
      http?.closeAllConnections();
      await new Promise((resolve) => http?.close(resolve));
    }
  });

  test("the older subprotocol of Azure is offered when asked for", async () => {
    const { port, protocols } = await serve(["AMQPWSB10"], 100_000);
    const connection = await connectOver(platform(), `ws://127.0.0.1:${port}/$servicebus/websocket`, {
      webSocket: { ...webSocket, protocols: ["AMQPWSB10"] },
    });
    expect(protocols).toEqual(["AMQPWSB10"]);
    await connection.close();
  });

  test("a server without the subprotocol is refused", async () => {
    const { port } = await serve(["mqtt"], 100_000);
    const attempt = connectOver(platform(), `ws://127.0.0.1:${port}/`, { webSocket });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
  });

  test("a lost connection comes back", async () => {
    const { port, servers } = await serve(["amqp"], 100_000);
    const connection = await connectOver(platform(), `ws://127.0.0.1:${port}/`, {
      webSocket,
      reconnect: { initialDelayMs: 0, jitter: "none" },
    });
    const sender = await (await connection.createSession()).createSender("q");
    for (const stream of streams) stream.destroy();
    await until(() => servers.length === 2 && connection.state === "open");
    expect(await sender.send("x")).toEqual({ type: "accepted" });
    await connection.close();
  });
});
