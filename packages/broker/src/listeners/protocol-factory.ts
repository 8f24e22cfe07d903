import type { Transport, TransportHandler } from "polymq/transport";

/** What a protocol says of the first bytes of a connection: mine, not mine, or not to be told yet. */
export type Match = "yes" | "no" | "more";

/** Facts about a new connection that its {@link Transport} does not tell. */
export interface Arrival {
  /** The address that was bound, and the port. */
  readonly host: string;
  readonly port: number;
  /** The HTTP request that became a WebSocket, or null when the bytes came straight over the socket. */
  readonly webSocket: WebSocketArrival | null;
}

/** The HTTP side of a WebSocket connection. */
export interface WebSocketArrival {
  /** The requested path without its query. */
  readonly path: string;
  /** What the browser said about the page, or "" when no browser did. */
  readonly origin: string;
}

/**
 * A protocol's end of one connection. After `onOpen` the transport calls it directly, with every byte from the first one on;
 * the listener is out of the way.
 */
export interface ProtocolConnection extends TransportHandler {
  /** Called once, before anything else; it may close or destroy the transport. Must not throw. */
  onOpen(transport: Transport): void;
}

/** One protocol that a port can serve. */
export interface ProtocolFactory {
  /** Used in options (`protocols: ["mqtt"]`). */
  readonly name: string;
  /** URL schemes of its addresses, or null when nobody is to be told of it. */
  readonly schemes: { readonly plain: string; readonly secure: string } | null;
  /** The WebSocket subprotocol that carries it, or null when none does. */
  readonly subprotocol: string | null;
  /** Whether a WebSocket that names no subprotocol may carry it as well. */
  readonly bareWebSocket: "accept" | "refuse";
  /** Looks at the first 1 to {@link SNIFF_BYTES_MAX} bytes; `more` with all of them counts as `no`. */
  matches(firstBytes: Uint8Array): Match;
  /** Makes the connection's handler. Must not throw; one that does not want the connection closes it in `onOpen`. */
  accept(arrival: Arrival): ProtocolConnection;
}

/** Bytes of a connection that are looked at, at most, to tell its protocol. */
export const SNIFF_BYTES_MAX = 8;

/** Compares the first bytes with a text of ASCII characters that has to stand there. */
export function matchPrefix(firstBytes: Uint8Array, prefix: string): Match {
  const length = Math.min(firstBytes.length, prefix.length);
  for (let i = 0; i < length; i++) {
    if (firstBytes[i] !== prefix.charCodeAt(i)) return "no";
  }
  return firstBytes.length < prefix.length ? "more" : "yes";
}
