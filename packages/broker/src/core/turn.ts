// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import type { Clock } from "polymq/internal";

/** Something that holds back its output until the turn ends; an outbox is one. */
export interface Flushable {
  flush(): void;
}

/**
 * The end of a turn: first what was published is committed, then everybody writes, acknowledgements of that commit included. One callback of
 * the event loop serves all connections.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #run: () => void;
  #commit: () => void = () => {};
  #isArmed = false;
  #wantsCommit = false;
  /** 0 until it is asked for. */
  #epochMs = 0;
  #flushing: Flushable[] = [];
  #next: Flushable[] = [];

  /** @param onError told what a flush throws; the other flushes still happen */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
    this.#run = () => this.#end();
  }

  /** Sets what commits; to be called once. */
  onCommit(commit: () => void): void {
    this.#commit = commit;
  }

  /** Commits at the end of this turn. */
  armCommit(): void {
    this.#wantsCommit = true;
    this.#arm();
  }

  /** Flushes `target` at the end of this turn, after the commit. To be called once per target and turn. */
  armFlush(target: Flushable): void {
    this.#next.push(target);
    this.#arm();
  }

  /** Time of day when it was first asked for in this turn; asking the system for every message took 5 % of what one of QoS 1 costs. */
  epochMs(): number {
    if (this.#epochMs !== 0) return this.#epochMs;
    this.#epochMs = this.#clock.epochMs();
    this.#arm();
    return this.#epochMs;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#clock.nextTurn(this.#run);
  }

  #end(): void {
    this.#epochMs = 0;
    if (this.#wantsCommit) {
      this.#wantsCommit = false;
      try {
        this.#commit();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#isArmed = false;
    const flushing = this.#next;
    this.#next = this.#flushing;
    this.#flushing = flushing;
    for (let i = 0; i < flushing.length; i++) {
      try {
        flushing[i]?.flush();
      } catch (error) {
        this.#onError(error);
      }
    }
    flushing.length = 0;
    // Armed again while committing or flushing: whatever came in is for the next turn.
    if (!this.#isArmed && (this.#wantsCommit || this.#next.length > 0)) this.#arm();
  }
}
