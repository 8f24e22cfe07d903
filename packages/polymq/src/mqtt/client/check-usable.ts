import { throwIfAborted } from "../../base/abort.ts";
import { type ErrorCode, MessagingError } from "../../base/errors.ts";
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
  const [code, text] = REFUSALS[availability] ?? [];
  return code === undefined ? null : new MessagingError(code, `the client is ${text}`);
}

const REFUSALS: Readonly<Partial<Record<Availability, readonly [ErrorCode, string]>>> = {
  none: ["ERR_NOT_CONNECTED", "not connected"],
  draining: ["ERR_DRAINING", "closing"],
  closed: ["ERR_CLIENT_CLOSED", "closed"],
};
