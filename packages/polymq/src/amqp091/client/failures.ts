import { type ErrorCode, MessagingError } from "../../base/errors.ts";
import { replyName } from "../codec/reply-codes.ts";
import type { CloseReason } from "../engine/endpoint-options.ts";

/** What the server said when it closed a channel or connection, as an error. */
export function closedError(code: ErrorCode, what: string, reason: CloseReason): MessagingError {
  const text = reason.replyText === "" ? replyName(reason.replyCode) : reason.replyText;
  return new MessagingError(code, `${what}: ${text}`, {
    peer: { protocol: "amqp091", code: reason.replyCode, text: reason.replyText },
  });
}

/** A call on a channel that is over. */
export function channelClosed(): MessagingError {
  return new MessagingError("ERR_CHANNEL_CLOSED", "the channel is closed");
}

/** A call that needs a connection. */
export function notConnected(): MessagingError {
  return new MessagingError("ERR_NOT_CONNECTED", "there is no connection");
}
