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

/** Every code with its scope and retry advice. */
export const ERRORS = {
  ERR_INVALID_ARGUMENT: { scope: "call", retry: "never" },
  ERR_INVALID_OPTIONS: { scope: "call", retry: "never" },
  ERR_NO_SERVERS: { scope: "call", retry: "never" },
  ERR_EMPTY_CLIENT_ID: { scope: "call", retry: "never" },
  ERR_INVALID_PROTOCOL: { scope: "call", retry: "never" },
  ERR_INVALID_QOS: { scope: "call", retry: "never" },
  ERR_INVALID_TOPIC: { scope: "call", retry: "never" },
  ERR_INVALID_MESSAGE: { scope: "call", retry: "never" },
  ERR_INVALID_SUBSCRIBE_OPTION: { scope: "call", retry: "never" },
  ERR_UNSUPPORTED: { scope: "call", retry: "never" },
  ERR_ABORTED: { scope: "call", retry: "unknown" },
  ERR_TIMEOUT: { scope: "call", retry: "unknown" },
  ERR_NOT_CONNECTED: { scope: "call", retry: "later" },
  ERR_ALREADY_CONNECTED: { scope: "call", retry: "never" },
  ERR_CLIENT_CLOSED: { scope: "call", retry: "never" },
  ERR_DRAINING: { scope: "call", retry: "never" },
  ERR_MAX_INFLIGHT: { scope: "call", retry: "later" },
  ERR_OUTBOUND_BACKPRESSURE: { scope: "call", retry: "later" },
  ERR_OFFLINE_FULL: { scope: "call", retry: "later" },
  ERR_SLOW_CONSUMER: { scope: "message", retry: "never" },
  ERR_CONNECT_FAILED: { scope: "connection", retry: "reconnect" },
  ERR_CONNECT_REJECTED: { scope: "connection", retry: "later" },
  ERR_CONNECT_TIMEOUT: { scope: "connection", retry: "reconnect" },
  ERR_CONNECTION_LOST: { scope: "connection", retry: "reconnect" },
  ERR_RECONNECT_EXHAUSTED: { scope: "connection", retry: "later" },
  ERR_PING_TIMEOUT: { scope: "connection", retry: "reconnect" },
  ERR_WRITE_TIMEOUT: { scope: "connection", retry: "reconnect" },
  ERR_SERVER_DISCONNECT: { scope: "connection", retry: "reconnect" },
  ERR_MALFORMED_PACKET: { scope: "connection", retry: "reconnect" },
  ERR_PROTOCOL_VIOLATION: { scope: "connection", retry: "reconnect" },
  ERR_UNEXPECTED_PACKET: { scope: "connection", retry: "reconnect" },
  ERR_PACKET_TOO_LARGE: { scope: "message", retry: "never" },
  ERR_TOPIC_ALIAS_INVALID: { scope: "connection", retry: "reconnect" },
  ERR_RECEIVE_MAXIMUM_EXCEEDED: { scope: "connection", retry: "reconnect" },
  ERR_PUBLISH_REJECTED: { scope: "message", retry: "later" },
  ERR_SUBSCRIBE_FAILED: { scope: "call", retry: "later" },
  ERR_UNSUBSCRIBE_FAILED: { scope: "call", retry: "later" },
  ERR_NOT_SUPPORTED_BY_SERVER: { scope: "call", retry: "never" },
  ERR_SESSION_LOST: { scope: "session", retry: "unknown" },
  ERR_AUTH_FAILED: { scope: "connection", retry: "later" },
  ERR_AUTH_NOT_V5: { scope: "call", retry: "never" },
  ERR_AUTH_NO_HANDLER: { scope: "call", retry: "never" },
  ERR_AUTH_METHOD_MISSING: { scope: "call", retry: "never" },
  ERR_AUTH_METHOD_MISMATCH: { scope: "connection", retry: "never" },
  ERR_HANDLER_FAILED: { scope: "message", retry: "never" },
  ERR_ALREADY_SETTLED: { scope: "message", retry: "never" },
  ERR_STALE_DELIVERY: { scope: "message", retry: "never" },
  ERR_STORE_FAILED: { scope: "call", retry: "later" },
  ERR_STORE_CORRUPT: { scope: "call", retry: "never" },
  ERR_STORE_VERSION: { scope: "call", retry: "never" },
  ERR_STORE_IN_USE: { scope: "call", retry: "later" },
  ERR_QUEUE_ACK_REQUIRES_V5: { scope: "call", retry: "never" },
  ERR_QUEUE_ACK_MISSING_GROUP: { scope: "call", retry: "never" },
  ERR_LISTEN_FAILED: { scope: "call", retry: "later" },
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
    return ERRORS[this.code].scope;
  }
  /** Whether, and when, trying again can help. */
  get retry(): ErrorRetry {
    return ERRORS[this.code].retry;
  }
}

/** True for a {@link MessagingError}, also one made by another copy of this package in the same process. */
export function isMessagingError(value: unknown): value is MessagingError {
  return typeof value === "object" && value !== null && BRAND in value;
}
