import type { Clock, Timer } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import { MessagingError } from "../base/errors.ts";
import { systemClock } from "../base/system-clock.ts";
import { copyOf } from "../bytes/copy.ts";
import type { Transport, TransportHandler, TransportInfo } from "./transport.ts";

/** How a {@link memoryPair} carries bytes. */
export interface MemoryPairOptions {
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Bytes under way in one direction from which on `write` returns false. Default 65,536. */
  readonly highWaterBytes?: number;
  /** The most bytes of the next chunk, asked for each one; default: each write arrives as one chunk. */
  readonly chunkBytes?: number | (() => number);
  /** Time from a write to the arrival of each of its chunks; default 0, which is the next turn. Order is kept when it varies. */
  readonly delayMs?: number | (() => number);
  /** What the server's end is told as the client's port. Default 1. */
  readonly clientPort?: number;
}

/** Two connected ends in one process. */
export interface MemoryPair {
  readonly client: MemoryTransport;
  readonly server: MemoryTransport;
  /** Ends both sides at once as a lost link does: bytes under way are dropped, both get `ERR_CONNECTION_LOST`. */
  cut(): void;
  /**
   * From now on nothing arrives at either end, not even that the other one is gone, as when a cable is pulled out: bytes under way are dropped, and
   * what is written waits for ever. An end learns of it by its own deadlines.
   */
  silence(): void;
}

/** A byte stream inside one process; bytes are copied on `write` and arrive in a later turn, never inside a call. */
export interface MemoryTransport extends Transport {
  /** Sets the receiver of upcalls; until then what arrives waits. Returns the transport itself. */
  attach(handler: TransportHandler): MemoryTransport;
}

/** Connects two {@link MemoryTransport}s, for tests, simulation and in-process brokers. */
export function memoryPair(options: MemoryPairOptions = {}): MemoryPair {
  const clock = options.clock ?? systemClock();
  const client = new MemoryEnd(clock, options, { ...INFO, remotePort: 2 });
  const server = new MemoryEnd(clock, options, { ...INFO, remotePort: options.clientPort ?? 1 });
  client.peer = server;
  server.peer = client;
  return {
    client,
    server,
    cut: () => {
      client.peerGone(new MessagingError("ERR_CONNECTION_LOST", "the link was cut"));
      server.peerGone(new MessagingError("ERR_CONNECTION_LOST", "the link was cut"));
    },
    silence: () => {
      client.silence();
      server.silence();
    },
  };
}

const INFO: TransportInfo = {
  kind: "memory",
  remoteAddress: "memory",
  remotePort: 0,
  secure: false,
  peerCommonName: "",
};

/** Something under way to the other end: bytes, or the end of the stream when `bytes` is null. */
interface Parcel {
  readonly bytes: Uint8Array | null;
  readonly dueMs: number;
}

type EndState =
  | { readonly is: "open" }
  /** `close` was called: what is under way still arrives, then the connection ends. */
  | { readonly is: "closing" }
  /** The end is decided; `onClosed` is told in a later turn. */
  | { readonly is: "ending"; readonly error: Error | null }
  | { readonly is: "closed" };

class MemoryEnd implements MemoryTransport {
  readonly info: TransportInfo;
  peer: MemoryEnd | null = null;
  readonly #clock: Clock;
  readonly #highWaterBytes: number;
  readonly #nextChunkBytes: () => number;
  readonly #nextDelayMs: () => number;
  #handler: TransportHandler | null = null;
  #state: EndState = { is: "open" };
  /** Parcels under way from this end to the peer, oldest first. */
  #sent = new Deque<Parcel>();
  #sentBytes = 0;
  #lastDueMs = 0;
  #owesDrain = false;
  /** True while a delivery from this end is on the clock, as `#timer` when it is some time off. */
  #delivering = false;
  #timer: Timer | null = null;
  #paused = false;

  constructor(clock: Clock, options: MemoryPairOptions, info: TransportInfo) {
    this.info = info;
    this.#clock = clock;
    this.#highWaterBytes = options.highWaterBytes ?? 65_536;
    this.#nextChunkBytes = asFunction(options.chunkBytes ?? Number.POSITIVE_INFINITY);
    this.#nextDelayMs = asFunction(options.delayMs ?? 0);
  }

