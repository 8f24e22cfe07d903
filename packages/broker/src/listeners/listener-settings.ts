import type { TlsMaterial } from "polymq/transport";

/** TLS of one listener, checked and complete; null leaves the choice to the runtime. */
export interface TlsSettings {
  readonly cert: TlsMaterial | null;
  readonly key: TlsMaterial | null;
  readonly ca: TlsMaterial | null;
  /** Certificate and key as one PKCS#12 document, instead of `cert` and `key`. */
  readonly pfx: string | Uint8Array | null;
  readonly passphrase: string | null;
  /** `require` refuses clients without a certificate that `ca` signed, `ask` takes them as unknown. */
  readonly clientCertificate: "none" | "ask" | "require";
  /** Whether connections without TLS are served on the same port. */
  readonly plaintext: "refuse" | "allow";
  readonly minVersion: "TLSv1.2" | "TLSv1.3" | null;
  readonly maxVersion: "TLSv1.2" | "TLSv1.3" | null;
  readonly ciphers: string | null;
}

/** WebSocket of one listener, checked and complete. */
export interface WebSocketSettings {
  readonly paths: readonly string[];
  /** Origins that browsers may connect from; null allows any. */
  readonly origins: readonly string[] | null;
  /** Largest WebSocket message taken, in bytes. */
  readonly messageBytesMax: number;
}

/** One port to listen on, checked and complete. */
export interface ListenerSettings {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls: TlsSettings | null;
  /** Names of the protocols served; null serves all. */
  readonly protocols: readonly string[] | null;
  readonly webSocket: WebSocketSettings | null;
}

/** What every connection must keep to before anything is known of it. */
export interface AdmissionSettings {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** Connections that the kernel queues per port. */
  readonly backlog: number;
  /** Time to show the protocol, and again to finish the HTTP request that asks for a WebSocket. */
  readonly sniffTimeoutMs: number;
  readonly tlsHandshakeTimeoutMs: number;
}
