// Hot path: runs per WebSocket message and per flush. No closure, promise, spread, iterator or regex in there.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import { checkedOptions } from "../../base/option-rules.ts";
import { connectAttempt } from "../connect-attempt.ts";
import type { Endpoint } from "../endpoint.ts";
import type { DialOptions, WebSocketDialOptions } from "../platform.ts";
import type { Transport, TransportHandler, TransportInfo } from "../transport.ts";
import { CloseCode, closedError, MESSAGE_BYTES_MAX, webSocketUrl } from "../websocket-rules.ts";
import { peerInfo } from "./peer-info.ts";
import { TCP_KEEP_ALIVE_MS } from "./socket-transport.ts";
import { localOptions } from "./tcp.ts";
import { secureOptions } from "./tls.ts";

/** How long a closing handshake may take before the connection is torn down. */
const LINGER_MS = 2_000;

/**
 * Connects over WebSocket (RFC 6455) with the subprotocols given; the server has to choose one of them [MQTT-6.0.0-3].
 * @throws {MessagingError} ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT, ERR_ABORTED, ERR_INVALID_OPTIONS for a certificate or key that OpenSSL
 *   refuses
 */
export function dialWebSocket(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions,
  handler: TransportHandler,
): Promise<Transport> {
  const web = options.webSocket ?? { protocols: [] };
  return connectAttempt<Transport>(clock, options, (report) => {
    let socket: WebSocket | null = null;
    let abandoned = false;
    const begin = async (): Promise<void> => {
      const url = webSocketUrl(endpoint, options.kind === "wss" ? "wss" : "ws");
      const address = web.transformUrl === undefined ? url : await web.transformUrl(url);
      if (abandoned) return;
      socket = openSocket(address, endpoint, options);
      awaitOpen(socket, { handler, options, report });
    };
    begin().catch((error: unknown) => report.failed(error));
    return () => {
      abandoned = true;
      socket?.terminate();
    };
  });
}

function openSocket(address: string, endpoint: Endpoint, options: DialOptions): WebSocket {
  const web: WebSocketDialOptions = options.webSocket ?? { protocols: [] };
  const { messageBytesMax } = checkedOptions(
    { code: "ERR_INVALID_OPTIONS", options: web, prefix: "webSocket." },
    { protocols: "object", headers: "object", messageBytesMax: [1, Number.MAX_SAFE_INTEGER, MESSAGE_BYTES_MAX] },
  );
  const settings: object = {
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    closeTimeout: LINGER_MS,
    ...(web.headers === undefined ? {} : { headers: { ...web.headers } }),
    ...(web.agent === undefined ? {} : { agent: web.agent }),
    ...localOptions(options),
    ...(options.kind === "wss" ? secureOptions(options.tls ?? {}, endpoint.host) : {}),
  };
  return new WebSocket(address, [...web.protocols], settings);
}

interface Opening {
  readonly handler: TransportHandler;
  readonly options: DialOptions;
  readonly report: { done(value: Transport): void; failed(error: unknown): void };
}

function awaitOpen(socket: WebSocket, opening: Opening): void {
  let stream: Duplex | null = null;
  socket.once("upgrade", (response: IncomingMessage) => {
    stream = response.socket;
  });
  // Stays for good: `ws` reports a handshake that was given up as an error, too.
  socket.on("error", (error) => opening.report.failed(error));
  socket.once("open", () => {
    // The server's first bytes may be here already; nobody listens before the promise's reactions have run.
    socket.pause();
    const { tcpKeepAliveMs } = opening.options;
    const transport = new WebSocketTransport(socket, opening.handler, { stream, tcpKeepAliveMs });
    setImmediate(() => transport.startReading());
    opening.report.done(transport);
  });
}

/** Settings of {@link wrapWebSocket}. */
export interface WrapWebSocketOptions {
  /** The socket beneath, for addresses and keep-alive. */
  readonly stream: Duplex | null;
  /** Idle time before TCP probes the peer. Default 60,000; 0 sends no probes. */
  readonly tcpKeepAliveMs?: number | undefined;
}

