import { MessagingError } from "../../base/errors.ts";

/** An `ERR_PROTOCOL_VIOLATION` to throw: bytes that are well formed and still break a rule. */
export function violation(what: string): MessagingError {
  return new MessagingError("ERR_PROTOCOL_VIOLATION", what);
}
