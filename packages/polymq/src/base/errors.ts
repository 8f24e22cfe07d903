/**
 * The one table of error codes. A code decides what a failure concerns (`scope`) and whether trying again can help
 * (`retry`); codes never change meaning. What the peer said is data (`peer`), never something to match in text.
 */

/** What a failure ends: only this call, one message, a channel, link or session, or the whole connection. */
export type ErrorScope = "call" | "message" | "channel" | "link" | "session" | "connection";

/**
 * Whether trying again can help: `never` (the input is wrong), `later` (the same call may work in a while),
 * `reconnect` (a new connection is needed, which the client makes by itself unless told not to), `unknown` (the
 * operation may have happened: repeating it may do it twice).
 */
export type ErrorRetry = "never" | "later" | "reconnect" | "unknown";

/** The codes, by `<scope> <retry>`: those that end more than their call, or with which trying again may help. */
const ERRORS = {
  "call later": [
    "ERR_NOT_CONNECTED",
    "ERR_MAX_INFLIGHT",
    "ERR_OUTBOUND_BACKPRESSURE",
    "ERR_OFFLINE_FULL",
    "ERR_CHANNEL_MAX",
    "ERR_SUBSCRIBE_FAILED",
    "ERR_UNSUBSCRIBE_FAILED",
    "ERR_TRANSACTION_ROLLED_BACK",
    "ERR_STORE_FAILED",
    "ERR_STORE_IN_USE",
    "ERR_QUEUE_NOT_FOUND",
    "ERR_QUEUE_IN_USE",
    "ERR_QUEUE_LIMIT",
    "ERR_LISTEN_FAILED",
    "ERR_LOAD_FAILED",
  ],
  "call unknown": ["ERR_ABORTED", "ERR_TIMEOUT", "ERR_TRANSACTION_UNKNOWN"],
  "message later": [
    "ERR_UNROUTABLE",
    "ERR_PUBLISH_REJECTED",
    "ERR_MESSAGE_RELEASED",
    "ERR_MESSAGE_MODIFIED",
    "ERR_QUEUE_FULL",
  ],
  "message never": [
    "ERR_SLOW_CONSUMER",
    "ERR_PACKET_TOO_LARGE",
    "ERR_HANDLER_FAILED",
    "ERR_ALREADY_SETTLED",
    "ERR_STALE_DELIVERY",
    "ERR_MESSAGE_TOO_LARGE",
  ],
  "channel later": ["ERR_CHANNEL_CLOSED"],
  "link later": ["ERR_CONSUMER_CANCELLED", "ERR_LINK_DETACHED"],
  "session later": ["ERR_SESSION_ENDED"],
  "session unknown": ["ERR_SESSION_LOST"],
  "connection reconnect": [
    "ERR_CONNECT_FAILED",
    "ERR_CONNECT_TIMEOUT",
    "ERR_CONNECTION_LOST",
    "ERR_PING_TIMEOUT",
    "ERR_WRITE_TIMEOUT",
    "ERR_SERVER_DISCONNECT",
    "ERR_MALFORMED_PACKET",
    "ERR_PROTOCOL_VIOLATION",
    "ERR_UNEXPECTED_PACKET",
    "ERR_FRAME_ERROR",
    "ERR_COMMAND_INVALID",
    "ERR_CHANNEL_ERROR",
    "ERR_UNKNOWN_METHOD",
    "ERR_LIMIT_EXCEEDED",
    "ERR_TOPIC_ALIAS_INVALID",
    "ERR_RECEIVE_MAXIMUM_EXCEEDED",
  ],
  "connection later": ["ERR_CONNECT_REJECTED", "ERR_RECONNECT_EXHAUSTED", "ERR_NEGOTIATION_FAILED", "ERR_AUTH_FAILED"],
  "connection never": ["ERR_AUTH_METHOD_MISMATCH"],
} as const;

