// Hot path: `deliver` runs per message. No iterator or regex there; promises only where the application uses them.

import { type Deferred, deferred } from "../../base/deferred.ts";
import { Deque } from "../../base/deque.ts";
import type { DropReason } from "./events.ts";
import type { MqttMessage } from "./message.ts";
import { Pressure } from "./pressure.ts";

/** What a full buffer does. */
export type Overflow = "pause" | "dropOldest" | "dropNewest";

/** Handles one message; it is acknowledged when the returned promise resolves. */
export type MessageHandler<M = MqttMessage> = (message: M) => void | Promise<void>;

/** How a subscription consumes; checked and complete. */
export interface ConsumeSettings<M = MqttMessage> {
  readonly handler: MessageHandler<M> | null;
  readonly concurrency: number;
  readonly highWaterMark: number;
  readonly highWaterMarkBytes: number;
  readonly overflow: Overflow;
  readonly ack: "auto" | "manual";
  readonly whenHandlerFails: "withhold" | "ack" | "reject";
}

/** What a message in a buffer counts for. */
interface Sized {
  readonly payload: Uint8Array;
}

/** How many times its high-water marks a buffer may hold while answers are awaited. */
const HARD_FACTOR = 8;

/** What a subscription needs from its client. */
export interface SubscriptionOwner<M extends Sized = MqttMessage> {
  /** The subscription is done with a message whose acknowledgement is automatic. */
  done(message: M): void;
  /** The message is to be left unacknowledged. */
  withhold(message: M): void;
  /** The message is to be refused, where the protocol can. */
  refuse(message: M): void;
  handlerFailed(message: M, error: unknown): void;
  dropped(message: M, reason: DropReason): void;
  /** The buffer became full, or has room again. */
  pressure(subscription: MqttSubscription<M>, pressure: Pressure): void;
  unsubscribe(subscription: MqttSubscription<M>): Promise<void>;
}

/** The outcome for one filter of a subscription. */
export interface SubscribedFilter {
  readonly filter: string;
  /** Granted QoS 0 to 2, or the server's refusal of 0x80 and above. */
  readonly reasonCode: number;
}

/**
 * One `subscribe` call's messages: either a handler gets them, or they are read with `for await`. Messages wait in a buffer;
 * at `highWaterMark` or `highWaterMarkBytes` the overflow policy decides (with `pause`, what was read from the connection already still comes in). With
 * automatic acknowledgement a message read by `for await` is acknowledged when the next one is asked for; leaving the loop
 * unsubscribes, and leaves the message that was being handled unacknowledged unless `ack()` was called on it. When the client has given
 * up reconnecting, reading rejects with the error of `reconnectFailed`; after the next `connect()` a new loop goes on.
 */
export class MqttSubscription<M extends Sized = MqttMessage> implements AsyncIterable<M>, AsyncDisposable {
  readonly #owner: SubscriptionOwner<M>;
  readonly #consume: ConsumeSettings<M>;
  readonly #buffer = new Deque<M>();
  /** Payloads in the buffer. */
  #bytes = 0;
  readonly #readers = new Deque<Deferred<IteratorResult<M, undefined>>>();
  #filters: readonly SubscribedFilter[];
  #running = 0;
  #pumping = false;
  #pressure: Pressure = Pressure.None;
  #ended = false;
  /** Why nothing will come until the client is told to connect again. */
  #interrupted: Error | null = null;
  #received = 0;
  #dropped = 0;
  readonly #drainWaiters: (() => void)[] = [];

  /** @internal */
  constructor(owner: SubscriptionOwner<M>, filters: readonly string[], consume: ConsumeSettings<M>) {
    this.#owner = owner;
    this.#consume = consume;
    this.#filters = filters.map((filter) => ({ filter, reasonCode: -1 }));
  }

  /** The filters in the order given, with what the server granted. */
  get filters(): readonly SubscribedFilter[] {
    return this.#filters;
  }

  /** Messages received so far. */
  get received(): number {
    return this.#received;
  }

  /** Messages dropped by the overflow policy so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Messages that wait in the buffer now. */
  get buffered(): number {
    return this.#buffer.length;
  }

  /** Bytes of their payloads. */
  get bufferedBytes(): number {
    return this.#bytes;
  }

  /** True once nothing will be delivered any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Ends the subscription: no further messages. Resolves when the server has confirmed, without a connection at once: the server is told on the
   * next one. Buffered messages stay unacknowledged.
   */
  unsubscribe(): Promise<void> {
    return this.#owner.unsubscribe(this);
  }

  /** As `unsubscribe()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  /** Reads messages; several loops over one subscription share them. */
  [Symbol.asyncIterator](): AsyncIterator<M, undefined> {
    let current: M | null = null;
    let left = false;
    const finish = (): void => {
      if (current !== null && this.#consume.ack === "auto") this.#owner.done(current);
      current = null;
    };
    return {
      next: async () => {
        finish();
        const result = await this.#read();
        if (result.done === true) return result;
        // Several may be asked for at a time: the one before this must not be forgotten unacknowledged.
        finish();
        // The loop was left while its message was on the way: nobody will ask for a next one.
        if (!left) current = result.value;
        else if (this.#consume.ack === "auto") this.#owner.withhold(result.value);
        return result;
      },
      return: async () => {
        if (current !== null && this.#consume.ack === "auto") this.#owner.withhold(current);
        current = null;
        left = true;
        if (!this.#ended) await this.unsubscribe();
        return { done: true, value: undefined };
      },
    };
  }

  /** The server's answer for some of the filters. @internal */
  granted(filters: readonly { readonly filter: string }[], reasonCodes: readonly number[]): void {
    this.#filters = this.#filters.map((known) => {
      const at = filters.findIndex((each) => each.filter === known.filter);
      return at < 0 ? known : { filter: known.filter, reasonCode: reasonCodes[at] ?? 0x80 };
    });
  }

  /** Takes one message from the connection. @internal */
  deliver(message: M): void {
    if (this.#ended) return this.#owner.withhold(message);
    this.#received++;
    if (this.#consume.handler !== null && this.#running < this.#consume.concurrency && this.#buffer.length === 0) {
      this.#handle(message, this.#consume.handler);
      return;
    }
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader.resolve({ done: false, value: message });
    this.#store(message);
  }

  /** Ends without a word to the server. Messages still buffered are left unacknowledged. @internal */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const message of this.clear()) this.#owner.withhold(message);
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      reader.resolve({ done: true, value: undefined });
    }
  }

