import type { Socket } from "node:net";
import type { Clock, Timer } from "polymq/transport";
import type { Route } from "./first-bytes.ts";

/** A route that is settled. */
export type Decision = Exclude<Route, { readonly is: "more" }>;

/** How a {@link sniff} goes and ends; exactly one of `onDecided`, `onTimeout` and the socket's close ends it. */
export interface SniffOptions {
  readonly clock: Clock;
  /** Time for the deciding bytes to arrive. */
  readonly timeoutMs: number;
  readonly route: (firstBytes: Uint8Array) => Route;
  /** `bytes` is all that was read. Called while the socket is flowing: who does not listen for data at once pauses it. */
  readonly onDecided: (decision: Decision, bytes: Uint8Array) => void;
  readonly onTimeout: () => void;
}

/** Reads a socket until its first bytes tell where it goes, then lets go of it completely. */
export function sniff(socket: Socket, options: SniffOptions): void {
  new Sniffer(socket, options).start();
}

class Sniffer {
  readonly #socket: Socket;
  readonly #options: SniffOptions;
  #seen: Uint8Array = new Uint8Array(0);
  #timer: Timer | null = null;

  constructor(socket: Socket, options: SniffOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.setTimer(this.#options.timeoutMs, () => {
      this.#letGo();
      this.#options.onTimeout();
    });
    this.#socket.on("data", this.#onData);
    this.#socket.on("close", this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#seen = this.#seen.length === 0 ? bytes : joined(this.#seen, bytes);
    const route = this.#options.route(this.#seen);
    if (route.is === "more") return;
    this.#letGo();
    this.#options.onDecided(route, this.#seen);
  };

  readonly #onClose = (): void => this.#letGo();

  #letGo(): void {
    this.#timer?.cancel();
    this.#socket.off("data", this.#onData);
    this.#socket.off("close", this.#onClose);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
