import { setTimeout as delay } from "node:timers/promises";

/**
 * Settles as `work` does, or rejects with an Error once `timeoutMs` have passed. `describe` gives the words of that error
 * and is called only then, so it may show what the process had printed by that time.
 */
export async function withDeadline<T>(work: Promise<T>, timeoutMs: number, describe: () => string): Promise<T> {
  const timer = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${describe()} (deadline ${timeoutMs} ms)`);
  });
  // The race is decided by `work` in the ordinary case, and the aborted timer then rejects with nobody listening.
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

/** Calls `probe` every `intervalMs` (default 20) until it gives true; rejects as {@link withDeadline} does. */
export async function pollUntil(
  probe: () => Promise<boolean>,
  timeoutMs: number,
  describe: () => string,
  intervalMs = 20,
): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > untilMs) throw new Error(`${describe()} (deadline ${timeoutMs} ms)`);
    await delay(intervalMs);
  }
}
