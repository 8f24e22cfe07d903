// Hot path: runs per message. No closure, spread or regex here; one promise per `next`, as async iteration asks for.

import type { Deferred } from "./deferred.ts";
import { deferred } from "./deferred.ts";
import { Deque } from "./deque.ts";

/** Settings of an {@link AsyncQueue}. */
export interface AsyncQueueOptions<T> {
  /** Items from which on the queue is full. At least 1. */
  readonly highWaterMark: number;
  /** Told once each time a full queue has fallen to half its mark or below. */
  readonly onRoom?: (() => void) | undefined;
  /** Told once when the consumer leaves early, with the items that it did not take. */
  readonly onReturn?: ((left: T[]) => void) | undefined;
}

type QueueState =
  | { readonly is: "open" }
  /** No more items come; what is there is still handed out, then the end or the error. */
  | { readonly is: "ended"; readonly error: unknown; readonly failed: boolean }
  | { readonly is: "returned" };

/**
 * A queue between a producer that calls `push` and one consumer that iterates. The bound is a promise of the producer: it stops, or
 * drops, once `push` returned true.
 */
export class AsyncQueue<T> implements AsyncIterableIterator<T, undefined, undefined> {
  readonly #items = new Deque<{ readonly value: T }>();
  /** Calls of `next` that found nothing, oldest first. */
  readonly #waiting = new Deque<Deferred<IteratorResult<T, undefined>>>();
  readonly #highWaterMark: number;
  readonly #onRoom: (() => void) | undefined;
  readonly #onReturn: ((left: T[]) => void) | undefined;
  #state: QueueState = { is: "open" };
  #full = false;
  #pushed = 0;

  constructor(options: AsyncQueueOptions<T>) {
    this.#highWaterMark = Math.max(1, options.highWaterMark);
    this.#onRoom = options.onRoom;
    this.#onReturn = options.onReturn;
  }

  /** Items waiting to be taken. */
  get size(): number {
    return this.#items.length;
  }

  /** Items ever accepted. */
  get pushed(): number {
    return this.#pushed;
  }

  /** True from the push that reached the mark until the queue has fallen to half of it. */
  get full(): boolean {
    return this.#full;
  }

  /** True once no more items are accepted. */
  get ended(): boolean {
    return this.#state.is !== "open";
  }

  /** Adds an item; true says that the queue is full now. After the end the item is dropped and the answer is false. */
  push(value: T): boolean {
    if (this.#state.is !== "open") return false;
    this.#pushed++;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ value, done: false });
      return false;
    }
    this.#items.push({ value });
    if (this.#items.length >= this.#highWaterMark) this.#full = true;
    return this.#full;
  }

  /** Removes the oldest item that waits, for producers that drop it in favour of a new one. */
  dropOldest(): T | undefined {
    const item = this.#items.shift();
    this.#checkRoom();
    return item?.value;
  }

  /** Ends the iteration after the items that wait; with an error, the `next` after them rejects once. */
  end(...failure: [] | [error: unknown]): void {
    if (this.#state.is !== "open") return;
    this.#state = { is: "ended", error: failure[0], failed: failure.length > 0 };
    for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift()) {
      this.#next().then(waiting.resolve, waiting.reject);
    }
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#next();
  }

  /** The consumer leaves: items that wait go to `onReturn`, waiting calls of `next` are done. */
  return(): Promise<IteratorResult<T, undefined>> {
    if (this.#state.is !== "returned") {
      this.#state = { is: "returned" };
      const left = this.#takeAll();
      for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift()) {
        waiting.resolve(DONE);
      }
      this.#onReturn?.(left);
    }
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#checkRoom();
      return Promise.resolve({ value: item.value, done: false });
    }
    const state = this.#state;
    if (state.is === "open") {
      const waiting = deferred<IteratorResult<T, undefined>>();
      this.#waiting.push(waiting);
      return waiting.promise;
    }
    if (state.is !== "ended" || !state.failed) return Promise.resolve(DONE);
    this.#state = { is: "returned" };
    return Promise.reject(state.error);
  }

  #checkRoom(): void {
    if (!this.#full || this.#items.length > this.#highWaterMark / 2) return;
    this.#full = false;
    if (this.#state.is === "open") this.#onRoom?.();
  }

  #takeAll(): T[] {
    const left: T[] = [];
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) left.push(item.value);
    this.#full = false;
    return left;
  }
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ value: undefined, done: true });
