import type { Writable } from "node:stream";
import type { PublishRing } from "./publish-ring.ts";

/** Sends the frames of a ring in order, round and round, without touching a byte of them. */
export class RingWriter {
  readonly #socket: Writable;
  readonly #ring: PublishRing;
  #next = 0;

  constructor(socket: Writable, ring: PublishRing) {
    this.#socket = socket;
    this.#ring = ring;
  }

  /** Sends the next `count` frames; false when the socket asks to wait for "drain". */
  send(count: number): boolean {
    let ready = true;
    while (count > 0) {
      const run = Math.min(count, this.#ring.frames - this.#next);
      const start = this.#next * this.#ring.frameBytes;
      ready = this.#socket.write(this.#ring.bytes.subarray(start, start + run * this.#ring.frameBytes));
      this.#next = (this.#next + run) % this.#ring.frames;
      count -= run;
    }
    return ready;
  }

  /** Sends `count` frames as fast as the socket takes them; resolves when it has taken the last. */
  async sendAll(count: number): Promise<void> {
    while (count > 0) {
      const run = Math.min(count, this.#ring.frames);
      count -= run;
      if (!this.send(run)) await new Promise<void>((resolve) => this.#socket.once("drain", resolve));
    }
  }
}
