/** The share of the keep-alive interval after which a silent client sends PINGREQ, well before the server loses patience. */
const PING_AFTER = 0.75;

/** What a due check asks for. */
export type KeepAliveAction = "none" | "ping" | "dead";

/**
 * The client's side of keep-alive (MQTT 5.0 §3.1.2.10): when nothing was sent, or nothing heard, for three quarters of the
 * interval, a PINGREQ is due; when then nothing at all is heard for the ping timeout, the link is dead.
 */
export class ClientKeepAlive {
  readonly #intervalMs: number;
  readonly #pingTimeoutMs: number;
  #sentMs: number;
  #heardMs: number;
  /** When the unanswered PINGREQ left, or -1. */
  #pingMs = -1;

  /** @param keepAliveSeconds 0 turns it off */
  constructor(keepAliveSeconds: number, pingTimeoutMs: number, nowMs: number) {
    this.#intervalMs = keepAliveSeconds * 1000 * PING_AFTER;
    this.#pingTimeoutMs = pingTimeoutMs;
    this.#sentMs = nowMs;
    this.#heardMs = nowMs;
  }

  sent(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#pingMs = -1;
  }

  /** The PINGREQ has been written. */
  pinged(nowMs: number): void {
    this.#pingMs = nowMs;
    this.#sentMs = nowMs;
  }

  /** When `due` should be asked next; Infinity when keep-alive is off. */
  get deadlineMs(): number {
    if (this.#intervalMs === 0) return Number.POSITIVE_INFINITY;
    if (this.#pingMs >= 0) return this.#pingMs + this.#pingTimeoutMs;
    return Math.min(this.#sentMs, this.#heardMs) + this.#intervalMs;
  }

  due(nowMs: number): KeepAliveAction {
    if (nowMs < this.deadlineMs) return "none";
    return this.#pingMs >= 0 ? "dead" : "ping";
  }
}

/** The server's side: a client that stays silent for one and a half intervals is gone [MQTT-3.1.2-22]. */
export class ServerKeepAlive {
  readonly #graceMs: number;
  #heardMs: number;

  /** @param keepAliveSeconds 0 turns it off */
  constructor(keepAliveSeconds: number, nowMs: number) {
    this.#graceMs = keepAliveSeconds === 0 ? Number.POSITIVE_INFINITY : keepAliveSeconds * 1500;
    this.#heardMs = nowMs;
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  get deadlineMs(): number {
    return this.#heardMs + this.#graceMs;
  }
}
