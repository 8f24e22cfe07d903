import { noop } from "./noop.ts";

/**
 * Rejects a promise by its `resolve`, where one function per promise is kept instead of two. Nothing happens to a promise that is settled; handlers hear of the error two
 * microtasks later than by `reject`.
 */
export function rejectBy(resolve: (failed: Promise<never>) => void, error: unknown): void {
  const failed = Promise.reject<never>(error);
  // Only the promise itself is to be missed when nobody handles it.
  failed.catch(noop);
  resolve(failed);
}
