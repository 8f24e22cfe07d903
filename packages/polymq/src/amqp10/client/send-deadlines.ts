import type { Clock, Timer } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import type { OpenSends } from "./open-sends.ts";
import type { PendingSend } from "./pending-send.ts";

/** How long the outcomes of one sender's messages are waited for, where there is a limit; one timer serves them all. */
export class SendDeadlines {
  readonly #clock: Clock;
  readonly #open: OpenSends;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** @param open the messages whose promises are open */
  constructor(clock: Clock, open: OpenSends) {
    this.#clock = clock;
    this.#open = open;
  }

  /** Begins the time in which an outcome must come, now or once the message has left; one that is sent again goes on with the time that it had. */
  begin(pending: PendingSend, left: boolean): void {
    if (pending.settled || pending.dueMs !== Number.POSITIVE_INFINITY) return;
    if (!left) {
      const { onSent } = pending;
      pending.onSent = () => {
        onSent?.();
        this.begin(pending, true);
      };
      return;
    }
    pending.dueMs = this.#clock.nowMs() + pending.timeoutMs;
    this.#arm(pending.dueMs);
  }

  /** Nobody waits any more. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(dueMs: number): void {
    if (this.#timer !== null && this.#timerAtMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = dueMs;
    this.#timer = this.#clock.setTimer(Math.max(0, dueMs - this.#clock.nowMs()), () => this.#onTime());
  }

  /** Gives up waiting for outcomes whose time is over. */
  #onTime(): void {
    this.#timer = null;
    const nowMs = this.#clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (let pending = this.#open.first; pending !== null; pending = pending.after) {
      if (pending.abandoned || pending.dueMs > nowMs) {
        if (!pending.abandoned && pending.dueMs < nextMs) nextMs = pending.dueMs;
        continue;
      }
      pending.abandoned = true;
      const message = `no outcome within ${pending.timeoutMs} ms: the server may have the message`;
      pending.fail(new MessagingError("ERR_TIMEOUT", message));
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#arm(nextMs);
  }
}
