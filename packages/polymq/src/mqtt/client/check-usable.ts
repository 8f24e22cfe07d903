import { throwIfAborted } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Availability } from "./admission.ts";

/**
 * Refuses a call that cannot be served now.
 * @throws {MessagingError} ERR_ABORTED, ERR_NOT_CONNECTED, ERR_DRAINING, ERR_CLIENT_CLOSED
 */
export function checkUsable(client: { availability(): Availability }, signal: AbortSignal | undefined): void {
  throwIfAborted(signal);
  const error = unusable(client.availability());
  if (error !== null) throw error;
}

/** Why nothing can be sent now, or null. */
export function unusable(availability: Availability): MessagingError | null {
  switch (availability) {
    case "online":
    case "offline":
      return null;
    case "none":
      return new MessagingError("ERR_NOT_CONNECTED", "the client is not connected");
    case "draining":
      return new MessagingError("ERR_DRAINING", "the client is closing");
    case "closed":
      return new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
  }
}
