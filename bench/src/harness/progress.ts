import { nowNs } from "./clock.ts";

/**
 * Counts the messages of a phase. A phase has a `mark`, at which its clock stops, and may go on beyond it, so that the
 * last messages of a run (which a peer's socket may hold back for tens of milliseconds) do not count in the rate.
 */
export class Progress {
  #done = 0;
  #mark = 0;
  #target = 0;
  #markNs = 0;
  #finish: ((markNs: number) => void) | null = null;

  /** Messages since the start, over all phases. */
  get total(): number {
    return this.#done;
  }

  /** Starts a phase of `count` messages; resolves when the last is there, with the time at which message `mark` was. */
  begin(count: number, mark: number): Promise<number> {
    if (this.#done !== this.#target) throw new Error("a phase starts before the last one ended");
    this.#mark = this.#done + mark;
    this.#target = this.#done + count;
    return new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Counts `count` more messages. Throws when they are more than the phase has. */
  advance(count: number): void {
    const before = this.#done;
    this.#done += count;
    if (before < this.#mark && this.#done >= this.#mark) this.#markNs = nowNs();
    if (this.#done < this.#target) return;
    if (this.#done > this.#target) throw new Error(`${this.#done - this.#target} messages more than asked for`);
    this.#finish?.(this.#markNs);
  }
}
