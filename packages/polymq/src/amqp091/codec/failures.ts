/** Errors that the codec and the engine end in; `replyCodeOf` gives the reply code that the peer is told. */
import { MessagingError } from "../../base/errors.ts";

/** A frame that cannot be one: reply code 501. */
export function frameError(what: string): MessagingError {
  return new MessagingError("ERR_FRAME_ERROR", what);
}

/** A field with an illegal value or a method cut short: reply code 502. */
export function syntaxError(what: string, cause?: unknown): MessagingError {
  return new MessagingError("ERR_MALFORMED_PACKET", what, cause === undefined ? undefined : { cause });
}

/** A method that may not come now: reply code 503. */
export function commandInvalid(what: string): MessagingError {
  return new MessagingError("ERR_COMMAND_INVALID", what);
}

/** A channel that is not open, or open already: reply code 504. */
export function channelError(what: string): MessagingError {
  return new MessagingError("ERR_CHANNEL_ERROR", what);
}

/** Content out of order: reply code 505. */
export function unexpectedFrame(what: string): MessagingError {
  return new MessagingError("ERR_UNEXPECTED_PACKET", what);
}

/** A class or method that nobody knows: reply code 540. */
export function notImplemented(what: string): MessagingError {
  return new MessagingError("ERR_UNKNOWN_METHOD", what);
}

/** An argument that cannot be encoded; nothing was written. */
export function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}

/** What does not fit into a frame or a limit for content; of a message of ours nothing was written, a received one is told as 311. */
export function tooLarge(what: string): MessagingError {
  return new MessagingError("ERR_PACKET_TOO_LARGE", what);
}
