import type { Clock } from "../base/clock.ts";
import type { TextCodec } from "../bytes/text.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Transport, TransportHandler } from "./transport.ts";

/** How bytes travel: plain TCP, TLS, WebSocket, WebSocket over TLS, or a local socket whose path is the endpoint's `path`. */
export type DialKind = "tcp" | "tls" | "ws" | "wss" | "unix";

/** One PEM or DER document, or a list of them. */
export type TlsMaterial = string | Uint8Array | readonly (string | Uint8Array)[];

/** TLS as seen by a client; every field is optional and defaults to the runtime's own choice. */
export interface TlsOptions {
  /** Authorities to trust instead of the runtime's. */
  readonly ca?: TlsMaterial | undefined;
  /** Client certificate chain in PEM. */
  readonly cert?: TlsMaterial | undefined;
  /** Private key in PEM. */
  readonly key?: TlsMaterial | undefined;
  /** Decrypts `key` or `pfx`. */
  readonly passphrase?: string | undefined;
  /** Certificate and key in one PKCS#12 document, instead of `cert` and `key`. */
  readonly pfx?: string | Uint8Array | undefined;
  /** Application protocols offered, best first. */
  readonly alpnProtocols?: readonly string[] | undefined;
  /** Name sent as SNI and checked against the certificate. Default: the endpoint's host (no SNI for an IP address). */
  readonly serverName?: string | undefined;
  /** False accepts any certificate: for experiments only. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** OpenSSL cipher list. */
  readonly ciphers?: string | undefined;
}

/** The part of the standard `WebSocket` that is used; what a `createWebSocket` hook returns. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  /** Takes the bytes before it returns, as the standard one does: the caller writes into the buffer again. */
  send(data: Uint8Array): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** The connection is there. */
  onopen: ((event: never) => void) | null;
  /** A message has come; binary ones as an ArrayBuffer. */
  onmessage: ((event: never) => void) | null;
  /** It failed; `onclose` follows. */
  onerror: ((event: never) => void) | null;
  /** It is over. */
  onclose: ((event: never) => void) | null;
}

/** WebSocket settings of one dial. */
export interface WebSocketDialOptions {
  /** Subprotocols offered, such as `["mqtt"]` [MQTT-6.0.0-3]. */
  readonly protocols: readonly string[];
  /** Extra HTTP request headers; not possible in browsers, where they are refused with `ERR_UNSUPPORTED`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A Node `http.Agent` or `https.Agent`, for proxies; not possible in browsers. */
  readonly agent?: unknown;
  /** Largest message taken from the peer, in bytes; above it the connection ends. Default 268,435,460 (an MQTT packet at its largest). */
  readonly messageBytesMax?: number | undefined;
  /** Rewrites the URL before each attempt, for instance to sign it anew. */
  readonly transformUrl?: ((url: string) => string | Promise<string>) | undefined;
  /** Makes the socket itself, in place of the platform; its transport is the browser's kind. */
  readonly createWebSocket?: ((url: string, protocols: readonly string[]) => WebSocketLike) | undefined;
}

/** Replaces the platform's way to connect; same promises as {@link Platform.dial}. */
export type DialHook = (endpoint: Endpoint, options: DialOptions, handler: TransportHandler) => Promise<Transport>;

/** How one connection is made. */
export interface DialOptions {
  readonly kind: DialKind;
  /** Gives up with `ERR_CONNECT_TIMEOUT` after this long, TLS and WebSocket handshakes included; 0 waits for ever. */
  readonly connectTimeoutMs: number;
  /** Gives up with `ERR_ABORTED`; has no effect once connected. */
  readonly signal?: AbortSignal | undefined;
  /** For kinds `tls` and `wss`. */
  readonly tls?: TlsOptions | undefined;
  /** For kinds `ws` and `wss`. */
  readonly webSocket?: WebSocketDialOptions | undefined;
  /** Idle time before TCP probes the peer. Default 60,000; 0 sends no probes. */
  readonly tcpKeepAliveMs?: number | undefined;
  /** Address of this machine to connect from; not possible in browsers, where it means nothing. Default: what the system chooses. */
  readonly localAddress?: string | undefined;
  /** A hook that connects in place of the platform; deadline and signal still hold. */
  readonly dial?: DialHook | undefined;
}

/** All that a client needs from the runtime. */
export interface Platform {
  readonly clock: Clock;
  readonly text: TextCodec;
  /** The kinds that {@link Platform.dial} can connect. */
  readonly kinds: readonly DialKind[];
  /** Unpredictable bytes, for ids and secrets. */
  randomBytes(count: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  random(): number;
  /**
   * Connects. No upcall comes before the promise is settled and its first reactions have run.
   * On abort, timeout or failure nothing stays open.
   * @throws {MessagingError} ERR_CONNECT_FAILED with the cause, ERR_CONNECT_TIMEOUT, ERR_ABORTED, ERR_UNSUPPORTED for a
   *   kind outside `kinds`
   */
  dial(endpoint: Endpoint, options: DialOptions, handler: TransportHandler): Promise<Transport>;
}
