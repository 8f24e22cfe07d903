import { MessagingError } from "./errors.ts";
import { noop } from "./noop.ts";

/** The error of a call whose `AbortSignal` fired; its cause is the signal's reason. */
export function abortedError(signal: AbortSignal): MessagingError {
  return new MessagingError("ERR_ABORTED", "the operation was aborted", { cause: signal.reason });
}

/** @throws {MessagingError} ERR_ABORTED when `signal` has fired already, ERR_INVALID_ARGUMENT when it is none */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal == null) return;
  if (typeof signal.addEventListener !== "function") {
    throw new MessagingError("ERR_INVALID_ARGUMENT", `signal must be an AbortSignal, not ${signal}`);
  }
  if (signal.aborted) throw abortedError(signal);
}

/**
 * Calls `fn` once when `signal` fires, at once when it already has; the returned function stops waiting.
 * Whoever waits must call it, or a long-lived signal collects listeners.
 */
export function onAbort(signal: AbortSignal | undefined, fn: () => void): () => void {
  if (signal == null) return noop;
  if (signal.aborted) {
    fn();
    return noop;
  }
  const listener = (): void => fn();
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/**
 * Settles as `promise` does, or rejects with `ERR_ABORTED` when `signal` fires first; either way no listener stays behind.
 * The promise itself goes on: its late rejection is handled here.
 */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let stop = noop;
  const aborted = new Promise<never>((_, reject) => {
    stop = onAbort(signal, () => reject(abortedError(signal)));
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}
