import type { Clock, Timer } from "../../base/clock.ts";
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { connectAttempt } from "../connect-attempt.ts";
import type { Endpoint } from "../endpoint.ts";
import type { DialOptions, WebSocketLike } from "../platform.ts";
import type { Transport, TransportHandler, TransportInfo } from "../transport.ts";
import { CloseCode, closedError, webSocketUrl } from "../websocket-rules.ts";

/** Unsent bytes from which on `write` returns false. The standard WebSocket copies what it is given. */
const HIGH_WATER_BYTES = 262_144;

/** Time between two looks at the unsent bytes: the standard WebSocket has no event for them. */
const POLL_MS = 5;

/** How long a closing handshake may take until its end is reported anyway. */
const LINGER_MS = 2_000;

/** Input held for a paused receiver; the standard WebSocket cannot be told to stop, so above it the connection ends. */
const HELD_BYTES_MAX = 67_108_864;

const OPEN = 1;

/**
 * Connects through the runtime's own `WebSocket`, or the one that `createWebSocket` makes.
 * @throws {MessagingError} ERR_CONNECT_FAILED (browsers do not tell why), ERR_CONNECT_TIMEOUT, ERR_ABORTED, ERR_UNSUPPORTED when
 *   there is no WebSocket or when `headers`, `agent` or `tls` are given
 */
export function dialWebWebSocket(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions,
  handler: TransportHandler,
): Promise<Transport> {
  const secure = options.kind === "wss";
  return connectAttempt<Transport>(clock, options, (report) => {
    let socket: WebSocketLike | null = null;
    let abandoned = false;
    const begin = async (): Promise<void> => {
      const url = webSocketUrl(endpoint, secure ? "wss" : "ws");
      const address = (await options.webSocket?.transformUrl?.(url)) ?? url;
      if (abandoned) return;
      socket = openSocket(address, options);
      socket.binaryType = "arraybuffer";
      const opened = socket;
      socket.onerror = socket.onclose = () => report.failed(new Error("the WebSocket could not be opened"));
      socket.onopen = () => {
        const info = { ...INFO, remoteAddress: endpoint.host, remotePort: endpoint.port, secure };
        report.done(new WebTransport(opened, handler, { clock, info }));
      };
    };
    begin().catch((error: unknown) => report.failed(error));
    return () => {
      abandoned = true;
      if (socket === null) return;
      socket.onopen = socket.onerror = socket.onclose = null;
      socket.close();
    };
  });
}

const INFO: TransportInfo = { kind: "websocket", remoteAddress: "", remotePort: 0, secure: false, peerCommonName: "" };

function openSocket(url: string, options: DialOptions): WebSocketLike {
  const web = options.webSocket ?? { protocols: [] };
  if (web.createWebSocket !== undefined) return web.createWebSocket(url, web.protocols);
  if (web.headers !== undefined || web.agent !== undefined || options.tls !== undefined) {
    throw new MessagingError("ERR_UNSUPPORTED", "the runtime's WebSocket takes no headers, agent or TLS options");
  }
  const { WebSocket } = globalThis as unknown as {
    WebSocket?: new (url: string, protocols: readonly string[]) => WebSocketLike;
  };
  if (WebSocket === undefined) throw new MessagingError("ERR_UNSUPPORTED", "the runtime has no WebSocket");
  return new WebSocket(url, web.protocols);
}

/** `ending`: the closing handshake is under way, or the end is decided and `onClosed` is told in a later turn. */
type SocketState = "open" | "ending" | "closed";

class WebTransport implements Transport {
  readonly info: TransportInfo;
  readonly #socket: WebSocketLike;
  readonly #handler: TransportHandler;
  readonly #clock: Clock;
  #state: SocketState = "open";
  /** What `destroy` was given. */
  #error: Error | null = null;
  /** Ends a closing handshake that takes too long. */
  #deadline: Timer | null = null;
  /** Set while a drain is owed. */
  #poll: Timer | null = null;
  #reading: "paused" | "flowing" = "flowing";
  readonly #held = new Deque<Uint8Array>();
  #heldBytes = 0;

  constructor(socket: WebSocketLike, handler: TransportHandler, context: { clock: Clock; info: TransportInfo }) {
    this.#socket = socket;
    this.#handler = handler;
    this.#clock = context.clock;
    this.info = context.info;
    socket.onopen = null;
    socket.onerror = null;
    socket.onmessage = (event: { readonly data: unknown }) => this.#onMessage(event.data);
    socket.onclose = (event: { readonly code: number; readonly reason: string }) =>
      this.#enterClosed(closedError(event.code, event.reason, null));
  }

  get bufferedBytes(): number {
    return this.#state === "closed" ? 0 : this.#socket.bufferedAmount;
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (this.#state !== "open" || socket.readyState !== OPEN || bytes.length === 0) return true;
    socket.send(bytes);
    if (this.#poll !== null) return false;
    if (socket.bufferedAmount < HIGH_WATER_BYTES) return true;
    this.#pollLater();
    return false;
  }

  pause(): void {
    this.#reading = "paused";
  }

  resume(): void {
    if (this.#reading === "flowing") return;
    this.#reading = "flowing";
    this.#clock.nextTurn(() => this.#release());
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#end();
    this.#deadline = this.#clock.setTimer(LINGER_MS, () => this.#enterClosed(null));
    this.#socket.close(CloseCode.normal);
  }

  destroy(error?: Error): void {
    if (this.#state === "closed") return;
    this.#error ??= error ?? null;
    this.#end();
    // A WebSocket cannot be torn down at once; the end is reported without waiting for it.
    if (this.#socket.readyState <= OPEN) this.#socket.close();
    this.#clock.nextTurn(() => this.#enterClosed(null));
  }

  #end(): void {
    this.#state = "ending";
    this.#poll?.cancel();
    this.#poll = null;
    this.#deadline?.cancel();
    this.#held.clear();
    this.#heldBytes = 0;
  }

  #onMessage(data: unknown): void {
    // Something came in, so time has passed: the only other hint that bytes have left.
    this.#checkDrain();
    if (this.#state !== "open") return;
    if (!(data instanceof ArrayBuffer)) {
      const error = new MessagingError("ERR_PROTOCOL_VIOLATION", "a WebSocket text message [MQTT-6.0.0-1]");
      this.destroy(error);
      return;
    }
    if (data.byteLength === 0) return;
    const chunk = new Uint8Array(data);
    if (this.#reading === "flowing" && this.#held.length === 0) this.#handler.onBytes(chunk);
    else this.#hold(chunk);
  }

  #hold(chunk: Uint8Array): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes <= HELD_BYTES_MAX) return;
    this.destroy(new MessagingError("ERR_CONNECTION_LOST", "too much came in while reading was paused"));
  }

  #release(): void {
    while (this.#reading === "flowing" && this.#state === "open") {
      const chunk = this.#held.shift();
      if (chunk === undefined) return;
      this.#heldBytes -= chunk.length;
      this.#handler.onBytes(chunk);
    }
  }

  #pollLater(): void {
    this.#poll = this.#clock.setTimer(POLL_MS, () => {
      this.#pollLater();
      this.#checkDrain();
    });
  }

  #checkDrain(): void {
    if (this.#poll === null || this.#socket.bufferedAmount > 0) return;
    this.#poll.cancel();
    this.#poll = null;
    this.#handler.onDrain();
  }

  #enterClosed(error: Error | null): void {
    const state = this.#state;
    if (state === "closed") return;
    this.#end();
    this.#state = "closed";
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#handler.onClosed(state === "open" ? error : this.#error);
  }
}
