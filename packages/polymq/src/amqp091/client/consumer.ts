// Hot path: `deliver` runs per received message.
import { AsyncQueue } from "../../base/async-queue.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { Deque } from "../../base/deque.ts";
import type { MessagingError } from "../../base/errors.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { AmqpMessage } from "./message.ts";

/** Gets one message. What it returns decides when the message is done. */
export type AmqpHandler = (message: AmqpMessage) => unknown;

/** Options of `consume`. */
export interface AmqpConsumeOptions {
  /** Called with each message; without it the consumer is an async iterable. */
  readonly handler?: AmqpHandler;
  /** Messages that may be unsettled at a time, 0 to 65,535; 0 for no limit. Default 256. */
  readonly prefetch?: number;
  /** Calls of the handler at a time. Default 1, which keeps the order. */
  readonly concurrency?: number;
  /** The server takes each message as acknowledged when it is sent. Default false. */
  readonly noAck?: boolean;
  /** Acknowledges when the handler's promise has resolved, unless the message was settled by hand. Default true with a handler; never for an iteration. */
  readonly autoAck?: boolean;
  /** What becomes of a message whose handler threw: it is given back, or dropped or dead-lettered. Default `requeue`. */
  readonly whenHandlerFails?: "requeue" | "reject";
  /** Default: one is made. It stays the same after a reconnect. */
  readonly consumerTag?: string;
  readonly exclusive?: boolean;
  /** Such as `x-stream-offset` or `x-priority`. */
  readonly arguments?: FieldTable;
  /** Messages from which on reading stops, for a consumer whose prefetch does not bound it. Default 1,024. */
  readonly highWaterMark?: number;
}

/** What a consumer asks of its channel. */
export interface ConsumerOwner {
  cancelConsumer(consumer: AmqpConsumer): Promise<void>;
  handlerFailed(consumer: AmqpConsumer, error: unknown): void;
  pressure(consumer: AmqpConsumer, full: boolean): void;
  /** More came than it should hold, for answers had to be read. */
  stillFull(): void;
}

/** A consumer: messages of one queue, for a handler or `for await`. It is restored after a reconnect under the same tag. */
export class AmqpConsumer implements AsyncIterable<AmqpMessage>, AsyncDisposable {
  readonly consumerTag: string;
  /** @internal */
  readonly options: AmqpConsumeOptions;
  /** @internal */
  queueName: string;
  /** The arguments to ask with after a reconnect; set by what knows where a stream is to go on. @internal */
  resume: () => FieldTable;
  /** It is being cancelled, and is not to be restored. @internal */
  leaving = false;
  /** The server has confirmed it once. @internal */
  started = false;
  readonly #owner: ConsumerOwner;
  readonly #handler: AmqpHandler | null;
  readonly #concurrency: number;
  readonly #autoAck: boolean;
  readonly #highWaterMark: number;
  readonly #buffer: Deque<AmqpMessage> = new Deque();
  readonly #queue: AsyncQueue<AmqpMessage> | null;
  readonly #end: Deferred<MessagingError | null> = deferred();
  #running = 0;
  #idle: Deferred<void> | null = null;
  #full = false;
  #ended = false;

  /** @internal */
  constructor(owner: ConsumerOwner, queue: string, consumerTag: string, options: AmqpConsumeOptions) {
    this.#owner = owner;
    this.queueName = queue;
    this.consumerTag = consumerTag;
    this.options = options;
    this.resume = () => options.arguments ?? {};
    this.#handler = options.handler ?? null;
    this.#concurrency = options.concurrency ?? 1;
    this.#autoAck = options.noAck !== true && (options.autoAck ?? true);
    this.#highWaterMark = options.highWaterMark ?? 1_024;
    this.#queue =
      this.#handler !== null
        ? null
        : new AsyncQueue({
            highWaterMark: this.#highWaterMark,
            onRoom: () => this.#setFull(false),
            onReturn: (left) => this.#onReturn(left),
          });
  }

