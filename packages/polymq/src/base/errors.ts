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

/** Every code with its scope and retry advice, as `<scope> <retry>`. */
export const ERRORS = {
  ERR_INVALID_ARGUMENT: "call never",
  ERR_INVALID_OPTIONS: "call never",
  ERR_NO_SERVERS: "call never",
  ERR_EMPTY_CLIENT_ID: "call never",
  ERR_INVALID_PROTOCOL: "call never",
  ERR_INVALID_QOS: "call never",
  ERR_INVALID_TOPIC: "call never",
  ERR_INVALID_MESSAGE: "call never",
  ERR_INVALID_SUBSCRIBE_OPTION: "call never",
  ERR_UNSUPPORTED: "call never",
  ERR_ABORTED: "call unknown",
  ERR_TIMEOUT: "call unknown",
  ERR_NOT_CONNECTED: "call later",
  ERR_ALREADY_CONNECTED: "call never",
  ERR_CLIENT_CLOSED: "call never",
  ERR_DRAINING: "call never",
  ERR_MAX_INFLIGHT: "call later",
  ERR_OUTBOUND_BACKPRESSURE: "call later",
  ERR_OFFLINE_FULL: "call later",
  ERR_SLOW_CONSUMER: "message never",
  ERR_CONNECT_FAILED: "connection reconnect",
  ERR_CONNECT_REJECTED: "connection later",
  ERR_CONNECT_TIMEOUT: "connection reconnect",
  ERR_CONNECTION_LOST: "connection reconnect",
  ERR_RECONNECT_EXHAUSTED: "connection later",
  ERR_PING_TIMEOUT: "connection reconnect",
  ERR_WRITE_TIMEOUT: "connection reconnect",
  ERR_SERVER_DISCONNECT: "connection reconnect",
  ERR_MALFORMED_PACKET: "connection reconnect",
  ERR_PROTOCOL_VIOLATION: "connection reconnect",
  ERR_UNEXPECTED_PACKET: "connection reconnect",
  ERR_PACKET_TOO_LARGE: "message never",
  ERR_FRAME_ERROR: "connection reconnect",
  ERR_COMMAND_INVALID: "connection reconnect",
  ERR_CHANNEL_ERROR: "connection reconnect",
  ERR_UNKNOWN_METHOD: "connection reconnect",
  ERR_NEGOTIATION_FAILED: "connection later",
  ERR_LIMIT_EXCEEDED: "connection reconnect",
  ERR_CHANNEL_CLOSED: "channel later",
  ERR_CONSUMER_CANCELLED: "link later",
  ERR_UNROUTABLE: "message later",
  ERR_CHANNEL_MAX: "call later",
  ERR_TOPIC_ALIAS_INVALID: "connection reconnect",
  ERR_RECEIVE_MAXIMUM_EXCEEDED: "connection reconnect",
  ERR_PUBLISH_REJECTED: "message later",
  ERR_MESSAGE_RELEASED: "message later",
  ERR_MESSAGE_MODIFIED: "message later",
  ERR_SUBSCRIBE_FAILED: "call later",
  ERR_UNSUBSCRIBE_FAILED: "call later",
  ERR_NOT_SUPPORTED_BY_SERVER: "call never",
  ERR_SESSION_ENDED: "session later",
  ERR_LINK_DETACHED: "link later",
  ERR_TRANSACTION_ENDED: "call never",
  ERR_TRANSACTION_ROLLED_BACK: "call later",
  ERR_TRANSACTION_UNKNOWN: "call unknown",
  ERR_SESSION_LOST: "session unknown",
  ERR_AUTH_FAILED: "connection later",
  ERR_AUTH_NOT_V5: "call never",
  ERR_AUTH_NO_HANDLER: "call never",
  ERR_AUTH_METHOD_MISSING: "call never",
  ERR_AUTH_METHOD_MISMATCH: "connection never",
  ERR_HANDLER_FAILED: "message never",
  ERR_ALREADY_SETTLED: "message never",
  ERR_STALE_DELIVERY: "message never",
  ERR_STORE_FAILED: "call later",
  ERR_STORE_CORRUPT: "call never",
  ERR_STORE_VERSION: "call never",
  ERR_STORE_IN_USE: "call later",
  ERR_QUEUE_ACK_REQUIRES_V5: "call never",
  ERR_QUEUE_ACK_MISSING_GROUP: "call never",
  ERR_QUEUE_GROUP_REQUIRES_V5: "call never",
  ERR_QUEUE_NOT_FOUND: "call later",
  ERR_QUEUE_EXISTS: "call never",
  ERR_QUEUE_IN_USE: "call later",
  ERR_QUEUE_MODE_MISMATCH: "call never",
  ERR_QUEUE_LIMIT: "call later",
  ERR_QUEUE_FULL: "message later",
  ERR_MESSAGE_TOO_LARGE: "message never",
  ERR_LISTEN_FAILED: "call later",
  ERR_LOAD_FAILED: "call later",
} as const;

/** A stable error code; see {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

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
    return ERRORS[this.code].split(" ")[0] as ErrorScope;
  }
  /** Whether, and when, trying again can help. */
  get retry(): ErrorRetry {
    return ERRORS[this.code].split(" ")[1] as ErrorRetry;
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
