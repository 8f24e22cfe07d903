import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { MessagingError } from "polymq/internal";
import type { TlsMaterial } from "polymq/transport";
import type { TlsSettings } from "./listener-settings.ts";

/** What a {@link TlsLayer} tells. */
export interface TlsLayerEvents {
  /** The handshake is done; `socket` is what lies beneath. */
  onSecure(secure: TLSSocket, socket: Socket): void;
  /** The handshake failed or took too long; the connection is ended. */
  onFailed(error: MessagingError): void;
}

/** Makes TLS connections of sockets whose first bytes were read already. It listens nowhere and holds nothing to close. */
export class TlsLayer {
  readonly #server: Server;
  readonly #events: TlsLayerEvents;
  /** Sockets in their handshake, by their two ends: Node does not say which socket a TLS connection was made of. */
  readonly #waiting = new Map<string, Socket>();

  /** @throws {MessagingError} ERR_INVALID_OPTIONS for a certificate or key that OpenSSL refuses */
  constructor(settings: TlsSettings, handshakeTimeoutMs: number, events: TlsLayerEvents) {
    this.#events = events;
    this.#server = serverFor(settings, handshakeTimeoutMs);
    this.#server.on("secureConnection", (secure) => this.#onSecure(secure));
    this.#server.on("tlsClientError", (cause, secure) => {
      // Node ends the connection by itself only when the handshake failed, not when its time is over.
      secure.destroy();
      events.onFailed(new MessagingError("ERR_CONNECT_FAILED", `TLS handshake failed: ${cause.message}`, { cause }));
    });
  }

  /** Starts the server's side of the handshake with the bytes that were read. */
  handshake(socket: Socket, bytes: Uint8Array): void {
    const key = endsOf(socket);
    this.#waiting.set(key, socket);
    socket.once("close", () => {
      if (this.#waiting.get(key) === socket) this.#waiting.delete(key);
    });
    // TLS takes over the socket's handle; what was read goes back first, and nothing may flow in between.
    socket.pause();
    socket.unshift(bytes);
    this.#server.emit("connection", socket);
  }

  #onSecure(secure: TLSSocket): void {
    const key = endsOf(secure);
    const socket = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (socket === undefined) secure.destroy();
    else this.#events.onSecure(secure, socket);
  }
}

function endsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

function serverFor(settings: TlsSettings, handshakeTimeoutMs: number): Server {
  try {
    return createServer(nodeOptions(settings, handshakeTimeoutMs));
  } catch (cause) {
    throw new MessagingError("ERR_INVALID_OPTIONS", "tls: the certificate or key cannot be used", { cause });
  }
}

function nodeOptions(settings: TlsSettings, handshakeTimeout: number): TlsOptions {
  const { cert, key, ca, pfx, passphrase, minVersion, maxVersion, ciphers } = settings;
  const given = {
    cert: listed(cert),
    key: listed(key),
    ca: listed(ca),
    pfx,
    passphrase,
    minVersion,
    maxVersion,
    ciphers,
  };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)),
    handshakeTimeout,
    requestCert: settings.clientCertificate !== "none",
    rejectUnauthorized: settings.clientCertificate === "require",
  };
}

/** Node wants lists of its own. */
function listed(material: TlsMaterial | null): unknown {
  return Array.isArray(material) ? [...material] : material;
}
