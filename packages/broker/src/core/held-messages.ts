// Hot path: runs per message that is held. No closure, promise, spread, iterator or regex here.
import { type Message, messageBytes } from "./message.ts";

/** What one more holder of a message costs: the delivery and its place in line, rounded. */
const HOLDER_BYTES = 128;

/** The part of all bytes that messages which wait, or are retained, may take. */
const WAITING_SHARE = 7 / 8;

/**
 * Counts what all mailboxes, deliveries in flight and retained messages hold together. Each of them has limits of its own; this is the one for their sum, so that many clients,
 * none of them beyond its limits, do not fill the process. A message counts once however many hold it, and a little for each of them. The last eighth is left to
 * messages on their way to clients that take them, so that those who are away do not stop those who are there.
 */
export class HeldMessages {
  /** Infinity: no limit. */
  readonly bytesMax: number;
  readonly #waitingMax: number;
  #bytes = 0;
  /** While what was let in before is carried out, all of it or nothing: neither tight nor full then. Bounded by who sets it. */
  isCommitting = false;
  /** Deliveries, and messages to retain, that were refused for want of room in all. */
  refusedCount = 0;

  constructor(bytesMax: number = Number.POSITIVE_INFINITY) {
    this.bytesMax = bytesMax;
    this.#waitingMax = bytesMax * WAITING_SHARE;
  }

  /** Bytes held, about. Beyond the limit by one message, one transaction, by what a store had when the broker started, and by nothing else. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when nothing more may wait or be retained. */
  get isTight(): boolean {
    return this.#bytes >= this.#waitingMax && !this.isCommitting;
  }

  /** True when nothing more may be in flight either. */
  get isFull(): boolean {
    return this.#bytes >= this.bytesMax && !this.isCommitting;
  }

  /** Somebody holds the message from now on. */
  hold(message: Message): void {
    this.#bytes += HOLDER_BYTES;
    if (message.holders++ === 0) this.#bytes += messageBytes(message);
  }

  /** Somebody who held the message does so no more. */
  release(message: Message): void {
    this.#bytes -= HOLDER_BYTES;
    if (--message.holders === 0) this.#bytes -= messageBytes(message);
  }
}
