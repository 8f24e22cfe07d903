import { noop } from "../../base/noop.ts";
import type { AmqpDelivery } from "./delivery.ts";

/** A call of `receive` that waits: for one message, or for a batch. */
export interface ReceiveWaiter {
  /** Takes a message; true when it wants no more. */
  take(delivery: AmqpDelivery): boolean;
  /** The connection is lost: what came unsettled comes again. Returns how much that is. */
  lost(): number;
  /** Nothing more comes. */
  fail(error: Error): void;
}

/** Waits for one message. */
export class OneWaiter implements ReceiveWaiter {
  readonly promise: Promise<AmqpDelivery>;
  /** Stops waiting for the caller's signal. */
  release: () => void = noop;
  #resolve: (delivery: AmqpDelivery) => void = noop;
  #reject: (error: Error) => void = noop;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  take(delivery: AmqpDelivery): boolean {
    this.release();
    this.#resolve(delivery);
    return true;
  }

  lost(): number {
    return 0;
  }

  fail(error: Error): void {
    this.release();
    this.#reject(error);
  }
}

/** Waits until `max` messages have come, or is told that its time is up. */
export class BatchWaiter implements ReceiveWaiter {
  readonly promise: Promise<AmqpDelivery[]>;
  readonly items: AmqpDelivery[] = [];
  /** Stops waiting for the caller's signal and the clock. */
  release: () => void = noop;
  readonly #max: number;
  #resolve: (items: AmqpDelivery[]) => void = noop;
  #reject: (error: Error) => void = noop;

  constructor(max: number) {
    this.#max = max;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  take(delivery: AmqpDelivery): boolean {
    this.items.push(delivery);
    if (this.items.length < this.#max) return false;
    this.done();
    return true;
  }

  /** Resolves with what has come. */
  done(): void {
    this.release();
    this.#resolve(this.items);
  }

  lost(): number {
    const kept = this.items.filter((item) => item.presettled);
    return this.items.splice(0, this.items.length, ...kept).length - kept.length;
  }

  /** What has come is the answer; only with nothing the end is an error. */
  fail(error: Error): void {
    if (this.items.length > 0) return this.done();
    this.release();
    this.#reject(error);
  }

  /** Rejects although something may have come: the caller keeps `items`. */
  abort(error: Error): void {
    this.release();
    this.#reject(error);
  }
}
