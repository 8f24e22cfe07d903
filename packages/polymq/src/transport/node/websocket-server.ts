import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { MESSAGE_BYTES_MAX } from "../websocket-rules.ts";

/** What an upgrade request must look like. */
export interface AcceptWebSocketOptions {
  /** Paths that are served, such as `["/mqtt"]`; the query is ignored. Default: any. */
  readonly paths?: readonly string[] | undefined;
  /** Subprotocols that are spoken, best first. A request that offers others alone is refused with 400 [MQTT-6.0.0-3]. */
  readonly protocols: readonly string[];
  /** A request that offers no subprotocol at all. Default `refuse`, with 400. */
  readonly withoutProtocol?: "refuse" | "accept" | undefined;
  /** Browser origins that may connect; a request without an Origin header comes from no browser and is let through. Default: any. */
  readonly origins?: readonly string[] | undefined;
  /** Largest message taken, in bytes; above it the connection ends with code 1009. Default 268,435,460. */
  readonly messageBytesMax?: number | undefined;
}

/** An accepted upgrade. */
export interface AcceptedWebSocket {
  readonly socket: WebSocket;
  /** The subprotocol chosen; "" for a request that offered none. */
  readonly protocol: string;
  readonly request: IncomingMessage;
}

/** Turns HTTP upgrade requests into WebSockets; give it what an HTTP server's `upgrade` event gives. */
export interface WebSocketAcceptor {
  /**
   * Answers one upgrade request. `accept` is called with the open socket, to be given to `wrapWebSocket` at once; a request that does not
   * fit is answered with a 4xx status and its connection ended.
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, accept: (web: AcceptedWebSocket) => void): void;
}

/** Makes a {@link WebSocketAcceptor}; it listens nowhere by itself and holds nothing to close. */
export function acceptWebSocket(options: AcceptWebSocketOptions): WebSocketAcceptor {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.messageBytesMax ?? MESSAGE_BYTES_MAX,
    handleProtocols: (offered) => options.protocols.find((protocol) => offered.has(protocol)) ?? false,
    ...LINGER,
  });
  return {
    upgrade: (request, socket, head, accept) => {
      const status = refusal(request, options);
      if (status !== 0) {
        refuse(socket, status);
        return;
      }
      server.handleUpgrade(request, socket, Buffer.from(head.buffer, head.byteOffset, head.length), (web) =>
        accept({ socket: web, protocol: web.protocol, request }),
      );
    },
  };
}

/** How long a closing handshake may take; newer than the type declarations of `ws`. */
const LINGER: object = { closeTimeout: 2_000 };

/** The HTTP status to refuse with, or 0. What every WebSocket request must have is checked by `ws` itself. */
function refusal(request: IncomingMessage, options: AcceptWebSocketOptions): number {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (options.paths !== undefined && !options.paths.includes(path)) return 404;
  const origin = request.headers.origin;
  if (options.origins !== undefined && origin !== undefined && !options.origins.includes(origin)) return 403;
  const header = request.headers["sec-websocket-protocol"];
  if (header === undefined && options.withoutProtocol === "accept") return 0;
  const offered = (header ?? "").split(",").map((name) => name.trim());
  return options.protocols.some((protocol) => offered.includes(protocol)) ? 0 : 400;
}

function refuse(socket: Duplex, status: number): void {
  socket.on("error", () => socket.destroy());
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
