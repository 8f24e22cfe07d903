// Hot path: runs per chunk and per flush. No closure, promise, spread, iterator or regex in there.
import type { Socket } from "node:net";
import { MessagingError } from "../../base/errors.ts";
import type { Transport, TransportHandler, TransportInfo } from "../transport.ts";
import { peerInfo } from "./peer-info.ts";

/** How long a closing connection may go without progress before it is torn down. */
const LINGER_MS = 2_000;

/** Idle time before TCP probes the peer, unless told otherwise. */
export const TCP_KEEP_ALIVE_MS = 60_000;

/**
 * Bytes that a socket hands over before others have their turn. The runtime reads up to 2 MiB from one in one go: taking over that much of large AMQP 1.0
 * messages held the event loop up for 7 ms of CPU, and for 20 ms where the machine was busy.
 */
const TURN_BYTES_MAX = 524_288;

/** Settings of {@link wrapSocket}. */
export interface WrapOptions {
  /** When reading starts: at once, or in the next turn so that a caller behind a promise is ready. Default `now`. */
  readonly reading?: "now" | "nextTurn";
  /** Default 60,000; 0 sends no probes. */
  readonly tcpKeepAliveMs?: number | undefined;
  /** Bytes already read from the socket, to be handed over first. */
  readonly head?: Uint8Array | undefined;
}

/**
 * Makes a {@link Transport} of a connected TCP, TLS or local socket, client or server side, and takes the socket over:
 * Nagle's delay off, keep-alive on, errors caught.
 */
export function wrapSocket(socket: Socket, handler: TransportHandler, options: WrapOptions = {}): Transport {
  return new SocketTransport(socket, handler, options);
}

type SocketState =
  | { readonly is: "open" }
  /** Nothing more is sent but what is buffered: `close` was called, or the peer ended its side. */
  | { readonly is: "closing" }
  | { readonly is: "destroyed"; readonly error: Error | null }
  | { readonly is: "closed" };

class SocketTransport implements Transport {
  readonly info: TransportInfo;
  readonly #socket: Socket;
  readonly #handler: TransportHandler;
  #state: SocketState = { is: "open" };
  #failure: Error | null = null;
  /** True after a `write` that returned false until the drain is told. */
  #owesDrain = false;
  /** Bytes read since it rested last. */
  #readBytes = 0;
  /** True from {@link TURN_BYTES_MAX} until the next turn. */
  #rests = false;
  #isPaused = false;
  readonly #onRested = (): void => {
    this.#rests = false;
    if (!this.#isPaused) this.#socket.resume();
  };
  readonly #onWritten = (): void => {
    if (!this.#owesDrain || this.#socket.writableLength > 0) return;
    this.#owesDrain = false;
    if (this.#state.is === "open") this.#handler.onDrain();
  };

  constructor(socket: Socket, handler: TransportHandler, options: WrapOptions) {
    this.#socket = socket;
    this.#handler = handler;
    this.info = peerInfo(socket);
    socket.setNoDelay(true);
    const keepAliveMs = options.tcpKeepAliveMs ?? TCP_KEEP_ALIVE_MS;
    if (keepAliveMs > 0) socket.setKeepAlive(true, keepAliveMs);
    socket.on("error", (error) => this.#onError(error));
    socket.on("end", () => this.#enterClosing());
    socket.on("timeout", () => socket.destroy());
    if (socket.closed) setImmediate(() => this.#onClose());
    else socket.on("close", () => this.#onClose());
    if (options.head !== undefined && options.head.length > 0) socket.unshift(options.head);
    if (options.reading === "nextTurn") setImmediate(() => this.#startReading());
    else this.#startReading();
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (this.#state.is !== "open" || socket.destroyed) return true;
    socket.write(bytes, this.#onWritten);
    if (socket.writableLength === 0) return true;
    this.#owesDrain = true;
    return false;
  }

  pause(): void {
    if (this.#state.is !== "open") return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#rests) this.#socket.resume();
  }

  close(): void {
    if (this.#state.is !== "open") return;
    this.#enterClosing();
    this.#isPaused = false;
    this.#socket.end();
    // Unread input would keep the peer's end from being seen, and turn our end into a reset.
    this.#socket.resume();
  }

  destroy(error?: Error): void {
    if (this.#state.is === "destroyed" || this.#state.is === "closed") return;
    this.#state = { is: "destroyed", error: error ?? null };
    this.#socket.destroy();
  }

  #startReading(): void {
    // A plain view: `slice` on a `Buffer` would share memory, and its type is Node's own.
    this.#socket.on("data", (chunk: Buffer) => {
      if (this.#state.is !== "open") return;
      this.#handler.onBytes(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      this.#readBytes += chunk.byteLength;
      if (this.#readBytes >= TURN_BYTES_MAX) this.#rest();
    });
  }

  /** Reads on in the next turn. */
  #rest(): void {
    this.#readBytes = 0;
    if (this.#rests || this.#isPaused) return;
    this.#rests = true;
    this.#socket.pause();
    setImmediate(this.#onRested);
  }

  #enterClosing(): void {
    if (this.#state.is !== "open") return;
    this.#state = { is: "closing" };
    this.#socket.setTimeout(LINGER_MS);
  }

  #onError(error: Error): void {
    // Once everything went out and one side has ended, a reset is only the peer's way to hang up.
    if (this.#state.is !== "closing" || !this.#socket.writableFinished) this.#failure ??= error;
    // A TLS alert alone does not close the socket.
    this.#socket.destroy();
  }

  #onClose(): void {
    const state = this.#state;
    this.#state = { is: "closed" };
    if (state.is === "destroyed") {
      this.#handler.onClosed(state.error);
      return;
    }
    const cause = this.#failure;
    const message = `the connection failed: ${cause?.message}`;
    this.#handler.onClosed(cause === null ? null : new MessagingError("ERR_CONNECTION_LOST", message, { cause }));
  }
}
