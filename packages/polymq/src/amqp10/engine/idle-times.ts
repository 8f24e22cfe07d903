/** Heartbeats are never sent more often than this, in ms, whatever the peer asks for. */
const HEARTBEAT_LEAST_MS = 50;

/** Who said something last, and what follows from it (§2.4.5). */
export class IdleTimes {
  readonly #timeoutMs: number;
  #heardMs: number;
  #saidMs: number;
  /** Silence of ours after which a heartbeat is due; Infinity for never. */
  #heartbeatMs: number = Number.POSITIVE_INFINITY;

  /** @param timeoutMs silence of the peer that ends the connection; 0 for never */
  constructor(timeoutMs: number, nowMs: number) {
    this.#timeoutMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs;
    this.#heardMs = nowMs;
    this.#saidMs = nowMs;
  }

  /** What our open says: half of our timeout (§2.4.5), or null for none. */
  get advertisedMs(): number | null {
    if (this.#timeoutMs === Number.POSITIVE_INFINITY) return null;
    return Math.min(0xffff_ffff, Math.max(1, Math.floor(this.#timeoutMs / 2)));
  }

  /** The peer's open came: it wants to hear something every `peerTimeoutMs`, 0 for never. We say something twice as often. */
  agree(peerTimeoutMs: number, nowMs: number): void {
    this.#heartbeatMs =
      peerTimeoutMs === 0 ? Number.POSITIVE_INFINITY : Math.max(HEARTBEAT_LEAST_MS, Math.floor(peerTimeoutMs / 2));
    this.#heardMs = nowMs;
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  said(nowMs: number): void {
    this.#saidMs = nowMs;
  }

  /** When something is due next. */
  get deadlineMs(): number {
    return Math.min(this.#heardMs + this.#timeoutMs, this.#saidMs + this.#heartbeatMs);
  }

  /** True when the peer has been silent for too long. */
  isSilent(nowMs: number): boolean {
    return nowMs >= this.#heardMs + this.#timeoutMs;
  }
}
