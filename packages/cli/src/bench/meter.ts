// Hot path: `stamp` and `arrived` run per message.
import type { Clock } from "polymq/internal";
import { Histogram } from "../measure/histogram.ts";

/** The byte of a payload that says whether it counts. */
const MARK_AT = 8;

/** Counts and times of one measurement. What was published before `begin` does not count, whenever it arrives. */
export class Meter {
  /** From publish to confirmation. */
  readonly confirmed: Histogram = new Histogram();
  /** From publish to arrival. */
  readonly arrivals: Histogram = new Histogram();
  published = 0;
  received = 0;
  readonly #clock: Clock;
  #beganMs: number | null = null;
  #endedMs: number | null = null;
  #wanted: { readonly count: number; readonly resolve: () => void } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What is published from now on counts. */
  begin(): void {
    this.#beganMs = this.#clock.nowMs();
  }

  /** Nothing more is published. */
  end(): void {
    this.#endedMs = this.#clock.nowMs();
  }

  /** Ms from `begin` to `end`, or to now. */
  get elapsedMs(): number {
    return this.#beganMs === null ? 0 : (this.#endedMs ?? this.#clock.nowMs()) - this.#beganMs;
  }

  /** Writes the time, and whether the message counts, into a payload; returns the time. */
  stamp(view: DataView): number {
    const nowMs = this.#clock.nowMs();
    view.setFloat64(0, nowMs);
    const counts = this.#beganMs !== null && this.#endedMs === null;
    view.setUint8(MARK_AT, counts ? 1 : 0);
    if (counts) this.published++;
    return nowMs;
  }

  /** A publish was confirmed. */
  onConfirmed(sentMs: number): void {
    if (this.#beganMs !== null && sentMs >= this.#beganMs) this.confirmed.record(this.#clock.nowMs() - sentMs);
  }

  /** A message came; those of others, and from before `begin`, are left out. */
  arrived(payload: Uint8Array): void {
    if (payload.length <= MARK_AT || payload[MARK_AT] !== 1) return;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    this.arrivals.record(this.#clock.nowMs() - view.getFloat64(0));
    this.received++;
    if (this.#wanted !== null && this.received >= this.#wanted.count) this.#wanted.resolve();
  }

  /** Resolves when so many messages have come. */
  whenReceived(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.received >= count) resolve();
      else this.#wanted = { count, resolve };
    });
  }
}
