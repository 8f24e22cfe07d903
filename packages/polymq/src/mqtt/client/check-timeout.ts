import { invalid } from "../codec/arguments.ts";

/** The longest timer that runtimes have. */
const TIMER_MAX_MS = 2_147_483_647;

/** Refuses a `timeoutMs` that is no number from `least` on, or above what runtimes can wait. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function checkTimeout(timeoutMs: number, least: number): void {
  if (typeof timeoutMs === "number" && timeoutMs >= least && timeoutMs <= TIMER_MAX_MS) return;
  throw invalid(`timeoutMs must be from ${least} to ${TIMER_MAX_MS}, not ${timeoutMs}`);
}
