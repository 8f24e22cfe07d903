import { MessagingError } from "../base/errors.ts";

/** How the delay between attempts grows. */
export interface BackoffOptions {
  /** Delay before the second attempt. Default 1,000. */
  readonly initialDelayMs?: number | undefined;
  /** No delay is longer. Default 120,000. */
  readonly maxDelayMs?: number | undefined;
  /** Growth from one delay to the next. Default 2. */
  readonly factor?: number | undefined;
  /** `full`: a random part of the delay, so that many clients do not come back as one. `none`: the whole of it. Default `full`. */
  readonly jitter?: "full" | "none" | undefined;
  /** Replaces all of the above: the delay before the attempt after `attempt` failed ones, given the last one's error. */
  readonly delay?: ((attempt: number, error: Error) => number) | undefined;
}

/** The delay in milliseconds after `attempt` failed attempts (from 1), the last of which failed with `error`. */
export type Backoff = (attempt: number, error: Error) => number;

/**
 * Makes a {@link Backoff}; it holds no state.
 * @param random a number in [0, 1) at each call
 * @throws {MessagingError} ERR_INVALID_OPTIONS for a delay that is not a finite number of 0 or more, or a factor below 1
 */
export function backoff(options: BackoffOptions, random: () => number): Backoff {
  const { delay } = options;
  if (delay !== undefined) return (attempt, error) => usable(delay(attempt, error));
  const initialDelayMs = checked("initialDelayMs", options.initialDelayMs ?? 1_000, 0);
  const maxDelayMs = checked("maxDelayMs", options.maxDelayMs ?? 120_000, 0);
  const factor = checked("factor", options.factor ?? 2, 1);
  const spread = options.jitter === "none" ? (): number => 1 : random;
  return (attempt) => {
    const growth = Math.min(factor ** (attempt - 1), Number.MAX_VALUE);
    return Math.min(maxDelayMs, initialDelayMs * growth) * spread();
  };
}

function checked(name: string, value: number, least: number): number {
  if (Number.isFinite(value) && value >= least) return value;
  throw new MessagingError("ERR_INVALID_OPTIONS", `${name} must be a number of at least ${least}, not ${value}`);
}

/** A caller's function may return anything; what is no delay counts as none at all. */
function usable(delayMs: number): number {
  return Number.isFinite(delayMs) && delayMs > 0 ? delayMs : 0;
}
