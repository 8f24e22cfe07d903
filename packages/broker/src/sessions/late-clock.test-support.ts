import type { Clock, Timer } from "polymq/internal";
import { nodePlatform } from "polymq/transport";

/** The process's clock, whose time of day a test may set forward. */
export class LateClock implements Clock {
  lateMs = 0;
  readonly #clock: Clock = nodePlatform().clock;

  nowMs(): number {
    return this.#clock.nowMs();
  }

  epochMs(): number {
    return this.#clock.epochMs() + this.lateMs;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    return this.#clock.setTimer(delayMs, fn);
  }

  nextTurn(fn: () => void): void {
    this.#clock.nextTurn(fn);
  }
}
