// Hot path: `expect` runs per message. No closure, promise, spread, iterator or regex in it.
import type { Deadline } from "../schedule.ts";
import type { Queue } from "./queue.ts";

/** How long to wait for the batch under way when the head is not durable yet. */
const COMMIT_MS = 10;

/** Expired messages that are taken out at most before others have their turn. */
const EXPIRED_MAX = 1_000;

/**
 * Takes messages out of a queue when they expire, and not only when somebody asks for them: from the head on, up to the first one that nobody
 * works on and that has not expired.
 */
export class HeadExpiry {
  readonly #queue: Queue;
  #deadline: Deadline | null = null;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /** A message that expires at this time since 1970 is there. */
  expect(atMs: number): void {
    if (atMs < this.#atMs) this.#arm(atMs);
  }

  /** Looks now, and then whenever the next one is due. */
  look(): void {
    this.close();
    const { schedule, clock } = this.#queue;
    const next = this.#queue.removeTogether(() => this.#expire(clock.epochMs()));
    if (next === "more") schedule.after(0, () => this.look());
    else if (next < Number.POSITIVE_INFINITY) this.#arm(next);
  }

  close(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    this.#deadline?.cancel();
    this.#atMs = atMs;
    this.#deadline = this.#queue.schedule.at(atMs, () => this.look());
  }

  /** Returns when to look again. */
  #expire(epochMs: number): number | "more" {
    const queue = this.#queue;
    const { log } = queue;
    let left = EXPIRED_MAX;
    for (let offset = log.first; offset < log.next; offset++) {
      if (!queue.isWaiting(offset)) continue;
      if (offset >= log.durableNext) return epochMs + COMMIT_MS;
      const message = queue.readSafely(offset, null);
      if (message === null) return Number.POSITIVE_INFINITY;
      if (message.expiresAtMs > epochMs) return message.expiresAtMs;
      if (left-- === 0) return "more";
      queue.expire(message);
    }
    return Number.POSITIVE_INFINITY;
  }
}
