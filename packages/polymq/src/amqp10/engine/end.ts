import { MessagingError } from "../../base/errors.ts";
import { Condition } from "../codec/conditions.ts";
import type { AmqpError } from "../codec/tables.ts";

/**
 * How something ended. `scope` says what ended it: a link also ends with its session and its connection. `by`: `us` on our request, `peer` on
 * the peer's, `violation` because the peer did what the protocol forbids, `lost` without a word.
 */
export interface End {
  readonly scope: "link" | "session" | "connection";
  readonly by: "us" | "peer" | "violation" | "lost";
  /** The reason that was said, by the peer or to it; null when none was. */
  readonly error: AmqpError | null;
  /** What went wrong on our side of the wire, where an error of ours led to it. */
  readonly cause: unknown;
}

/** Thrown inside an engine to end a link, a session or the connection with a condition. */
export class Fault extends Error {
  readonly scope: End["scope"];
  readonly condition: string;

  constructor(scope: End["scope"], condition: string, message: string) {
    super(message);
    this.name = "Fault";
    this.scope = scope;
    this.condition = condition;
  }
}

/** An error to send. */
export function errorOf(condition: string, description: string): AmqpError {
  return { type: "error", condition, description, info: null };
}

/** How a failure of any kind ends the connection: decoding errors have conditions of their own (§2.8.15, §2.8.16). */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (!(error instanceof MessagingError)) return new Fault("connection", Condition.internalError, "internal error");
  switch (error.code) {
    case "ERR_MALFORMED_PACKET":
      return new Fault("connection", Condition.decodeError, error.message);
    case "ERR_PACKET_TOO_LARGE":
      return new Fault("connection", Condition.framingError, error.message);
    default:
      return new Fault("connection", Condition.internalError, error.message);
  }
}

/** The typed error of whatever waited for something that ended this way. */
export function endError(end: End): MessagingError {
  const error = end.error;
  const peer =
    error !== null && end.by === "peer"
      ? { protocol: "amqp10" as const, code: error.condition, text: error.description ?? "", info: error.info }
      : undefined;
  const what = `${end.scope} ended by ${WHO[end.by]}`;
  const message =
    error === null ? what : `${what}: ${error.condition}${error.description ? `: ${error.description}` : ""}`;
  const info = { cause: end.cause ?? undefined, ...(peer === undefined ? {} : { peer }) };
  if (end.scope === "link") return new MessagingError("ERR_LINK_DETACHED", message, info);
  if (end.scope === "session") return new MessagingError("ERR_SESSION_ENDED", message, info);
  if (end.by === "violation") return new MessagingError("ERR_PROTOCOL_VIOLATION", message, info);
  return new MessagingError(end.by === "peer" ? "ERR_SERVER_DISCONNECT" : "ERR_CONNECTION_LOST", message, info);
}

const WHO: Readonly<Record<End["by"], string>> = {
  us: "us",
  peer: "the peer",
  violation: "a violation of the protocol",
  lost: "a lost connection",
};
