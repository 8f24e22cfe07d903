// Hot path: `refuses`, `makeRoom` and `afterDelivery` run per message. No closure, promise, spread, iterator or regex on their usual way.
import { isMessagingError, type MessagingError } from "polymq/internal";
import type { Enqueueable, Queue } from "./queue.ts";
import type { EnqueueOptions } from "./queue-port.ts";
import { WaitingBytes } from "./waiting-bytes.ts";
import { WorkGroup } from "./work-group.ts";

/** Messages, and payload bytes of them. */
export interface Ahead {
  readonly count: number;
  readonly bytes: number;
}

/** None. */
export const NOTHING_AHEAD: Ahead = Object.freeze({ count: 0, bytes: 0 });

/** What a queue does at its limits of messages and bytes. */
export class Overflow {
  readonly #queue: Queue;
  /** Everything before it is no candidate for leaving at the head. */
  #dropFrom = 0;
  #waitingBytes: WaitingBytes | null = null;
  /** What may not wait for a consumer, where nothing may. */
  #passing: "messages" | "bytes" | null = null;
  #isDropPlanned = false;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /**
   * From now on no message waits, or with `bytes` none that has a body: what no consumer takes at once leaves, or with `reject` no publisher is
   * let in.
   */
  holdNothing(of: "messages" | "bytes"): void {
    this.#passing = of;
    this.#planDrop();
  }

  /**
   * What the queue holds so much of that it takes no message with a body of so many bytes, or null. Expired messages make room first.
   * @param ahead messages that it takes before
   */
  refuses(payloadBytes: number, ahead: Ahead = NOTHING_AHEAD): string | null {
    if (this.#queue.settings.overflow === "drop-head") return null;
    const full = this.#fullOf(payloadBytes, ahead);
    return full !== null && this.#queue.expireDue() ? this.#fullOf(payloadBytes, ahead) : full;
  }

  /** A message was refused: where the settings say so, it is a dead letter all the same. */
  onRefused(message: Enqueueable, options: EnqueueOptions | null, refusal: MessagingError): void {
    const queue = this.#queue;
    if (queue.settings.overflow !== "reject-dead-letter" || refusal.code !== "ERR_QUEUE_FULL") return;
    if (this.#fullOf(message.payload.length) === null) return; // something else is full
    try {
      queue.bury(queue.draft(message, options), { reason: "maxlen", group: "", count: 0, detail: "" });
    } catch (error) {
      if (!isMessagingError(error)) throw error;
      queue.statistics.dropped++; // it can be stored nowhere
    }
  }

  /** With `drop-head`, messages leave until there is room for one of so many bytes. */
  makeRoom(payloadBytes: number): void {
    const { settings, log } = this.#queue;
    if (settings.overflow !== "drop-head") return;
    const { maxDepth, maxBytes } = settings;
    if (maxDepth > 0 && log.next - log.first >= maxDepth) this.#dropWhile(() => this.#idle() >= maxDepth);
    if (maxBytes === 0) return;
    const max = maxBytes - payloadBytes;
    if (this.#bytesWaiting() > max) this.#dropWhile(() => this.#bytesWaiting() > max);
  }

  /** Consumers have what they take. */
  afterDelivery(): void {
    if (this.#passing !== null) this.#dropWaiting();
  }

  /** A message was taken out. */
  onRemoved(offset: number): void {
    this.#waitingBytes?.onRemoved(offset);
  }

  /** A message may wait again. */
  onReturned(offset: number): void {
    if (offset < this.#dropFrom) this.#dropFrom = offset;
    this.#waitingBytes?.onReturned(offset);
    if (this.#passing !== null) this.#planDrop();
  }

  #fullOf(payloadBytes: number, ahead: Ahead = NOTHING_AHEAD): string | null {
    const { settings, log, delayed, depth } = this.#queue;
    if (this.#passing === "messages" || (this.#passing === "bytes" && payloadBytes > 0)) return `no ${this.#passing}`;
    const { maxDepth: max, maxBytes } = settings;
    if (maxBytes > 0 && this.#bytesWaiting() + ahead.bytes >= maxBytes) return `${maxBytes} bytes`;
    // The log can be longer than the queue is deep, never shorter.
    const waiting = delayed.count + ahead.count;
    if (max === 0 || log.next - log.first + waiting < max) return null;
    return depth + waiting < max ? null : `${max} messages`;
  }

  #bytesWaiting(): number {
    this.#waitingBytes ??= new WaitingBytes(this.#queue);
    return this.#waitingBytes.bytes;
  }

  /** Messages that wait for somebody to work on them, in the group that has most of them. */
  #idle(): number {
    let idle = -1;
    for (const group of this.#queue.groups.values()) {
      if (group instanceof WorkGroup) idle = Math.max(idle, group.depth - group.pendingCount);
    }
    return idle < 0 ? this.#queue.depth : idle;
  }

  /** What has expired goes before what somebody may still want. */
  #dropWhile(isTooMuch: () => boolean): void {
    const queue = this.#queue;
    if (!isTooMuch()) return;
    queue.expireDue();
    queue.removeTogether(() => {
      while (isTooMuch()) if (!this.#dropOldest(queue.log.next)) return;
    });
  }

  #dropWaiting(): void {
    const queue = this.#queue;
    if (queue.settings.overflow !== "drop-head" || this.#dropFrom >= queue.log.durableNext) return;
    queue.removeTogether(() => {
      for (;;) if (!this.#dropOldest(queue.log.durableNext)) return;
    });
  }

  /** What came back, or was stored before, is looked at once consumers had the chance to take it. */
  #planDrop(): void {
    if (this.#isDropPlanned) return;
    this.#isDropPlanned = true;
    this.#queue.schedule.after(0, () => {
      this.#isDropPlanned = false;
      if (!this.#queue.isClosed) this.#dropWaiting();
    });
  }

  /** The oldest message before `end` that nobody works on becomes a dead letter; false when there is none. */
  #dropOldest(end: number): boolean {
    const queue = this.#queue;
    for (let offset = Math.max(this.#dropFrom, queue.log.first); offset < end; offset++) {
      this.#dropFrom = offset + 1;
      if (!queue.isLive(offset) || queue.isPending(offset)) continue;
      const message = queue.readSafely(offset, null);
      if (this.#passing === "bytes" && message?.payload.length === 0) continue;
      queue.remove(offset);
      queue.statistics.overflowed++;
      if (message !== null) queue.bury(message, { reason: "maxlen", group: "", count: 0, detail: "" });
      return true;
    }
    return false;
  }
}
