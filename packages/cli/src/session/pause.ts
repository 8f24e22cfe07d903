import type { Clock } from "polymq/internal";

/** Resolves after a time, or when the signal fires. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = clock.setTimer(ms, over);
    if (signal.aborted) over();
    else signal.addEventListener("abort", over);
  });
}