/** The codes of calls that are wrong by themselves: "call never". That is what a code is that the table does not have, so that nobody loads their names. */
type CallError =
  | "ERR_INVALID_ARGUMENT"
  | "ERR_INVALID_OPTIONS"
  | "ERR_NO_SERVERS"
  | "ERR_EMPTY_CLIENT_ID"
  | "ERR_INVALID_PROTOCOL"
  | "ERR_INVALID_QOS"
  | "ERR_INVALID_TOPIC"
  | "ERR_INVALID_MESSAGE"
  | "ERR_INVALID_SUBSCRIBE_OPTION"
  | "ERR_UNSUPPORTED"
  | "ERR_ALREADY_CONNECTED"
  | "ERR_CLIENT_CLOSED"
  | "ERR_DRAINING"
  | "ERR_NOT_SUPPORTED_BY_SERVER"
  | "ERR_TRANSACTION_ENDED"
  | "ERR_AUTH_NOT_V5"
  | "ERR_AUTH_NO_HANDLER"
  | "ERR_AUTH_METHOD_MISSING"
  | "ERR_STORE_CORRUPT"
  | "ERR_STORE_VERSION"
  | "ERR_QUEUE_ACK_REQUIRES_V5"
  | "ERR_QUEUE_ACK_MISSING_GROUP"
  | "ERR_QUEUE_GROUP_REQUIRES_V5"
  | "ERR_QUEUE_EXISTS"
  | "ERR_QUEUE_MODE_MISMATCH";

/** A stable error code. */
export type ErrorCode = CallError | (typeof ERRORS)[keyof typeof ERRORS][number];

/** What the other side said, as data: the protocol's own code and its text, if it sent one. */
export interface PeerReason {
  readonly protocol: "mqtt" | "amqp091" | "amqp10";
  /** MQTT reason code or return code, AMQP 0-9-1 reply code, or AMQP 1.0 condition symbol. */
  readonly code: number | string;
  /** Human text from the peer, or "" when it sent none. */
  readonly text: string;
  /** More that AMQP 1.0 peers say with an error, as a map of its codec (§2.8.14); absent elsewhere. */
  readonly info?: unknown;
}

/** Extra facts for a {@link MessagingError}. */
export interface ErrorInfo {
  readonly peer?: PeerReason;
  readonly cause?: unknown;
}

const BRAND = Symbol.for("polymq.MessagingError");

/** The one error class of polymq: `code` says what happened, `scope` what it ends, `retry` whether to try again. */
export class MessagingError extends Error {
  readonly code: ErrorCode;
  /** The peer's own reason, or null when the failure is local. */
  readonly peer: PeerReason | null;
  constructor(code: ErrorCode, message: string, info?: ErrorInfo) {
    super(message, info?.cause === undefined ? undefined : { cause: info.cause });
    this.name = "MessagingError";
    this.code = code;
    this.peer = info?.peer ?? null;
    Object.defineProperty(this, BRAND, { value: true });
  }
  /** What the failure ends. */
  get scope(): ErrorScope {
    return advice(this.code)[0] as ErrorScope;
  }
  /** Whether, and when, trying again can help. */
  get retry(): ErrorRetry {
    return advice(this.code)[1] as ErrorRetry;
  }
}

/** True for a {@link MessagingError}, also one made by another copy of this package in the same process. */
export function isMessagingError(value: unknown): value is MessagingError {
  return typeof value === "object" && value !== null && BRAND in value;
}

/** The error itself where it is typed already, else one of this code that has it as its cause. */
export function asMessagingError(error: unknown, code: ErrorCode): MessagingError {
  if (isMessagingError(error)) return error;
  return new MessagingError(code, error instanceof Error ? error.message : String(error), { cause: error });
}

/** Scope and retry. */
function advice(code: ErrorCode): readonly string[] {
  const found = Object.entries(ERRORS).find(([, codes]) => (codes as readonly string[]).includes(code));
  return (found?.[0] ?? "call never").split(" ");
}
