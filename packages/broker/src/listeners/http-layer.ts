import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TransportInfo } from "polymq/internal";
import {
  type AcceptedWebSocket,
  acceptWebSocket,
  type Clock,
  type Timer,
  type WebSocketAcceptor,
} from "polymq/transport";
import type { WebSocketSettings } from "./listener-settings.ts";

/** Bytes that the headers of a request may have. */
const HEADER_BYTES_MAX = 16_384;

/** What a {@link HttpLayer} tells. */
export interface HttpLayerEvents {
  /** A WebSocket is open; give it a handler at once. `socket` is what carries it. */
  onWebSocket(web: AcceptedWebSocket, socket: Socket): void;
  /** A request got an error as its answer. */
  onRefused(): void;
  /** A connection did not finish its request in time and was ended. */
  onTimeout(): void;
}

/** Answers requests that ask for no WebSocket; resolves when the answer is handed over, and never rejects. */
export interface HttpRequests {
  handle(request: IncomingMessage, response: ServerResponse, peer: TransportInfo): Promise<"served" | "refused">;
}

/** What a {@link HttpLayer} works with. */
export interface HttpLayerOptions {
  /** Null: no WebSocket is served. */
  readonly settings: WebSocketSettings | null;
  /** Null: nothing but WebSocket is served. */
  readonly requests: HttpRequests | null;
  /** Facts about the connection that a request came by. */
  readonly peerOf: (socket: Socket) => TransportInfo;
  /** Subprotocols that are served, best first. */
  readonly subprotocols: readonly string[];
  /** A WebSocket that names no subprotocol. */
  readonly bareWebSocket: "accept" | "refuse";
  readonly clock: Clock;
  /** Time for a request to come in and be answered. */
  readonly timeoutMs: number;
  readonly events: HttpLayerEvents;
}

/** Answers HTTP on sockets whose first bytes were read already: WebSocket at its paths, requests elsewhere. */
export class HttpLayer {
  readonly #options: HttpLayerOptions;
  readonly #server: Server;
  readonly #acceptor: WebSocketAcceptor | null;
  /** The time that each socket has for what is due: a request, its answer, or the next request. */
  readonly #deadlines = new Map<Duplex, Timer>();

  constructor(options: HttpLayerOptions) {
    this.#options = options;
    this.#acceptor = options.settings === null ? null : acceptorOf(options.settings, options);
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
      this.#answer(request, response);
    });
    // Sockets have deadlines of ours.
    this.#server.keepAliveTimeout = 0;
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Serves the request that begins with the bytes that were read. */
  serve(socket: Socket, bytes: Uint8Array): void {
    this.#expect(socket, () => this.#options.events.onTimeout());
    socket.once("close", () => this.#settle(socket));
    // The server reads the socket's handle itself; what was read goes back first, and nothing may flow in between.
    socket.pause();
    socket.unshift(bytes);
    this.#server.emit("connection", socket);
    socket.resume();
  }

  /** Gives the socket time for what is due; then it is ended. */
  #expect(socket: Duplex, onTimeout: () => void): void {
    this.#settle(socket);
    const timer = this.#options.clock.setTimer(this.#options.timeoutMs, () => {
      socket.destroy();
      onTimeout();
    });
    this.#deadlines.set(socket, timer);
  }

  #settle(socket: Duplex): void {
    this.#deadlines.get(socket)?.cancel();
    this.#deadlines.delete(socket);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    if (this.#acceptor === null) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      this.#options.events.onRefused();
      return;
    }
    let accepted = false;
    this.#acceptor.upgrade(request, socket, head, (web) => {
      accepted = true;
      this.#settle(socket);
      this.#options.events.onWebSocket(web, request.socket);
    });
    if (!accepted) this.#options.events.onRefused();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { settings, requests, events } = this.#options;
    const isWebSocketPath = settings?.paths.includes(pathOf(request)) === true;
    if (requests !== null && !isWebSocketPath) {
      this.#serveRequest(requests, request, response);
      return;
    }
    const headers = { "content-type": "text/plain; charset=utf-8", connection: "close" };
    if (isWebSocketPath) {
      response.writeHead(426, { ...headers, upgrade: "websocket", connection: "upgrade, close" });
      response.end(`This is a WebSocket address; subprotocols: ${this.#options.subprotocols.join(", ")}\n`);
    } else {
      response.writeHead(404, headers);
      response.end(`Not found. WebSocket is served at: ${settings?.paths.join(", ") ?? ""}\n`);
    }
    events.onRefused();
  }

  #serveRequest(requests: HttpRequests, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const { peerOf, events } = this.#options;
    // A connection that is kept for further requests may stay idle: nobody failed when it ends.
    response.once("finish", () => {
      if (!socket.destroyed) this.#expect(socket, () => undefined);
    });
    void requests.handle(request, response, peerOf(socket)).then((outcome) => {
      if (outcome === "refused") events.onRefused();
    });
  }
}

function acceptorOf(
  settings: WebSocketSettings,
  { subprotocols: protocols, bareWebSocket: withoutProtocol }: HttpLayerOptions,
): WebSocketAcceptor {
  const { paths, origins, messageBytesMax } = settings;
  return acceptWebSocket({
    paths,
    protocols,
    withoutProtocol,
    messageBytesMax,
    ...(origins === null ? {} : { origins }),
  });
}

/** The requested path without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
