import { MessagingError } from "../base/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** The largest message taken from a peer unless told otherwise: a whole MQTT packet at its largest. */
export const MESSAGE_BYTES_MAX = 268_435_460;

/** Closing codes in use (RFC 6455 §7.4.1). */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  unsupportedData: 1003,
  none: 1005,
} as const;

/** The URL to open for an endpoint; credentials stay out, they belong into the messaging protocol. */
export function webSocketUrl(endpoint: Endpoint, scheme: "ws" | "wss"): string {
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `${scheme}://${host}:${endpoint.port}${endpoint.path}`;
}

/** What a peer's closing code says about the end: null for an orderly one. */
export function closedError(code: number, reason: string, cause: Error | null): MessagingError | null {
  const orderly = code === CloseCode.normal || code === CloseCode.goingAway || code === CloseCode.none;
  if (orderly && cause === null) return null;
  const text = reason === "" ? "" : `: ${reason}`;
  const message = `the WebSocket connection ended with code ${code}${text}`;
  return new MessagingError("ERR_CONNECTION_LOST", message, cause === null ? undefined : { cause });
}