/** Makes a {@link Transport} of an open `ws` WebSocket. Message boundaries mean nothing; a text message ends the connection. */
export function wrapWebSocket(
  socket: WebSocket,
  handler: TransportHandler,
  options: WrapWebSocketOptions = { stream: null },
): Transport {
  return new WebSocketTransport(socket, handler, options);
}

type SocketState =
  | { readonly is: "open" }
  /** The closing handshake is under way. */
  | { readonly is: "closing"; readonly error: Error | null }
  | { readonly is: "destroyed"; readonly error: Error | null }
  | { readonly is: "closed" };

class WebSocketTransport implements Transport {
  readonly info: TransportInfo;
  readonly #socket: WebSocket;
  readonly #handler: TransportHandler;
  #state: SocketState = { is: "open" };
  #failure: Error | null = null;
  #reading: "waiting" | "paused" | "flowing" = "waiting";
  /** True after a `write` that returned false until the drain is told. */
  #owesDrain = false;
  readonly #onWritten = (): void => {
    if (!this.#owesDrain || this.#socket.bufferedAmount > 0) return;
    this.#owesDrain = false;
    if (this.#state.is === "open") this.#handler.onDrain();
  };

  constructor(socket: WebSocket, handler: TransportHandler, options: WrapWebSocketOptions) {
    this.#socket = socket;
    this.#handler = handler;
    this.info = peerInfo(options.stream, "websocket");
    setKeepAlive(options.stream, options.tcpKeepAliveMs ?? TCP_KEEP_ALIVE_MS);
    socket.on("message", (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    socket.on("error", (error) => {
      this.#failure ??= error;
    });
    socket.on("close", (code, reason) => this.#onClose(code, reason.toString()));
    if (!socket.isPaused) this.#reading = "flowing";
  }

  get bufferedBytes(): number {
    return this.#state.is === "closed" ? 0 : this.#socket.bufferedAmount;
  }

  /** Ends the quiet time after a dial. */
  startReading(): void {
    if (this.#reading !== "waiting") return;
    this.#reading = "flowing";
    this.#socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (this.#state.is !== "open" || socket.readyState !== WebSocket.OPEN || bytes.length === 0) return true;
    socket.send(bytes, BINARY, this.#onWritten);
    if (socket.bufferedAmount === 0) return true;
    this.#owesDrain = true;
    return false;
  }

  pause(): void {
    if (this.#state.is !== "open") return;
    this.#reading = "paused";
    this.#socket.pause();
  }

  resume(): void {
    if (this.#state.is !== "open") return;
    this.#reading = "flowing";
    this.#socket.resume();
  }

  close(): void {
    this.#close(CloseCode.normal, "", null);
  }

  destroy(error?: Error): void {
    if (this.#state.is === "destroyed" || this.#state.is === "closed") return;
    this.#state = { is: "destroyed", error: error ?? null };
    this.#socket.terminate();
  }

  #close(code: number, reason: string, error: Error | null): void {
    if (this.#state.is !== "open") return;
    this.#state = { is: "closing", error };
    this.#socket.close(code, reason);
    // The peer's closing frame has to be read, or the handshake would wait in vain.
    this.#socket.resume();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#state.is !== "open") return;
    if (isBinary) {
      if (data.length > 0) this.#handler.onBytes(new Uint8Array(data.buffer, data.byteOffset, data.length));
      return;
    }
    const error = new MessagingError("ERR_PROTOCOL_VIOLATION", "a WebSocket text message [MQTT-6.0.0-1]");
    this.#close(CloseCode.unsupportedData, "binary messages only", error);
  }

  #onClose(code: number, reason: string): void {
    const state = this.#state;
    this.#state = { is: "closed" };
    const decided = state.is === "closing" || state.is === "destroyed";
    this.#handler.onClosed(decided ? state.error : closedError(code, reason, this.#failure));
  }
}

const BINARY = { binary: true } as const;

/** A plain stream has no keep-alive. */
interface KeepAlive {
  setKeepAlive?(on: boolean, idleMs: number): unknown;
}

function setKeepAlive(stream: Duplex | null, idleMs: number): void {
  if (idleMs > 0) (stream as KeepAlive | null)?.setKeepAlive?.(true, idleMs);
}
