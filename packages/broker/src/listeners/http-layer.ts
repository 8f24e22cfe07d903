import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type AcceptedWebSocket, acceptWebSocket, type Clock, type WebSocketAcceptor } from "polymq/transport";
import type { WebSocketSettings } from "./listener-settings.ts";

/** Bytes that the headers of a request may have. */
const HEADER_BYTES_MAX = 16_384;

/** What a {@link HttpLayer} tells. */
export interface HttpLayerEvents {
  /** A WebSocket is open; give it a handler at once. `socket` is what carries it. */
  onWebSocket(web: AcceptedWebSocket, socket: Socket): void;
  /** A request got another answer than a WebSocket; its connection is being ended. */
  onRefused(): void;
  /** A connection did not finish its request in time and was ended. */
  onTimeout(): void;
}

/** What a {@link HttpLayer} works with. */
export interface HttpLayerOptions {
  readonly settings: WebSocketSettings;
  /** Subprotocols that are served, best first. */
  readonly subprotocols: readonly string[];
  readonly clock: Clock;
  /** Time for a request to come in and be answered. */
  readonly timeoutMs: number;
  readonly events: HttpLayerEvents;
}

/** Answers HTTP on sockets whose first bytes were read already: WebSocket at its paths, a short text elsewhere. */
export class HttpLayer {
  readonly #options: HttpLayerOptions;
  readonly #server: Server;
  readonly #acceptor: WebSocketAcceptor;
  /** Sockets whose request is not answered yet, each with what ends its deadline. */
  readonly #pending = new Map<Duplex, () => void>();

  constructor(options: HttpLayerOptions) {
    this.#options = options;
    const { paths, origins, messageBytesMax } = options.settings;
    this.#acceptor = acceptWebSocket({
      paths,
      protocols: options.subprotocols,
      messageBytesMax,
      ...(origins === null ? {} : { origins }),
    });
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
      this.#answer(request, response);
    });
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Serves the request that begins with the bytes that were read. */
  serve(socket: Socket, bytes: Uint8Array): void {
    const { clock, timeoutMs, events } = this.#options;
    const timer = clock.setTimer(timeoutMs, () => {
      socket.destroy();
      events.onTimeout();
    });
    const settle = (): void => {
      timer.cancel();
      this.#pending.delete(socket);
      socket.off("close", settle);
    };
    this.#pending.set(socket, settle);
    socket.once("close", settle);
    // The server reads the socket's handle itself; what was read goes back first, and nothing may flow in between.
    socket.pause();
    socket.unshift(bytes);
    this.#server.emit("connection", socket);
    socket.resume();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    let accepted = false;
    this.#acceptor.upgrade(request, socket, head, (web) => {
      accepted = true;
      this.#pending.get(socket)?.();
      this.#options.events.onWebSocket(web, request.socket);
    });
    if (!accepted) this.#options.events.onRefused();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const isWebSocketPath = this.#options.settings.paths.includes(pathOf(request));
    const headers = { "content-type": "text/plain; charset=utf-8", connection: "close" };
    if (isWebSocketPath) {
      response.writeHead(426, { ...headers, upgrade: "websocket", connection: "upgrade, close" });
      response.end(`This is a WebSocket address; subprotocols: ${this.#options.subprotocols.join(", ")}\n`);
    } else {
      response.writeHead(404, headers);
      response.end(`Not found. WebSocket is served at: ${this.#options.settings.paths.join(", ")}\n`);
    }
    this.#options.events.onRefused();
  }
}

/** The requested path without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
