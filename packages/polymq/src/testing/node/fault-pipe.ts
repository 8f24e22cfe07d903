import type { Socket } from "node:net";
import { Deque } from "../../base/deque.ts";
import { type FrameMeasure, Splitter } from "../../bytes/splitter.ts";
import { randomInteger } from "../seeded-random.ts";

/** Which way bytes go through a fault proxy. */
export type Direction = "toServer" | "toClient";

/** What a fault proxy does to bytes that pass; what is left out does not happen. */
export interface Faults {
  /** Each chunk arrives this much later, or by a random time in the range; order is kept. */
  readonly delayMs?: number | readonly [leastMs: number, mostMs: number];
  /** Bytes are passed on in pieces of random sizes in this range, each in a turn of its own. */
  readonly pieceBytes?: readonly [least: number, most: number];
  /** The most bytes a second in each direction. */
  readonly bytesPerSecond?: number;
  /** Nothing passes this way until the faults are set anew. */
  readonly stall?: Direction | "both";
}

/** What a {@link FaultPipe} needs from the proxy. */
export interface PipeOptions {
  readonly source: Socket;
  readonly sink: Socket;
  readonly direction: Direction;
  readonly faults: () => Faults;
  readonly random: () => number;
  readonly measure: FrameMeasure | null;
  /** Told of each piece passed on. */
  readonly onPiece: (bytes: number) => void;
  /** Told when a whole frame has come in, with the frames so far. */
  readonly onFrame: (frames: number, pipe: FaultPipe) => void;
  /** Told when the byte at which to cut has been passed on. */
  readonly onCut: () => void;
}

/** Bytes held back in one direction above which the source is not read. */
const HELD_BYTES_MAX = 1_048_576;

/** One direction of one connection through a fault proxy. */
export class FaultPipe {
  readonly #options: PipeOptions;
  /** Chunks on their way, oldest first; null is the end of the stream. */
  readonly #parcels = new Deque<{ bytes: Uint8Array | null; readonly dueMs: number }>();
  readonly #splitter: Splitter | null;
  #heldBytes = 0;
  #passedBytes = 0;
  #lastDueMs = 0;
  #frames = 0;
  #frameEnd = 0;
  #cutAt = Number.POSITIVE_INFINITY;
  #cancelStep: (() => void) | null = null;
  #ending = false;
  #stopped = false;

  constructor(options: PipeOptions) {
    this.#options = options;
    const { measure, source, sink } = options;
    this.#splitter = measure === null ? null : this.#frameCounter(measure);
    source.on("data", (chunk: Buffer) => this.#onData(chunk));
    source.on("end", () => this.endAfterThis());
    sink.on("drain", () => this.kick());
  }

  /** Cuts the connection once `bytes` of this direction, counted from its start, have passed; at once when they have. */
  cutAfterBytes(bytes: number): void {
    this.#cutAt = Math.min(this.#cutAt, bytes);
    if (this.#passedBytes >= this.#cutAt) this.#options.onCut();
  }

  /** True once the byte at which to cut has passed. */
  get reachedCut(): boolean {
    return this.#passedBytes >= this.#cutAt;
  }

  /** Takes back a cut that has not happened. */
  forgetCut(): void {
    this.#cutAt = Number.POSITIVE_INFINITY;
  }

  /** Cuts the connection once everything up to the frame that came in last has passed. */
  cutAfterThisFrame(): void {
    this.cutAfterBytes(this.#frameEnd);
  }

  /** Ends this direction after the bytes on their way; what the source sends later is dropped. */
  endAfterThis(): void {
    if (this.#ending || this.#stopped) return;
    this.#ending = true;
    this.#parcels.push({ bytes: null, dueMs: this.#dueMs() });
    this.kick();
  }

  /** Looks again whether bytes may pass, after faults were changed. */
  kick(): void {
    if (this.#cancelStep === null) this.#pass();
  }

  /** Drops what is on its way and passes nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#cancelStep?.();
    this.#cancelStep = null;
    this.#parcels.clear();
  }

  #frameCounter(measure: FrameMeasure): Splitter {
    return new Splitter(measure, (_, start, end) => {
      this.#frames++;
      this.#frameEnd += end - start;
      this.#options.onFrame(this.#frames, this);
      return true;
    });
  }

  #onData(chunk: Uint8Array): void {
    if (this.#stopped || this.#ending) return;
    this.#parcels.push({ bytes: chunk, dueMs: this.#dueMs() });
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > HELD_BYTES_MAX) this.#options.source.pause();
    this.#splitter?.push(chunk);
    this.kick();
  }

  #dueMs(): number {
    const delay = this.#options.faults().delayMs ?? 0;
    const delayMs = typeof delay === "number" ? delay : randomInteger(this.#options.random, delay[0], delay[1]);
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + delayMs);
    return this.#lastDueMs;
  }

  /** Passes on all that may pass now, and sees to it that the rest follows when it may. */
  #pass(): void {
    this.#cancelStep = null;
    const { sink, direction } = this.#options;
    while (!this.#stopped && !sink.writableNeedDrain && !sink.destroyed) {
      const faults = this.#options.faults();
      if (faults.stall === direction || faults.stall === "both") return;
      const parcel = this.#parcels.peek();
      if (parcel === undefined) return;
      const waitMs = parcel.dueMs - performance.now();
      if (waitMs > 0) {
        this.#passLater(waitMs);
        return;
      }
      if (parcel.bytes === null) {
        this.#parcels.shift();
        sink.end();
        return;
      }
      const passed = this.#passPiece(parcel as { bytes: Uint8Array }, faults);
      if (faults.pieceBytes === undefined && faults.bytesPerSecond === undefined) continue;
      this.#passLater((passed * 1_000) / (faults.bytesPerSecond ?? Number.POSITIVE_INFINITY));
      return;
    }
  }

  #passPiece(parcel: { bytes: Uint8Array }, faults: Faults): number {
    const { sink, source, random } = this.#options;
    const wanted = faults.pieceBytes === undefined ? parcel.bytes.length : randomInteger(random, ...faults.pieceBytes);
    const size = Math.min(Math.max(1, wanted), parcel.bytes.length, this.#cutAt - this.#passedBytes);
    if (size > 0) sink.write(parcel.bytes.subarray(0, size));
    if (size === parcel.bytes.length) this.#parcels.shift();
    else parcel.bytes = parcel.bytes.subarray(size);
    this.#passedBytes += size;
    this.#heldBytes -= size;
    if (source.isPaused() && this.#heldBytes <= HELD_BYTES_MAX / 2) source.resume();
    this.#options.onPiece(size);
    if (this.#passedBytes >= this.#cutAt) this.#options.onCut();
    return size;
  }

  #passLater(waitMs: number): void {
    const step = (): void => this.#pass();
    if (waitMs > 0) {
      const timer = setTimeout(step, Math.ceil(waitMs));
      this.#cancelStep = () => clearTimeout(timer);
    } else {
      const immediate = setImmediate(step);
      this.#cancelStep = () => clearImmediate(immediate);
    }
  }
}
