import type { Clock } from "polymq/internal";

/** Time that something asynchronous has. */
export interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Settles as `promise` does, or rejects once the time is over; what comes later is ignored. */
export function withinDeadline<T>(promise: PromiseLike<T>, deadline: Deadline): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = deadline.clock.setTimer(deadline.timeoutMs, () => {
      reject(new Error(`no answer within ${deadline.timeoutMs} ms`));
    });
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/** True for anything that has to be awaited. */
export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
