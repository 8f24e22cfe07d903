import { isMessagingError } from "polymq/mqtt";

/** Time after which a call that a broken link failed is made again. */
const RETRY_MS = 20;

/** A link that breaks before the answer fails a call; then it is made again on the next connection. */
export async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isMessagingError(error) || error.retry === "never") throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
