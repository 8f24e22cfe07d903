/** What a due check asks for. */
export type HeartbeatAction = "none" | "beat" | "dead";

/**
 * Heartbeats of one side (AMQP 0-9-1 §4.2.7): a frame is sent when nothing was for half the interval; when nothing at all was heard
 * for two intervals, the peer is gone.
 */
export class Heartbeat {
  readonly #seconds: number;
  #sentMs: number;
  #heardMs: number;

  /** @param seconds the negotiated interval; 0 turns it off */
  constructor(seconds: number, nowMs: number) {
    this.#seconds = seconds;
    this.#sentMs = nowMs;
    this.#heardMs = nowMs;
  }

  sent(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** When `due` should be asked next; Infinity when heartbeats are off. */
  get deadlineMs(): number {
    if (this.#seconds === 0) return Number.POSITIVE_INFINITY;
    return Math.min(this.#sentMs + this.#seconds * 500, this.#heardMs + this.#seconds * 2000);
  }

  due(nowMs: number): HeartbeatAction {
    if (nowMs < this.deadlineMs) return "none";
    return nowMs >= this.#heardMs + this.#seconds * 2000 ? "dead" : "beat";
  }
}
