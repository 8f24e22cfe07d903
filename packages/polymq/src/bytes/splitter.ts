import { NO_BYTES } from "./no-bytes.ts";
// Hot path: runs per chunk and per frame. No closure, promise, spread, iterator or regex here.

/** Says how long the frame at `at` is: its total bytes with header, or 0 while too little is there to tell. Throws on a bad header. */
export type FrameMeasure = (buffer: Uint8Array, at: number, end: number) => number;

/** Takes one whole frame at [start, end) of `buffer`; returns false to stop (nothing more of the input is looked at). */
export type FrameSink = (buffer: Uint8Array, start: number, end: number) => boolean;

/** Room first made for a frame that was cut; it doubles as bytes come in, so a claimed length allocates nothing. */
const FIRST_ROOM_BYTES = 512;

/**
 * Cuts chunks into whole frames. A frame inside one chunk is handed over in place; of a frame that was cut, only its own
 * bytes are copied. Memory stays below twice what the peer has really sent of one frame, or at the first room of 512 bytes.
 */
export class Splitter {
  readonly #measure: FrameMeasure;
  readonly #sink: FrameSink;
  /** The cut frame's bytes so far; length 0 when none is waiting. */
  #partial: Uint8Array = NO_BYTES;
  #have = 0;
  /** Total bytes of the cut frame, or 0 while its header is incomplete. */
  #total = 0;

  constructor(measure: FrameMeasure, sink: FrameSink) {
    this.#measure = measure;
    this.#sink = sink;
  }

  /** Bytes of an unfinished frame held back. */
  get pendingBytes(): number {
    return this.#have;
  }

  /** Feeds one chunk from `start` on, 0 while a frame is pending; returns false when the sink stopped. Throws what `measure` and the sink throw. */
  push(chunk: Uint8Array, start = 0): boolean {
    let at = start;
    const end = chunk.length;
    if (this.#have > 0) {
      at = this.#resume(chunk);
      if (at < 0) return false;
    }
    while (at < end) {
      const total = this.#measure(chunk, at, end);
      if (total === 0 || total > end - at) {
        this.#keep(chunk, at, total);
        return true;
      }
      if (!this.#sink(chunk, at, at + total)) return false;
      at += total;
    }
    return true;
  }

  /** Forgets a frame that was cut, for a new connection. */
  reset(): void {
    this.#partial = NO_BYTES;
    this.#have = 0;
    this.#total = 0;
  }

  /** Goes on with the cut frame; returns where in `chunk` the next frame starts, or -1 when the sink stopped. */
  #resume(chunk: Uint8Array): number {
    let at = 0;
    while (this.#total === 0) {
      if (at === chunk.length) return at;
      this.#append(chunk, at, at + 1);
      at++;
      this.#total = this.#measure(this.#partial, 0, this.#have);
    }
    const take = Math.min(this.#total - this.#have, chunk.length - at);
    this.#append(chunk, at, at + take);
    at += take;
    if (this.#have < this.#total) return at;
    const frame = this.#partial;
    const total = this.#total;
    this.reset();
    return this.#sink(frame, 0, total) ? at : -1;
  }

  #keep(chunk: Uint8Array, at: number, total: number): void {
    this.#total = total;
    this.#append(chunk, at, chunk.length);
  }

  #append(chunk: Uint8Array, start: number, end: number): void {
    const need = this.#have + end - start;
    if (need > this.#partial.length) {
      const room = Math.max(FIRST_ROOM_BYTES, this.#partial.length * 2, need);
      const grown = new Uint8Array(this.#total > 0 ? Math.max(need, Math.min(room, this.#total)) : room);
      grown.set(this.#partial.subarray(0, this.#have));
      this.#partial = grown;
    }
    this.#partial.set(chunk.subarray(start, end), this.#have);
    this.#have = need;
  }
}
