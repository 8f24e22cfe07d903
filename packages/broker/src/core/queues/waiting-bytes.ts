// Hot path: runs per message of a queue with a limit in bytes. No closure, promise, spread, iterator or regex here.
import { Deque } from "polymq/internal";
import type { QueueLog } from "./queue-log.ts";
import type { QueueMessage } from "./queue-message.ts";

/** Whose messages are counted; a queue is one. */
export interface WaitingHost {
  readonly log: QueueLog;
  /** The message at an offset, or null; one that cannot be read is reported. */
  readSafely(offset: number, ahead: null): QueueMessage | null;
  /** True when nobody works on the message and somebody has still to. */
  isWaiting(offset: number): boolean;
}

/**
 * Payload bytes of the messages that wait in a queue. They are counted from the first one that waits to the end of the log; what was settled in
 * between, out of order, counts until its turn comes, what was taken out does not.
 */
export class WaitingBytes {
  readonly #host: WaitingHost;
  /** Payload bytes of each message from `#from` on. */
  readonly #sizes = new Deque<number>();
  #from: number;
  #bytes = 0;

  constructor(host: WaitingHost) {
    this.#host = host;
    this.#from = host.log.first;
  }

  get bytes(): number {
    const { log } = this.#host;
    for (let offset = this.#from + this.#sizes.length; offset < log.next; offset++) {
      const size = this.#sizeOf(offset);
      this.#sizes.push(size);
      this.#bytes += size;
    }
    while (this.#sizes.length > 0 && !this.#host.isWaiting(this.#from)) {
      this.#bytes -= this.#sizes.shift() ?? 0;
      this.#from++;
    }
    return this.#bytes;
  }

  /** A message was taken out, wherever it stood. */
  onRemoved(offset: number): void {
    this.#bytes -= this.#sizes.set(offset - this.#from, 0) ?? 0;
  }

  /** A message that was passed over may wait again. */
  onReturned(offset: number): void {
    const first = Math.max(offset, this.#host.log.first);
    while (this.#from > first) {
      const size = this.#sizeOf(--this.#from);
      this.#sizes.unshift(size);
      this.#bytes += size;
    }
  }

  #sizeOf(offset: number): number {
    return this.#host.readSafely(offset, null)?.payload.length ?? 0;
  }
}
