import type { BrokerMetrics } from "../metrics/broker-metrics.ts";

/** Limits on connections, in all and per remote address. */
export interface AdmissionLimits {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
}

/** Counts connections over all listeners and says when there are too many. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #metrics: BrokerMetrics;
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  constructor(limits: AdmissionLimits, metrics: BrokerMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** Connections admitted and not released. */
  get count(): number {
    return this.#count;
  }

  /** True: the connection counts from now on and has to be released. False: it is one too many. */
  admit(remoteAddress: string): boolean {
    const address = canonical(remoteAddress);
    const fromThere = this.#byAddress.get(address) ?? 0;
    if (this.#count >= this.#limits.connectionsMax || fromThere >= this.#limits.connectionsPerAddressMax) {
      this.#metrics.connectionsRefused++;
      return false;
    }
    this.#count++;
    this.#byAddress.set(address, fromThere + 1);
    this.#metrics.connectionOpened();
    return true;
  }

  /** The connection is gone; to be called once for each that was admitted. */
  release(remoteAddress: string): void {
    const address = canonical(remoteAddress);
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    this.#count--;
    if (left === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
    this.#metrics.connectionClosed();
  }
}

/** An IPv4 client of a dual-stack socket is the same one as over IPv4. */
function canonical(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}
