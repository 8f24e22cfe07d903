import { type Deferred, deferred } from "./deferred.ts";
import { Deque } from "./deque.ts";

/** Events that a slow reader of {@link Emitter.events} may have waiting; beyond it the oldest are dropped. */
const EVENTS_MAX = 1_024;

/** The variant of the union `E` whose `type` is `K`. */
export type EventOf<E extends { readonly type: string }, K extends E["type"]> = Extract<E, { readonly type: K }>;

/** An iteration over all events of a client. */
export interface EventStream<E> extends AsyncIterableIterator<E, undefined, undefined> {
  /** Events dropped because this reader was too slow. */
  readonly dropped: number;
}

/**
 * Tells listeners of events that are one union, told apart by `type`. A listener that throws, or returns a promise that rejects,
 * stops nobody: its error goes to `report`.
 */
export class Emitter<E extends { readonly type: string }> {
  readonly #listeners = new Map<string, readonly Listener<E>[]>();
  readonly #streams = new Set<EventQueue<E>>();
  readonly #report: (error: unknown, event: E) => void;
  #ended = false;

  /** @param report gets what a listener threw; may not throw itself */
  constructor(report: (error: unknown, event: E) => void) {
    this.#report = report;
  }

  /** Calls `listener` at each event of the type, in the order of registration; the returned function stops it. */
  on<K extends E["type"]>(type: K, listener: (event: EventOf<E, K>) => unknown): () => void {
    const entry: Listener<E> = { call: listener as (event: E) => unknown };
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), entry]);
    return () => this.#remove(type, entry);
  }

  /** As {@link Emitter.on}, for one event only. */
  once<K extends E["type"]>(type: K, listener: (event: EventOf<E, K>) => unknown): () => void {
    const off = this.on(type, (event) => {
      off();
      return listener(event);
    });
    return off;
  }

  /** Tells everyone now; never throws. Listeners added or removed meanwhile count from the next event on. */
  emit(event: E): void {
    for (const listener of this.#listeners.get(event.type) ?? []) void this.#call(listener, event);
    for (const stream of this.#streams) stream.push(event);
  }

  /** All events from now on. Up to 1,024 wait for the reader; then the oldest are dropped and counted. Ends with {@link Emitter.end}. */
  events(): EventStream<E> {
    const stream = new EventQueue<E>(() => this.#streams.delete(stream));
    if (this.#ended) stream.end();
    else this.#streams.add(stream);
    return stream;
  }

  /** Nothing will be told any more: iterations end after what they hold, listeners are let go. */
  end(): void {
    this.#ended = true;
    this.#listeners.clear();
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }

  async #call(listener: Listener<E>, event: E): Promise<void> {
    try {
      await listener.call(event);
    } catch (error) {
      this.#report(error, event);
    }
  }

  #remove(type: string, entry: Listener<E>): void {
    const left = (this.#listeners.get(type) ?? []).filter((other) => other !== entry);
    if (left.length === 0) this.#listeners.delete(type);
    else this.#listeners.set(type, left);
  }
}

interface Listener<E> {
  readonly call: (event: E) => unknown;
}

/** What one reader of all events has not taken yet. */
class EventQueue<E> implements EventStream<E> {
  dropped = 0;
  readonly #items = new Deque<E>();
  /** Calls of `next` that found nothing, oldest first. */
  readonly #waiting = new Deque<Deferred<IteratorResult<E, undefined>>>();
  readonly #onReturn: () => void;
  #ended = false;

  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(event: E): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting.resolve({ value: event, done: false });
    if (this.#items.length >= EVENTS_MAX) {
      this.#items.shift();
      this.dropped++;
    }
    this.#items.push(event);
  }

  /** No more come; what is there is still handed out. */
  end(): void {
    this.#ended = true;
    for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift()) {
      waiting.resolve(DONE);
    }
  }

  next(): Promise<IteratorResult<E, undefined>> {
    const value = this.#items.shift();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.#ended) return Promise.resolve(DONE);
    const waiting = deferred<IteratorResult<E, undefined>>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  return(): Promise<IteratorResult<E, undefined>> {
    this.#items.clear();
    this.end();
    this.#onReturn();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ value: undefined, done: true });
