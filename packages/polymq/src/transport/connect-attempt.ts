import { abortedError, onAbort } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { isMessagingError, MessagingError } from "../base/errors.ts";

/** When an attempt to connect is given up. */
export interface AttemptLimits {
  /** 0 waits for ever. */
  readonly connectTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The two ways in which a begun connection reports back; only the first report counts. */
export interface AttemptReport<T> {
  done(value: T): void;
  failed(error: unknown): void;
}

/**
 * Runs one attempt to connect under a deadline and a signal. `begin` starts it, reports later and not inside its own call, and returns
 * how to abandon it; that is called whenever the attempt does not end in `done`, at most once. No timer and no listener stays behind.
 * @throws {MessagingError} ERR_ABORTED, ERR_CONNECT_TIMEOUT, or ERR_CONNECT_FAILED around what was reported
 */
export function connectAttempt<T>(
  clock: Clock,
  limits: AttemptLimits,
  begin: (report: AttemptReport<T>) => () => void,
): Promise<T> {
  const { signal, connectTimeoutMs } = limits;
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortedError(signal));
      return;
    }
    let settled = false;
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      timer?.cancel();
      stopWaiting();
      return true;
    };
    const giveUp = (error: Error): void => {
      if (!settle()) return;
      abandon?.();
      reject(error);
    };
    const timer =
      connectTimeoutMs > 0
        ? clock.setTimer(connectTimeoutMs, () =>
            giveUp(new MessagingError("ERR_CONNECT_TIMEOUT", `no connection within ${connectTimeoutMs} ms`)),
          )
        : null;
    const stopWaiting = onAbort(signal, () => giveUp(abortedError(signal as AbortSignal)));
    let abandon: (() => void) | null = null;
    const report: AttemptReport<T> = {
      done: (value) => {
        if (settle()) resolve(value);
      },
      failed: (error) => giveUp(connectFailed(error)),
    };
    try {
      abandon = begin(report);
    } catch (error) {
      report.failed(error);
    }
  });
}

/** Wraps what made an attempt fail; an error that is typed already stays as it is. */
export function connectFailed(cause: unknown): MessagingError {
  if (isMessagingError(cause)) return cause;
  // Some errors, as that of a host with several addresses, say nothing but their code.
  const { message, code, name } = Object(cause) as Readonly<Record<string, unknown>>;
  return new MessagingError("ERR_CONNECT_FAILED", `could not connect: ${message || code || name || "unknown reason"}`, {
    cause,
  });
}
