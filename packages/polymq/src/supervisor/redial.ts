import type { Clock } from "../base/clock.ts";
import { MessagingError } from "../base/errors.ts";
import { type Backoff, type BackoffOptions, backoff } from "./backoff.ts";

/** A connection that lived this long starts the delays anew when it is lost; a shorter one goes on with them. */
const STABLE_AFTER_MS = 5_000;

/** Whether and when a client dials again; what applications give as `reconnect`. */
export interface RedialRules extends BackoffOptions {
  /** Rounds tried in a row without success before it gives up. Default: no limit. */
  readonly maxAttempts?: number | undefined;
  /** True puts the first connect under the same rules. Default false: it gets one round. */
  readonly retryFirstConnect?: boolean | undefined;
  /**
   * Asked after a loss (`attempt` 0) and after each failed round (`attempt` counts them); false gives up. Default: goes on after a loss, and after
   * a round unless what it failed with is wrong by itself.
   */
  readonly shouldReconnect?: ((error: MessagingError, attempt: number) => boolean) | undefined;
}

/** Decides when the next round starts, from one start of a supervisor to its stop. */
export class Redial {
  readonly #rules: RedialRules;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** When the last connection began; null before the first. */
  #connectedAtMs: number | null = null;
  /** Losses in a row of connections that did not last. */
  #earlyLosses = 0;
  /** Which delay comes next, from 1; 0 means none. */
  #pace = 0;

  /** @param random a number in [0, 1) at each call */
  constructor(rules: RedialRules, clock: Clock, random: () => number) {
    this.#rules = rules;
    this.#clock = clock;
    this.#backoff = backoff(rules, random);
  }

  /** A connection is there. */
  connected(): void {
    this.#connectedAtMs = this.#clock.nowMs();
  }

  /**
   * Milliseconds until the next round.
   * @param error what the connection was lost for, or the last round failed with
   * @param failedRounds in a row; 0 after a loss
   * @throws {MessagingError} what to give up with: `error`, ERR_RECONNECT_EXHAUSTED, or ERR_HANDLER_FAILED when a function of the rules threw
   */
  delayMs(error: MessagingError, failedRounds: number): number {
    if (failedRounds === 0) {
      this.#noteLoss();
    } else {
      // The round that just failed was the one without a delay.
      this.#pace = Math.max(this.#pace, 1);
      if (this.#connectedAtMs === null && this.#rules.retryFirstConnect !== true) throw error;
      if (failedRounds >= (this.#rules.maxAttempts ?? Number.POSITIVE_INFINITY)) {
        const message = `no connection after ${failedRounds} attempts: ${error.message}`;
        throw new MessagingError("ERR_RECONNECT_EXHAUSTED", message, { cause: error });
      }
    }
    return this.#next(error, failedRounds);
  }

  /** A first loss is followed by a round at once; connections that are lost soon again and again come back ever more slowly. */
  #noteLoss(): void {
    const stable = this.#clock.nowMs() - (this.#connectedAtMs ?? 0) >= STABLE_AFTER_MS;
    this.#earlyLosses = stable ? 0 : this.#earlyLosses + 1;
    this.#pace = Math.max(0, this.#earlyLosses - 1);
  }

  #next(error: MessagingError, failedRounds: number): number {
    const { shouldReconnect = mayHelp } = this.#rules;
    try {
      if (shouldReconnect(error, failedRounds)) {
        const pace = this.#pace++;
        return pace === 0 ? 0 : this.#backoff(pace, error);
      }
    } catch (cause) {
      throw new MessagingError("ERR_HANDLER_FAILED", "a reconnect option threw", { cause });
    }
    throw error;
  }
}

/** Another connection may go well whatever the last one was lost for; another round, unless what it failed with is wrong by itself. */
function mayHelp(error: MessagingError, attempt: number): boolean {
  return attempt === 0 || error.retry !== "never" || error.scope === "message";
}
