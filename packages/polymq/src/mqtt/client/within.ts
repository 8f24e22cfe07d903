import type { Clock } from "../../base/clock.ts";
import { deferred } from "../../base/deferred.ts";

/** Waits for `work`, but at most `timeoutMs`, and not beyond `end`. Rejects as `work` does. */
export async function within(
  clock: Clock,
  timeoutMs: number,
  { work, end }: { readonly work: Promise<void>; readonly end: Promise<unknown> },
): Promise<void> {
  const done = deferred<void>();
  const timer = clock.setTimer(timeoutMs, () => done.resolve());
  work.then(() => done.resolve(), done.reject);
  void end.then(() => done.resolve());
  await done.promise;
  timer.cancel();
}
