import { isMessagingError, type MessagingError } from "../../base/errors.ts";

/** True for an error that ended a whole connection: everything on it is over. */
export function isConnectionError(error: unknown): error is MessagingError {
  return isMessagingError(error) && error.scope === "connection";
}

/** True for an error that ended a session and its links; the connection goes on. */
export function isSessionError(error: unknown): error is MessagingError {
  return isMessagingError(error) && error.scope === "session";
}

/** True for an error that ended one link; its session goes on. */
export function isLinkError(error: unknown): error is MessagingError {
  return isMessagingError(error) && error.scope === "link";
}
