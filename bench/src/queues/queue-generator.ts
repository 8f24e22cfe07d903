/** Publishes to, or consumes from, one queue over one connection with everything encoded beforehand. Times are in nanoseconds. */
export interface QueueGenerator {
  /** Publishes and resolves when all are confirmed, with the time of the last confirmation; `window` are open at a time. */
  publish(count: number, window: number): Promise<number>;
  /** Begins to consume with acknowledgements; resolves when `count` have come and are acknowledged, with the time at which message `from` and the last came. */
  consume(count: number, from: number, window: number): Promise<{ readonly startNs: number; readonly endNs: number }>;
  close(): Promise<void>;
}
