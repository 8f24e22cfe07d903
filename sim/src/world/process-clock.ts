import type { Clock, Timer } from "polymq/transport";

/** The clock of one simulated process: when the process is killed, nothing that it had planned happens any more. */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #state: "alive" | "killed" = "alive";

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isAlive(): boolean {
    return this.#state === "alive";
  }

  /** Timers that this process has set and that are still to come. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    if (this.#state === "killed") return NEVER;
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(own);
      fn();
    });
    const own: Timer = {
      cancel: () => {
        if (this.#timers.delete(own)) timer.cancel();
      },
    };
    this.#timers.add(own);
    return own;
  }

  nextTurn(fn: () => void): void {
    if (this.#state === "killed") return;
    this.#clock.nextTurn(() => {
      if (this.#state === "alive") fn();
    });
  }

  kill(): void {
    this.#state = "killed";
    for (const timer of [...this.#timers]) timer.cancel();
  }
}

const NEVER: Timer = { cancel: () => undefined };
