import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type AcceptedWebSocket, acceptWebSocket } from "polymq/transport";

/** A WebSocket server that passes the bytes of each connection on to a port of 127.0.0.1, as proxies in front of brokers do. */
export interface WebSocketBridge {
  readonly port: number;
  /** The subprotocol of each connection so far. */
  readonly protocols: readonly string[];
  close(): Promise<void>;
}

/** Starts one for the subprotocol `amqp`. */
export async function startWebSocketBridge(target: number): Promise<WebSocketBridge> {
  const protocols: string[] = [];
  const http = createServer();
  const acceptor = acceptWebSocket({ protocols: ["amqp"] });
  const bridged = ({ socket, protocol }: AcceptedWebSocket): void => {
    protocols.push(protocol);
    const upstream = connect(target, "127.0.0.1");
    socket.on("message", (data: Buffer) => upstream.write(data));
    socket.on("close", () => upstream.destroy());
    upstream.on("data", (chunk) => socket.send(chunk));
    upstream.on("close", () => socket.close());
    upstream.on("error", () => socket.terminate());
  };
  http.on("upgrade", (request, stream, head) => {
    acceptor.upgrade(request, stream, head, bridged);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    port: (http.address() as AddressInfo).port,
    protocols,
    close: async () => {
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}
