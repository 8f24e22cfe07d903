import { once } from "node:events";
import type { Socket } from "node:net";

const BATCH_BYTES = 65_536;

/** Writes pre-encoded messages of one length, round and round, without touching a byte of them. */
export class CycleWriter {
  readonly #socket: Socket;
  readonly #bytes: Buffer;
  readonly #messageBytes: number;
  readonly #messages: number;
  #next = 0;

  constructor(socket: Socket, cycle: readonly Buffer[]) {
    this.#socket = socket;
    this.#messageBytes = cycle[0]?.length ?? 0;
    const cycles = Math.max(1, Math.floor(BATCH_BYTES / (this.#messageBytes * cycle.length)));
    this.#messages = cycles * cycle.length;
    this.#bytes = Buffer.concat(Array.from({ length: cycles }, () => Buffer.concat(cycle)));
  }

  /** Writes the next `count` messages; false when the socket asks to wait for "drain". */
  write(count: number): boolean {
    let ready = true;
    for (let left = count; left > 0; ) {
      const run = Math.min(left, this.#messages - this.#next);
      const start = this.#next * this.#messageBytes;
      ready = this.#socket.write(this.#bytes.subarray(start, start + run * this.#messageBytes));
      this.#next = (this.#next + run) % this.#messages;
      left -= run;
    }
    return ready;
  }

  /** Writes `count` messages as fast as the socket takes them. */
  async writeAll(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const run = Math.min(left, this.#messages);
      left -= run;
      if (!this.write(run)) await once(this.#socket, "drain");
    }
  }
}
