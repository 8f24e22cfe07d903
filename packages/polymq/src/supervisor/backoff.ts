import type { MessagingError } from "../base/errors.ts";

/** How the delay between attempts grows. */
export interface BackoffOptions {
  /** Delay before the second attempt, in milliseconds, 0 or more. Default 1,000. */
  readonly initialDelayMs?: number | undefined;
  /** No delay is longer. Default 120,000. */
  readonly maxDelayMs?: number | undefined;
  /** `full`: a random part of the delay, so that many clients do not come back as one. `none`: the whole of it. Default `full`. */
  readonly jitter?: "full" | "none" | undefined;
  /** Replaces all of the above: the delay before the attempt after `attempt` failed ones, given the last one's error. */
  readonly delay?: ((attempt: number, error: MessagingError) => number) | undefined;
}

/** The delay in milliseconds after `attempt` failed attempts (from 1), the last of which failed with `error`. */
export type Backoff = (attempt: number, error: MessagingError) => number;

/**
 * Makes a {@link Backoff} that doubles; it holds no state.
 * @param random a number in [0, 1) at each call
 */
export function backoff(options: BackoffOptions, random: () => number): Backoff {
  const { initialDelayMs = 1_000, maxDelayMs = 120_000, jitter, delay } = options;
  if (delay !== undefined) return (attempt, error) => usable(delay(attempt, error));
  return (attempt) => {
    const growth = Math.min(2 ** (attempt - 1), Number.MAX_VALUE);
    return Math.min(maxDelayMs, initialDelayMs * growth) * (jitter === "none" ? 1 : random());
  };
}

/** A caller's function may return anything; what is no delay counts as none at all. */
function usable(delayMs: number): number {
  return Number.isFinite(delayMs) && delayMs > 0 ? delayMs : 0;
}
