import type { PeerDelivery } from "./peer.ts";

/** Deliveries that came, for whoever asks for the next. */
export class Inbox {
  readonly #ready: PeerDelivery[] = [];
  readonly #asking: ((delivery: PeerDelivery) => void)[] = [];

  get waiting(): number {
    return this.#ready.length;
  }

  push(delivery: PeerDelivery): void {
    const asking = this.#asking.shift();
    if (asking === undefined) this.#ready.push(delivery);
    else asking(delivery);
  }

  next(): Promise<PeerDelivery> {
    const ready = this.#ready.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => this.#asking.push(resolve));
  }
}