  /** The queue; a server-named one has a new name after a reconnect. */
  get queue(): string {
    return this.queueName;
  }

  /** Resolves when the consumer is over: null when it was cancelled by us, else why (`ERR_CONSUMER_CANCELLED`, `ERR_CHANNEL_CLOSED`, ...). */
  get closed(): Promise<MessagingError | null> {
    return this.#end.promise;
  }

  /** Ends the consumer: resolves when the server has answered and running handlers are done. Messages not handed out are given back. */
  async cancel(): Promise<void> {
    if (!this.#ended) {
      this.leaving = true;
      await this.#owner.cancelConsumer(this);
    }
    await this.#settled();
  }

  /** As `cancel()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  /** For consumers without a handler. Leaving the loop cancels the consumer. */
  [Symbol.asyncIterator](): AsyncIterator<AmqpMessage, undefined, undefined> {
    if (this.#queue !== null) return this.#queue;
    const empty = new AsyncQueue<AmqpMessage>({ highWaterMark: 1 });
    empty.end();
    return empty;
  }

  /** @internal */
  deliver(message: AmqpMessage): void {
    if (this.#ended) return message.nackIfOpen(true);
    if (this.#full) this.#owner.stillFull();
    if (this.#queue !== null) {
      if (this.#queue.push(message)) this.#setFull(true);
    } else if (this.#running < this.#concurrency) this.#run(message);
    else {
      this.#buffer.push(message);
      if (this.#buffer.length >= this.#highWaterMark) this.#setFull(true);
    }
  }

  /** The server has the messages again that were not handed out, unless it never waited for their acknowledgement. @internal */
  forget(): void {
    if (this.options.noAck === true) return;
    this.#buffer.clear();
    while (this.#queue?.dropOldest() !== undefined);
    this.#setFull(false);
  }

  /** @internal */
  end(error: MessagingError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    for (let message = this.#buffer.shift(); message !== undefined; message = this.#buffer.shift()) {
      message.nackIfOpen(true);
    }
    this.#setFull(false);
    if (error === null) this.#giveBack();
    if (error === null) this.#queue?.end();
    else this.#queue?.end(error);
    this.#end.resolve(error);
  }

  /** What waits for an iteration, unless the server has forgotten it already. */
  #giveBack(): void {
    const queue = this.#queue;
    if (queue === null || this.options.noAck === true) return;
    for (let message = queue.dropOldest(); message !== undefined; message = queue.dropOldest())
      message.nackIfOpen(true);
  }

  #run(message: AmqpMessage): void {
    const handler = this.#handler as AmqpHandler;
    this.#running++;
    let result: unknown;
    try {
      result = handler(message);
    } catch (error) {
      return this.#failed(message, error);
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") return this.#done(message);
    (result as PromiseLike<unknown>).then(
      () => this.#done(message),
      (error: unknown) => this.#failed(message, error),
    );
  }

  #done(message: AmqpMessage): void {
    if (this.#autoAck) message.ackIfOpen();
    this.#next();
  }

  #failed(message: AmqpMessage, error: unknown): void {
    this.#owner.handlerFailed(this, error);
    if (this.#autoAck) message.nackIfOpen(this.options.whenHandlerFails !== "reject");
    this.#next();
  }

  #next(): void {
    this.#running--;
    const message = this.#buffer.shift();
    if (this.#full && this.#buffer.length <= this.#highWaterMark / 2) this.#setFull(false);
    if (message !== undefined) this.#run(message);
    else if (this.#running === 0) this.#idle?.resolve();
  }

  #settled(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  #onReturn(left: AmqpMessage[]): void {
    for (const message of left) message.nackIfOpen(true);
    void this.cancel().catch((error: unknown) => this.#owner.handlerFailed(this, error));
  }

  #setFull(full: boolean): void {
    if (this.#full === full) return;
    this.#full = full;
    this.#owner.pressure(this, full);
  }
}
