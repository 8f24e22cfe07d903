// Hot path: `write` runs per flush.
import type { Transport, TransportInfo } from "polymq/internal";
import type { BrokerMetrics } from "./broker-metrics.ts";

/** A transport whose sent bytes are counted. */
export class CountedTransport implements Transport {
  readonly info: TransportInfo;
  readonly #inner: Transport;
  readonly #metrics: BrokerMetrics;

  constructor(inner: Transport, metrics: BrokerMetrics) {
    this.info = inner.info;
    this.#inner = inner;
    this.#metrics = metrics;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  write(bytes: Uint8Array): boolean {
    this.#metrics.bytesSent += bytes.length;
    return this.#inner.write(bytes);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): void {
    this.#inner.close();
  }

  destroy(error?: Error): void {
    this.#inner.destroy(error);
  }
}
