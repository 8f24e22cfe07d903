/** The reply codes of AMQP 0-9-1 as one table (§1.2, "Constants"). */
import type { MessagingError } from "../../base/errors.ts";

/** What a reply code ends: nothing, the channel (a soft error) or the connection (a hard error). */
export type ReplyScope = "none" | "channel" | "connection";

/** Every reply code with its name and what it ends; 312 is not in the XML but in the specification's text. */
export const REPLY_CODES = {
  200: { name: "reply-success", scope: "none" },
  311: { name: "content-too-large", scope: "channel" },
  312: { name: "no-route", scope: "channel" },
  313: { name: "no-consumers", scope: "channel" },
  320: { name: "connection-forced", scope: "connection" },
  402: { name: "invalid-path", scope: "connection" },
  403: { name: "access-refused", scope: "channel" },
  404: { name: "not-found", scope: "channel" },
  405: { name: "resource-locked", scope: "channel" },
  406: { name: "precondition-failed", scope: "channel" },
  501: { name: "frame-error", scope: "connection" },
  502: { name: "syntax-error", scope: "connection" },
  503: { name: "command-invalid", scope: "connection" },
  504: { name: "channel-error", scope: "connection" },
  505: { name: "unexpected-frame", scope: "connection" },
  506: { name: "resource-error", scope: "connection" },
  530: { name: "not-allowed", scope: "connection" },
  540: { name: "not-implemented", scope: "connection" },
  541: { name: "internal-error", scope: "connection" },
} as const;

/** A reply code of the specification. */
export type ReplyCodeNumber = keyof typeof REPLY_CODES;

/** Reply codes by name. */
export const ReplyCode = {
  Success: 200,
  ContentTooLarge: 311,
  NoRoute: 312,
  NoConsumers: 313,
  ConnectionForced: 320,
  InvalidPath: 402,
  AccessRefused: 403,
  NotFound: 404,
  ResourceLocked: 405,
  PreconditionFailed: 406,
  FrameError: 501,
  SyntaxError: 502,
  CommandInvalid: 503,
  ChannelError: 504,
  UnexpectedFrame: 505,
  ResourceError: 506,
  NotAllowed: 530,
  NotImplemented: 540,
  InternalError: 541,
} as const;

/** A reply code's name as servers write it in front of their text: `NOT_FOUND`; `UNKNOWN` for a number of no meaning. */
export function replyName(code: number): string {
  const row = (REPLY_CODES as Readonly<Record<number, { readonly name: string } | undefined>>)[code];
  return row === undefined ? "UNKNOWN" : row.name.toUpperCase().replaceAll("-", "_");
}

/** What a reply code ends by the specification; a code of no meaning ends the connection. */
export function replyScope(code: number): ReplyScope {
  return (
    (REPLY_CODES as Readonly<Record<number, { readonly scope: ReplyScope } | undefined>>)[code]?.scope ?? "connection"
  );
}

/** The reply code that tells a peer about an error of ours. */
export function replyCodeOf(error: MessagingError): ReplyCodeNumber {
  switch (error.code) {
    case "ERR_FRAME_ERROR":
      return ReplyCode.FrameError;
    case "ERR_MALFORMED_PACKET":
      return ReplyCode.SyntaxError;
    case "ERR_COMMAND_INVALID":
    case "ERR_PROTOCOL_VIOLATION":
      return ReplyCode.CommandInvalid;
    case "ERR_CHANNEL_ERROR":
      return ReplyCode.ChannelError;
    case "ERR_UNEXPECTED_PACKET":
      return ReplyCode.UnexpectedFrame;
    case "ERR_UNKNOWN_METHOD":
      return ReplyCode.NotImplemented;
    case "ERR_PACKET_TOO_LARGE":
      return ReplyCode.ContentTooLarge;
    case "ERR_LIMIT_EXCEEDED":
      return ReplyCode.ResourceError;
    case "ERR_NEGOTIATION_FAILED":
      return ReplyCode.NotAllowed;
    case "ERR_AUTH_FAILED":
      return ReplyCode.AccessRefused;
    case "ERR_PING_TIMEOUT":
    case "ERR_CONNECT_TIMEOUT":
      return ReplyCode.ConnectionForced;
    default:
      return ReplyCode.InternalError;
  }
}
