import { isMessagingError } from "polymq/mqtt";

/** Calls into a broker whose store may just have failed: it may say so by throwing, for it is about to end. */
export function orStoreFailed<T>(call: () => T): T | "store failed" {
  try {
    return call();
  } catch (error) {
    if (!isMessagingError(error) || error.code !== "ERR_STORE_FAILED") throw error;
    return "store failed";
  }
}
