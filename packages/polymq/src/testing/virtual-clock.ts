import type { Clock, Timer } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import { systemClock } from "../base/system-clock.ts";

/** Rounds after which a chain of turns that keeps arming itself is taken for an endless loop. */
const TURNS_MAX = 1_000_000;

interface Entry {
  readonly atMs: number;
  readonly fn: () => void;
}

/** A clock that moves only when told to; timers and turns then run in one defined order. */
export class VirtualClock implements Clock {
  readonly #epochOffsetMs: number;
  readonly #system: Clock = systemClock();
  /** By time, and among equal times in the order they were set. */
  readonly #timers: Entry[] = [];
  readonly #turns = new Deque<() => void>();
  #nowMs: number;

  /** @param epochMs the wall clock's reading at the start; default 2024-01-01T00:00Z. The monotonic scale starts at 1,000. */
  constructor(epochMs = 1_704_067_200_000) {
    this.#nowMs = 1_000;
    this.#epochOffsetMs = epochMs - this.#nowMs;
  }

  /** Timers set and neither fired nor cancelled. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Tasks waiting for the next turn. */
  get pendingTurns(): number {
    return this.#turns.length;
  }

  /** Milliseconds until the next timer, or null without one. */
  get nextTimerMs(): number | null {
    const first = this.#timers[0];
    return first === undefined ? null : first.atMs - this.#nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return Math.floor(this.#nowMs + this.#epochOffsetMs);
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs || 0), fn };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as Entry).atMs > entry.atMs) at--;
    this.#timers.splice(at, 0, entry);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(entry);
        if (index >= 0) this.#timers.splice(index, 1);
      },
    };
  }

  nextTurn(fn: () => void): void {
    this.#turns.push(fn);
  }

  /**
   * Moves time forward by `ms`, running turns and timers that fall due; before the first task and after each one, all promise
   * reactions run. Resolves when time has arrived and no turn is left.
   */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#nowMs + ms;
    await this.#reactions();
    for (let count = 0; this.#step(targetMs); count++) {
      if (count > TURNS_MAX) throw new Error("the virtual clock does not come to rest");
      await this.#reactions();
    }
    this.#nowMs = targetMs;
  }

  /** Runs waiting turns, timers that are due now and promise reactions until none is left; time stands still. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /** As {@link VirtualClock.advance} but without promise reactions, for code that has none. Returns the tasks run. */
  advanceSync(ms: number): number {
    const targetMs = this.#nowMs + ms;
    let count = 0;
    while (this.#step(targetMs)) {
      if (++count > TURNS_MAX) throw new Error("the virtual clock does not come to rest");
    }
    this.#nowMs = targetMs;
    return count;
  }

  /** Runs the next task due until `targetMs`; turns come before timers. False when there is none. */
  #step(targetMs: number): boolean {
    const turn = this.#turns.shift();
    if (turn !== undefined) {
      turn();
      return true;
    }
    const timer = this.#timers[0];
    if (timer === undefined || timer.atMs > targetMs) return false;
    this.#timers.shift();
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    timer.fn();
    return true;
  }

  #reactions(): Promise<void> {
    return new Promise((resolve) => this.#system.nextTurn(resolve));
  }
}
