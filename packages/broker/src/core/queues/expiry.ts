// Hot path: `expect` runs per message. No closure, promise, spread, iterator or regex in it.
import type { Clock } from "polymq/internal";
import type { Schedule } from "../schedule.ts";
import { Heap } from "./heap.ts";
import { type QueueLog, ReadAhead } from "./queue-log.ts";
import type { QueueMessage } from "./queue-message.ts";

/** Whose messages expire; a queue is one. */
export interface ExpiryHost {
  readonly log: QueueLog;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly isClosed: boolean;
  /** True when the message is there for somebody who has not settled it. */
  isLive(offset: number): boolean;
  /** True when in addition nobody of theirs works on it. */
  isWaiting(offset: number): boolean;
  readSafely(offset: number, ahead: ReadAhead | null): QueueMessage | null;
  expire(message: QueueMessage): void;
}

/** A message that expires before one that stands in front of it. */
interface Early {
  readonly offset: number;
  readonly atMs: number;
}

/** Expired messages that are taken out at most before others have their turn. */
const EXPIRED_MAX = 1_000;

/** Messages whose times are read in one go, and those read behind that per turn. */
const LEARNT_MAX = 10_000;
const LEARNT_PER_TURN_MAX = 1_000;

/** Shorter lists are not sorted out. */
const LIST_MIN = 1_024;

/**
 * Finds messages that have expired, wherever in the queue they wait. Most expire in the order in which they stand there, so that a cursor finds
 * them; those that expire earlier than one in front of them are listed, 50 bytes each. Of messages that were stored before the start that order is
 * only read when it is needed.
 */
export class Expiry {
  readonly #host: ExpiryHost;
  readonly #early = new Heap<Early>(isBefore);
  #sortOutAt = LIST_MIN;
  /** Everything before it is gone, listed, or held. */
  #cursor: number;
  /** When the message at the cursor expires; 0 when it was not looked at. */
  #cursorMs = 0;
  /** Of everything before it the order is known; and the latest time among those. */
  #known: number;
  #latestMs = 0;
  /** Passed over because somebody worked on them: looked at again when they come back. */
  readonly #held = new Set<number>();
  #sortOutHeldAt = LIST_MIN;
  #isLearning = false;

  constructor(host: ExpiryHost) {
    this.#host = host;
    this.#cursor = host.log.first;
    this.#known = host.log.first;
  }

  /** A message was appended. */
  expect(offset: number, expiresAtMs: number): void {
    if (offset === this.#host.log.first) {
      // The only one there is: what was known was known of those before it.
      this.#latestMs = 0;
      this.#cursorMs = 0;
    } else if (offset !== this.#known) return; // its turn comes when those before it are known
    this.#known = offset + 1;
    if (expiresAtMs >= this.#latestMs) this.#latestMs = expiresAtMs;
    else this.#list(offset, expiresAtMs);
  }

  /** Somebody gave a message back. */
  onReturned(offset: number): void {
    if (this.#held.size > 0 && this.#held.delete(offset)) this.#list(offset, 0);
  }

  /** What was settled may wait again, for a group came or went. */
  restart(): void {
    this.#cursor = this.#host.log.first;
    this.#cursorMs = 0;
    this.#known = this.#cursor;
    this.#latestMs = 0;
    this.#early.keep(isNone);
    this.#held.clear();
  }

  /** Takes out what has expired, up to a thousand messages; returns how many. Costs nothing while nothing can have. */
  expire(epochMs: number): number {
    if (this.#early.length === 0 && this.#cursorMs > epochMs) return 0;
    let left = this.#expireListed(epochMs, EXPIRED_MAX);
    if (left > 0 && this.#cursorMs <= epochMs) left = this.#expireAtCursor(epochMs, left);
    return EXPIRED_MAX - left;
  }

  /**
   * Reads the times of messages that were stored before the start, ten thousand at most; with `all`, the rest follows in the next turns.
   */
  learn(which: "some" | "all"): void {
    if (this.#known >= this.#host.log.next || this.#isLearning) return;
    this.#learn(LEARNT_MAX, which);
  }

  #learn(max: number, which: "some" | "all"): void {
    const { log, schedule } = this.#host;
    const from = Math.max(this.#known, log.first);
    const end = Math.min(log.next, from + max);
    const ahead = new ReadAhead();
    for (let offset = from; offset < end; offset++) {
      const message = this.#host.isLive(offset) ? this.#host.readSafely(offset, ahead) : null;
      if (message === null) continue;
      if (message.expiresAtMs >= this.#latestMs) this.#latestMs = message.expiresAtMs;
      else this.#list(offset, message.expiresAtMs);
    }
    this.#known = Math.max(from, end);
    this.#isLearning = which === "all" && this.#known < log.next;
    if (!this.#isLearning) return;
    schedule.after(0, () => {
      if (!this.#host.isClosed) this.#learn(LEARNT_PER_TURN_MAX, "all");
    });
  }

  #expireListed(epochMs: number, max: number): number {
    let left = max;
    for (let top = this.#early.peek(); top !== undefined && top.atMs <= epochMs && left > 0; top = this.#early.peek()) {
      this.#early.pop();
      if (!this.#host.isLive(top.offset)) continue;
      if (!this.#host.isWaiting(top.offset)) {
        this.#hold(top.offset);
        continue;
      }
      const atMs = this.#expireOne(top.offset, epochMs);
      if (atMs <= epochMs) left--;
      else if (atMs < Number.POSITIVE_INFINITY) this.#list(top.offset, atMs);
    }
    return left;
  }

  #expireAtCursor(epochMs: number, max: number): number {
    const { log } = this.#host;
    let left = max;
    this.#cursor = Math.max(this.#cursor, log.first);
    for (; this.#cursor < log.next && left > 0; this.#cursor++) {
      const offset = this.#cursor;
      if (!this.#host.isLive(offset)) continue;
      if (!this.#host.isWaiting(offset)) {
        this.#hold(offset);
        continue;
      }
      const atMs = this.#expireOne(offset, epochMs);
      if (atMs > epochMs) {
        this.#cursorMs = atMs;
        return left;
      }
      left--;
    }
    this.#cursorMs = 0;
    return left;
  }

  /** Takes a message out if it has expired; returns when it does. What cannot be read holds up nothing. */
  #expireOne(offset: number, epochMs: number): number {
    const message = this.#host.readSafely(offset, null);
    if (message === null) return 0;
    if (message.expiresAtMs <= epochMs) this.#host.expire(message);
    return message.expiresAtMs;
  }

  #hold(offset: number): void {
    this.#held.add(offset);
    if (this.#held.size < this.#sortOutHeldAt) return;
    for (const held of this.#held) if (!this.#host.isLive(held)) this.#held.delete(held);
    this.#sortOutHeldAt = Math.max(LIST_MIN, 2 * this.#held.size);
  }

  #list(offset: number, atMs: number): void {
    this.#early.push({ offset, atMs });
    if (this.#early.length < this.#sortOutAt) return;
    this.#early.keep((one) => this.#host.isLive(one.offset));
    this.#sortOutAt = Math.max(LIST_MIN, 2 * this.#early.length);
  }
}

function isBefore(a: Early, b: Early): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.offset < b.offset);
}

function isNone(): boolean {
  return false;
}
