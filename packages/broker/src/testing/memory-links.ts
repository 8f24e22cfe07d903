import { MessagingError } from "polymq/internal";
import { type Clock, type DialHook, type MemoryPair, memoryPair, type TransportHandler } from "polymq/transport";
import type { Attach } from "../listeners/memory-listeners.ts";

/** How links carry bytes. */
export interface LinkFaults {
  /** Time from a write to its arrival, in ms. Default 0: the next turn. */
  readonly delayMs?: number;
  /** The most bytes that arrive at once. Default: each write arrives whole. */
  readonly chunkBytes?: number;
}

/** The connections in memory that clients dialled, each known by its port. */
export class MemoryLinks {
  readonly dial: DialHook;
  readonly #clock: Clock;
  readonly #accept: (attach: Attach) => void;
  readonly #pairs = new Map<number, MemoryPair>();
  #lastPort = PORTS_FROM;
  #faults: LinkFaults = {};
  #refusals = 0;
  #refused = 0;

  constructor(clock: Clock, accept: (attach: Attach) => void) {
    this.#clock = clock;
    this.#accept = accept;
    this.dial = (_endpoint, _options, handler) => {
      if (this.#refusals > 0) {
        this.#refusals--;
        this.#refused++;
        return Promise.reject(new MessagingError("ERR_CONNECT_FAILED", "the connection was refused"));
      }
      return Promise.resolve(this.#connect(handler));
    };
  }

  /** Those that are not over at the broker's end. */
  get ports(): number[] {
    return [...this.#pairs.keys()];
  }

  /** Dials that were refused so far. */
  get refusedCount(): number {
    return this.#refused;
  }

  /** So many dials from now on are refused. */
  refuse(count: number): void {
    this.#refusals = count;
  }

  /** What is written from now on travels like this, on all links. */
  shape(faults: LinkFaults): void {
    this.#faults = faults;
  }

  pair(port: number): MemoryPair | undefined {
    return this.#pairs.get(port);
  }

  #connect(handler: TransportHandler): ReturnType<MemoryPair["client"]["attach"]> {
    const clientPort = ++this.#lastPort;
    const pair = memoryPair({
      clock: this.#clock,
      clientPort,
      delayMs: () => this.#faults.delayMs ?? 0,
      chunkBytes: () => this.#faults.chunkBytes ?? Number.POSITIVE_INFINITY,
    });
    this.#pairs.set(clientPort, pair);
    this.#accept((server) =>
      pair.server.attach({
        onBytes: (chunk) => server.onBytes(chunk),
        onDrain: () => server.onDrain(),
        onClosed: (error) => {
          this.#pairs.delete(clientPort);
          server.onClosed(error);
        },
      }),
    );
    return pair.client.attach(handler);
  }
}

/** Above what a caller's own connections have as port. */
const PORTS_FROM = 49_151;
