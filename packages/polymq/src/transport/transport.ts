/** What a connection tells its owner. The three upcalls of a transport; none of them may throw. */
export interface TransportHandler {
  /**
   * Bytes came in. The chunk belongs to the receiver from now on: the transport never writes into it again, so views of it
   * stay valid (they keep the whole chunk in memory; copy what is kept long).
   */
  onBytes(chunk: Uint8Array): void;
  /** All bytes given to `write` have left the process; told only after a `write` returned false. */
  onDrain(): void;
  /** The connection is over; told exactly once, with the error that ended it or null for an orderly end by either side. */
  onClosed(error: Error | null): void;
}

/** A connected, ordered, reliable byte stream. Wanted from it: no emitter, no promise per chunk. */
export interface Transport {
  /**
   * Sends bytes in order. True: they have left and the buffer may be written again. False: the transport still holds the
   * buffer (it must stay unchanged) and `onDrain` will follow once everything is out. After the end it is a no-op returning true.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes taken by `write` that have not left yet. */
  readonly bufferedBytes: number;
  /** Stops reading, so that the peer feels backpressure; already read bytes may still come. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Sends what was written, then ends the connection; `onClosed(null)` follows. */
  close(): void;
  /** Ends at once, dropping unsent bytes; `onClosed(error ?? null)` follows, never inside this call. */
  destroy(error?: Error): void;
  /** What is known of the other side, for logs and access control; filled as far as the transport can tell. */
  readonly info: TransportInfo;
}

/** Facts about a connection. */
export interface TransportInfo {
  readonly kind: "tcp" | "tls" | "websocket" | "memory";
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** True when the bytes are encrypted on the wire (TLS, or WebSocket over TLS). */
  readonly secure: boolean;
  /** The peer's certificate subject common name when one was verified, else "". */
  readonly peerCommonName: string;
}