  /** Takes out what waits in the buffer. @internal */
  clear(): M[] {
    const all: M[] = [];
    for (let message = this.#take(); message !== undefined; message = this.#take()) all.push(message);
    this.#measure();
    this.#wakeDrained();
    return all;
  }

  /** Waiting and later readers are rejected, until it is called with null. @internal */
  interrupt(error: Error | null): void {
    this.#interrupted = error;
    if (error === null) return;
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) reader.reject(error);
  }

  /** Resolves when no handler runs and nothing is buffered. @internal */
  drained(): Promise<void> {
    if (this.#idle()) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  #idle(): boolean {
    // Nobody may be reading an iterator's buffer: closing does not wait for it.
    return this.#running === 0 && (this.#buffer.length === 0 || this.#consume.handler === null);
  }

  #read(): Promise<IteratorResult<M, undefined>> {
    const message = this.#take();
    if (message !== undefined) {
      this.#measure();
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    if (this.#interrupted !== null) return Promise.reject(this.#interrupted);
    const reader = deferred<IteratorResult<M, undefined>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  #handle(message: M, handler: MessageHandler<M>): void {
    this.#running++;
    let result: void | Promise<void>;
    try {
      result = handler(message);
    } catch (error) {
      this.#failed(message, error);
      return;
    }
    if (isPromise(result)) {
      result.then(
        () => this.#succeeded(message),
        (error: unknown) => this.#failed(message, error),
      );
    } else this.#succeeded(message);
  }

  #succeeded(message: M): void {
    if (this.#consume.ack === "auto") this.#owner.done(message);
    this.#finished();
  }

  #failed(message: M, error: unknown): void {
    this.#owner.handlerFailed(message, error);
    if (this.#consume.ack === "auto") {
      const what = this.#consume.whenHandlerFails;
      if (what === "ack") this.#owner.done(message);
      else if (what === "reject") this.#owner.refuse(message);
      else this.#owner.withhold(message);
    }
    this.#finished();
  }

  /** A handler is done: the next buffered messages have their turn. */
  #finished(): void {
    this.#running--;
    if (this.#buffer.length > 0 && !this.#pumping) this.#pump();
    if (this.#drainWaiters.length > 0) this.#wakeDrained();
  }

  /** A loop, not a recursion: handlers that return at once come back here through `#finished`. */
  #pump(): void {
    const handler = this.#consume.handler;
    this.#pumping = true;
    while (handler !== null && this.#running < this.#consume.concurrency) {
      const next = this.#take();
      if (next === undefined) break;
      this.#measure();
      this.#handle(next, handler);
    }
    this.#pumping = false;
  }

  #store(message: M): void {
    const { overflow } = this.#consume;
    if (overflow === "dropNewest" && !this.#fits(message)) return this.#drop(message);
    if (overflow === "dropOldest") this.#makeRoom(message);
    this.#buffer.push(message);
    this.#bytes += message.payload.length;
    this.#measure();
  }

  #take(): M | undefined {
    const message = this.#buffer.shift();
    if (message !== undefined) this.#bytes -= message.payload.length;
    return message;
  }

  /** An empty buffer takes any message: one above the limit of bytes could never come through otherwise. */
  #fits(message: M): boolean {
    const { highWaterMark, highWaterMarkBytes } = this.#consume;
    const length = this.#buffer.length;
    if (length === 0) return true;
    return length < highWaterMark && this.#bytes + message.payload.length <= highWaterMarkBytes;
  }

  #makeRoom(message: M): void {
    while (!this.#fits(message)) {
      const oldest = this.#take();
      if (oldest !== undefined) this.#drop(oldest);
    }
  }

  #drop(message: M): void {
    this.#dropped++;
    this.#owner.dropped(message, "slowConsumer");
    this.#owner.done(message);
  }

  /** Tells the owner how full the buffer is; it is relieved at half of the high-water marks. */
  #measure(): void {
    const { overflow, highWaterMark, highWaterMarkBytes } = this.#consume;
    if (overflow !== "pause") return;
    // By whichever of the two limits is nearer.
    const fill = Math.max(this.#buffer.length / highWaterMark, this.#bytes / highWaterMarkBytes);
    let pressure = this.#pressure;
    if (fill >= HARD_FACTOR) pressure = Pressure.Hard;
    else if (fill >= 1) pressure = pressure === Pressure.Hard ? pressure : Pressure.Soft;
    else if (fill <= 0.5) pressure = Pressure.None;
    if (pressure === this.#pressure) return;
    this.#pressure = pressure;
    this.#owner.pressure(this, pressure);
  }

  #wakeDrained(): void {
    if (!this.#idle()) return;
    for (const wake of this.#drainWaiters.splice(0)) wake();
  }
}

function isPromise(value: unknown): value is PromiseLike<void> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
