import type { Clock } from "polymq/transport";

/** Keeps an eye on what was promised: which of it is still pending, and since when. */
export class Promises {
  readonly #clock: Clock;
  readonly #pending = new Map<number, { readonly name: string; readonly sinceMs: number }>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes the promise and returns it; its rejection counts as handled. */
  track<T>(name: string, promise: Promise<T>): Promise<T> {
    const number = this.#count++;
    this.#pending.set(number, { name, sinceMs: this.#clock.nowMs() });
    const done = (): void => void this.#pending.delete(number);
    promise.then(done, done);
    return promise;
  }

  /** Names of those that have not settled. */
  get pending(): string[] {
    return this.olderThan(0);
  }

  /** Names of those that have not settled for so long. */
  olderThan(ms: number): string[] {
    const untilMs = this.#clock.nowMs() - ms;
    return [...this.#pending.values()].filter(({ sinceMs }) => sinceMs <= untilMs).map(({ name }) => name);
  }
}
