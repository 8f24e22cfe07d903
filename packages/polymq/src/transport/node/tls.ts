import { isIP } from "node:net";
import {
  createSecureContext,
  createServer,
  type TLSSocket,
  type TlsOptions as TlsServerOptions,
  connect as tlsConnect,
} from "node:tls";
import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import { checkedOptions } from "../../base/option-rules.ts";
import type { Endpoint } from "../endpoint.ts";
import type { DialOptions, TlsMaterial, TlsOptions } from "../platform.ts";
import type { Transport, TransportHandler } from "../transport.ts";
import { dialSocket, type Listener, type ListenOptions, localOptions, startServer } from "./tcp.ts";

/**
 * Connects over TLS. The server's certificate is checked against `tls.ca` (or the runtime's authorities) and the server's name.
 * @throws {MessagingError} ERR_CONNECT_FAILED (also for a failed handshake, with OpenSSL's error as its cause),
 *   ERR_CONNECT_TIMEOUT, ERR_ABORTED, ERR_INVALID_OPTIONS for a certificate or key that OpenSSL refuses
 */
export function dialTls(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions,
  handler: TransportHandler,
): Promise<Transport> {
  const { host, port } = endpoint;
  const open = (): TLSSocket =>
    tlsConnect({ host, port, ...localOptions(options), ...secureOptions(options.tls ?? {}, host) });
  return dialSocket({ clock, options, handler, event: "secureConnect", open });
}

/**
 * {@link TlsOptions} in Node's words, certificates and keys read; also used for WebSocket over TLS.
 * @throws {MessagingError} ERR_INVALID_OPTIONS
 */
export function secureOptions(tls: TlsOptions, host: string): Record<string, unknown> {
  checkedOptions(
    { code: "ERR_INVALID_OPTIONS", options: tls, prefix: "tls." },
    { serverName: "string", rejectUnauthorized: "boolean", alpnProtocols: "object" },
  );
  const serverName = tls.serverName ?? host;
  return withoutUndefined({
    secureContext: usingMaterial(() => createSecureContext(withoutUndefined(materialOf(tls)))),
    ALPNProtocols: tls.alpnProtocols,
    // SNI carries names only (RFC 6066 §3).
    servername: isIP(serverName) === 0 ? serverName : "",
    rejectUnauthorized: tls.rejectUnauthorized,
  });
}

/** TLS as seen by a server. */
export interface TlsListenOptions extends ListenOptions {
  /** Certificate, key and the like; `serverName` has no meaning here. */
  readonly tls: TlsOptions;
  /** `require` refuses clients without a certificate that `tls.ca` signed, `ask` takes them as anonymous. Default `none`. */
  readonly clientCertificate?: "none" | "ask" | "require" | undefined;
  /** Ends a connection whose handshake takes longer. Default 10,000. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Told of each failed handshake; the server goes on. */
  readonly onHandshakeFailed?: ((error: MessagingError) => void) | undefined;
}

/**
 * Listens for TLS connections; `accept` gets each socket once its handshake is done and may not throw.
 * @throws {MessagingError} ERR_LISTEN_FAILED, ERR_INVALID_OPTIONS for a certificate or key that OpenSSL refuses
 */
export async function listenTls(options: TlsListenOptions, accept: (socket: TLSSocket) => void): Promise<Listener> {
  const server = usingMaterial(() => createServer(tlsServerOptions(options)));
  server.on("secureConnection", accept);
  server.on("tlsClientError", (cause: Error, socket: TLSSocket) => {
    // Node leaves a socket open whose handshake takes too long.
    socket.destroy();
    const error = new MessagingError("ERR_CONNECT_FAILED", `TLS handshake failed: ${cause.message}`, { cause });
    options.onHandshakeFailed?.(error);
  });
  return await startServer(server, options);
}

/** Runs what reads certificates and keys; OpenSSL refuses bad ones by throwing. */
function usingMaterial<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw new MessagingError("ERR_INVALID_OPTIONS", "the TLS certificate or key cannot be used", { cause });
  }
}

function tlsServerOptions(options: TlsListenOptions): TlsServerOptions {
  const clients = options.clientCertificate ?? "none";
  return withoutUndefined({
    ...materialOf(options.tls),
    ALPNProtocols: options.tls.alpnProtocols,
    requestCert: clients !== "none",
    rejectUnauthorized: clients === "require",
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    noDelay: true,
  });
}

function materialOf(tls: TlsOptions): Record<string, unknown> {
  return {
    ca: nodeMaterial(tls.ca),
    cert: nodeMaterial(tls.cert),
    key: nodeMaterial(tls.key),
    pfx: tls.pfx === undefined ? undefined : nodeMaterial(tls.pfx),
    passphrase: tls.passphrase,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    ciphers: tls.ciphers,
  };
}

function nodeMaterial(material: TlsMaterial | undefined): unknown {
  return Array.isArray(material) ? [...material] : material;
}

/** Node takes some options as given even when they are undefined. */
function withoutUndefined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