  get bufferedBytes(): number {
    return this.#sentBytes;
  }

  attach(handler: TransportHandler): MemoryTransport {
    this.#handler = handler;
    this.peer?.schedule();
    if (this.#state.is === "ending") this.#clock.nextTurn(() => this.#tellClosed());
    return this;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state.is !== "open") return true;
    if (bytes.length === 0) return !this.#owesDrain;
    let at = 0;
    while (at < bytes.length) {
      const dueMs = this.#dueMs();
      const size = Math.max(1, Math.floor(this.#nextChunkBytes()));
      const end = Math.min(bytes.length, at + size);
      this.#sent.push({ bytes: copyOf(bytes.subarray(at, end)), dueMs });
      at = end;
    }
    this.#sentBytes += bytes.length;
    if (this.#sentBytes >= this.#highWaterBytes) this.#owesDrain = true;
    this.schedule();
    return !this.#owesDrain;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.peer?.schedule();
  }

  close(): void {
    if (this.#state.is !== "open") return;
    this.#state = { is: "closing" };
    this.#sent.push({ bytes: null, dueMs: this.#dueMs() });
    this.schedule();
  }

  destroy(error?: Error): void {
    if (this.#state.is === "ending" || this.#state.is === "closed") return;
    this.#drop();
    this.#end(error ?? null);
    this.peer?.peerGone(null);
  }

  /** Sees to it that the oldest parcel is delivered when it is due. */
  schedule(): void {
    const first = this.#sent.peek();
    if (first === undefined || this.#delivering || this.peer?.canTake(first) !== true) return;
    this.#delivering = true;
    const waitMs = first.dueMs - this.#clock.nowMs();
    const deliver = (): void => {
      this.#delivering = false;
      this.#timer = null;
      this.#deliver();
    };
    if (waitMs > 0) this.#timer = this.#clock.setTimer(waitMs, deliver);
    else this.#clock.nextTurn(deliver);
  }

  /** True when this end has a receiver and is reading; the end of the stream is seen only after all bytes. */
  canTake(parcel: Parcel): boolean {
    if (this.#handler === null) return false;
    return this.#state.is === "closing" || (!this.#paused && (this.#state.is === "open" || parcel.bytes === null));
  }

  /** Takes one parcel from the peer; after `close` bytes are dropped. */
  take(parcel: Parcel): void {
    if (parcel.bytes !== null) {
      if (this.#state.is === "open") this.#handler?.onBytes(parcel.bytes);
      return;
    }
    this.#drop();
    this.#end(null);
  }

  /** The peer or the link is no more: nothing more comes and nothing more can be sent. */
  peerGone(error: Error | null): void {
    this.#drop();
    this.#end(error);
  }

  /** The other end is out of reach. */
  silence(): void {
    this.#drop();
    this.peer = null;
  }

  #deliver(): void {
    const peer = this.peer;
    const now = this.#clock.nowMs();
    for (;;) {
      const parcel = this.#sent.peek();
      if (peer === null || parcel === undefined || parcel.dueMs > now || !peer.canTake(parcel)) break;
      this.#sent.shift();
      this.#sentBytes -= parcel.bytes?.length ?? 0;
      peer.take(parcel);
      if (parcel.bytes === null) this.#end(null);
    }
    if (this.#owesDrain && this.#sentBytes === 0 && this.#state.is === "open") {
      this.#owesDrain = false;
      this.#handler?.onDrain();
    }
    this.schedule();
  }

  #dueMs(): number {
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.nowMs() + this.#nextDelayMs());
    return this.#lastDueMs;
  }

  #drop(): void {
    this.#sent.clear();
    this.#sentBytes = 0;
    this.#owesDrain = false;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #end(error: Error | null): void {
    if (this.#state.is === "ending" || this.#state.is === "closed") return;
    this.#state = { is: "ending", error };
    if (this.#handler !== null) this.#clock.nextTurn(() => this.#tellClosed());
  }

  #tellClosed(): void {
    const state = this.#state;
    if (state.is !== "ending") return;
    this.#state = { is: "closed" };
    this.#handler?.onClosed(state.error);
  }
}

function asFunction(value: number | (() => number)): () => number {
  return typeof value === "function" ? value : () => value;
}
