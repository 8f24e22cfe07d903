// Hot path: `deliver` and `next` run per message.
import { asMessagingError, isMessagingError, type MessagingError } from "../base/errors.ts";
import type { Source } from "./adapter.ts";
import { type Codec, isPromise } from "./codec.ts";
import type { Delivery } from "./delivery.ts";
import type { ClientEvent } from "./events.ts";
import type { WhenInvalid } from "./options.ts";

/** How the messages of one subscription are decoded and handed out. */
export interface ConsumerParts {
  /** Null where payloads are taken as they are. */
  readonly codec: Codec<never, unknown> | null;
  readonly onInvalid: WhenInvalid;
  readonly handler: ((message: Delivery) => unknown) | null;
  readonly tell: (event: ClientEvent) => void;
}

/** Decodes messages before they are handed out. */
export class Consumer {
  readonly codec: Codec<never, unknown> | null;
  readonly #parts: ConsumerParts;

  constructor(parts: ConsumerParts) {
    this.codec = parts.codec;
    this.#parts = parts;
  }

  /** Hands a message to the handler; what is returned decides when it is done. */
  deliver(message: Delivery): unknown {
    const { codec, handler } = this.#parts;
    if (handler === null) return undefined;
    if (codec === null) return handler(message);
    let value: unknown;
    try {
      value = codec.decode(message.payload);
    } catch (error) {
      return this.refuse(message, error);
    }
    if (isPromise(value)) return this.#deliverLate(message, value, handler);
    message.decoded = value;
    return handler(message);
  }

  /** Decodes a message for an iteration: it, or null when it was refused and the next one is to be taken. */
  async decode(message: Delivery, codec: Codec<never, unknown>): Promise<Delivery | null> {
    try {
      message.decoded = await codec.decode(message.payload);
    } catch (error) {
      await this.refuse(message, error);
      return null;
    }
    return message;
  }

  /** The codec does not want a message. */
  async refuse(message: Delivery, reason: unknown): Promise<void> {
    const { onInvalid, tell } = this.#parts;
    const error = asMessagingError(reason, "ERR_INVALID_MESSAGE");
    tell({ type: "invalidMessage", message, error });
    if (typeof onInvalid === "function") await onInvalid(message, error);
    else if (onInvalid === "throw") throw error;
    else await message.refuse(reasonText(error));
  }

  async #deliverLate(
    message: Delivery,
    value: PromiseLike<unknown>,
    handler: (message: Delivery) => unknown,
  ): Promise<void> {
    try {
      message.decoded = await value;
    } catch (error) {
      await this.refuse(message, error);
      return;
    }
    await handler(message);
  }
}

/** Characters of a reason that travels with a message. */
const REASON_MAX = 1_000;

function reasonText(error: MessagingError): string {
  return error.message.length > REASON_MAX ? `${error.message.slice(0, REASON_MAX)}...` : error.message;
}

/**
 * A subscription to a topic, queue or stream. Without a handler it is read with `for await`; leaving the loop ends it, and the client's `close` and `destroy` end the loop. It is
 * restored after a reconnect.
 */
export interface Subscription<M> extends AsyncIterable<M>, AsyncDisposable {
  /** Ends it: no further messages. Resolves when the server has confirmed that; what is not settled is the server's again. */
  unsubscribe(): Promise<void>;
}

/** A {@link Subscription} over a protocol's own. */
export class ConsumerSubscription implements Subscription<Delivery> {
  readonly #source: Source;
  readonly #consumer: Consumer;

  constructor(source: Source, consumer: Consumer) {
    this.#source = source;
    this.#consumer = consumer;
  }

  async unsubscribe(): Promise<void> {
    await this.#source.unsubscribe();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery, undefined> {
    const { codec } = this.#consumer;
    return codec === null
      ? new PlainIteration(this.#source)
      : new DecodingIteration(this.#source, this.#consumer, codec);
  }
}

/** Messages as they come. */
class PlainIteration implements AsyncIterator<Delivery, undefined> {
  readonly #inner: AsyncIterator<unknown, unknown, undefined>;
  readonly #source: Source;
  readonly #wrap: (result: IteratorResult<unknown, unknown>) => IteratorResult<Delivery, undefined>;

  constructor(source: Source) {
    this.#source = source;
    this.#inner = source.iterate();
    this.#wrap = (result) => wrapped(this.#source, result);
  }

  next(): Promise<IteratorResult<Delivery, undefined>> {
    return this.#inner.next().then(this.#wrap, overWhenClosed);
  }

  async return(): Promise<IteratorResult<Delivery, undefined>> {
    await leave(this.#inner, this.#source);
    return OVER;
  }
}

/** Messages that a codec decodes. */
class DecodingIteration implements AsyncIterator<Delivery, undefined> {
  readonly #inner: AsyncIterator<unknown, unknown, undefined>;
  readonly #source: Source;
  readonly #consumer: Consumer;
  readonly #codec: Codec<never, unknown>;
  readonly #wrap: (result: IteratorResult<unknown, unknown>) => IteratorResult<Delivery, undefined>;

  constructor(source: Source, consumer: Consumer, codec: Codec<never, unknown>) {
    this.#source = source;
    this.#consumer = consumer;
    this.#codec = codec;
    this.#inner = source.iterate();
    this.#wrap = (result) => wrapped(source, result);
  }

  async next(): Promise<IteratorResult<Delivery, undefined>> {
    for (;;) {
      const result = await this.#inner.next().then(this.#wrap, overWhenClosed);
      if (result.done === true) return result;
      let message: Delivery | null;
      try {
        message = await this.#consumer.decode(result.value, this.#codec);
      } catch (error) {
        // The loop is over for its reader, who gets the error; the message goes back.
        await this.return();
        throw error;
      }
      if (message !== null) return result;
    }
  }

  async return(): Promise<IteratorResult<Delivery, undefined>> {
    await leave(this.#inner, this.#source);
    return OVER;
  }
}

/** The same result, with the message in our form: the protocol clients make one per call. */
function wrapped(source: Source, result: IteratorResult<unknown, unknown>): IteratorResult<Delivery, undefined> {
  if (result.done === true) return OVER;
  const mine = result as { done?: false; value: unknown };
  mine.value = source.wrap(mine.value);
  return mine as IteratorYieldResult<Delivery>;
}

/** `destroy` ends a loop as `close` does: only what the application did not do is an error. */
function overWhenClosed(error: unknown): IteratorReturnResult<undefined> {
  if (isMessagingError(error) && error.code === "ERR_CLIENT_CLOSED") return OVER;
  throw error;
}

async function leave(inner: AsyncIterator<unknown, unknown, undefined>, source: Source): Promise<void> {
  // Not every protocol's iteration ends its subscription. What it holds is given back when that is over: before, it could come here once more.
  const over = source.unsubscribe();
  await inner.return?.();
  await over;
}

const OVER: IteratorReturnResult<undefined> = Object.freeze({ value: undefined, done: true });
