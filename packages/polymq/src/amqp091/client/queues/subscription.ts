// Hot path: `handle` and `next` run per message.
import type { MessagingError } from "../../../base/errors.ts";
import type { AmqpChannel } from "../channel.ts";
import type { AmqpConsumeOptions, AmqpConsumer } from "../consumer.ts";
import type { AmqpMessage } from "../message.ts";
import type { AmqpDelivery } from "./delivery.ts";
import type { CheckedConsume } from "./queue-options.ts";

/** What a subscription is made of. */
export interface SubscriptionParts<M extends AmqpDelivery> {
  readonly channel: AmqpChannel;
  readonly consume: CheckedConsume<M>;
  /** Null for one that was given already and only has to be acknowledged. */
  readonly make: (message: AmqpMessage) => M | null;
  /** Told once when the subscription is over, by whomever. */
  readonly onOver: (consumer: AmqpConsumer) => void;
}

/**
 * A subscription to a topic, a queue or a stream: a consumer on a channel of its own. Without a handler it is read with `for await`. It is restored after a
 * reconnect, and ends with `unsubscribe()`, by leaving the loop, or when the server ends it.
 */
export class AmqpSubscription<M extends AmqpDelivery> implements AsyncIterable<M>, AsyncDisposable {
  readonly #parts: SubscriptionParts<M>;
  readonly #consumer: AmqpConsumer;
  #over: Promise<void> | null = null;

  /** Starts a subscription; resolves when the server has confirmed it. @internal */
  static async start<M extends AmqpDelivery>(
    parts: SubscriptionParts<M>,
    queue: string,
    consume: AmqpConsumeOptions,
  ): Promise<AmqpSubscription<M>> {
    const { handler } = parts.consume;
    const run = handler === null ? {} : { handler: (message: AmqpMessage) => handle(parts, handler, message) };
    const consumer = await parts.channel.consume(queue, { ...consume, ...run, autoAck: false });
    return new AmqpSubscription(parts, consumer);
  }

  private constructor(parts: SubscriptionParts<M>, consumer: AmqpConsumer) {
    this.#parts = parts;
    this.#consumer = consumer;
    void consumer.closed.then(() => {
      parts.onOver(consumer);
      return this.unsubscribe();
    });
  }

  /** @internal */
  get consumer(): AmqpConsumer {
    return this.#consumer;
  }

  /** The same after each reconnect. */
  get consumerTag(): string {
    return this.#consumer.consumerTag;
  }

  /** Resolves when the subscription is over: null when we ended it, else why (`ERR_CONSUMER_CANCELLED`, `ERR_CHANNEL_CLOSED`, ...). */
  get closed(): Promise<MessagingError | null> {
    return this.#consumer.closed;
  }

  /**
   * Ends the subscription: resolves when the server has answered and running handlers are done; what is not settled then is the server's again. Never rejects. Do not
   * await it inside the handler.
   */
  unsubscribe(): Promise<void> {
    this.#over ??= this.#end();
    return this.#over;
  }

  /** As `unsubscribe()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  /** For subscriptions without a handler. Leaving the loop ends the subscription; the message in hand stays unacknowledged. */
  [Symbol.asyncIterator](): AsyncIterator<M, undefined, undefined> {
    return new Iteration(this, this.#parts, this.#consumer[Symbol.asyncIterator]());
  }

  async #end(): Promise<void> {
    await this.#consumer.cancel();
    await this.#parts.channel.close();
  }
}

function handle<M extends AmqpDelivery>(
  parts: SubscriptionParts<M>,
  handler: (message: M) => unknown,
  received: AmqpMessage,
): unknown {
  const message = parts.make(received);
  if (message === null) return received.ackIfOpen();
  const { ack } = parts.consume;
  if (ack === "onReceive") message.ackIfOpen();
  let result: unknown;
  try {
    result = handler(message);
  } catch (error) {
    failed(parts, message);
    throw error;
  }
  if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") {
    if (ack === "auto") message.ackIfOpen();
    return undefined;
  }
  return (result as PromiseLike<unknown>).then(
    () => {
      if (ack === "auto") message.ackIfOpen();
    },
    (error: unknown) => {
      failed(parts, message);
      throw error;
    },
  );
}

function failed<M extends AmqpDelivery>(parts: SubscriptionParts<M>, message: M): void {
  const { ack, whenHandlerFails } = parts.consume;
  if (ack === "auto") message.nackIfOpen(whenHandlerFails === "requeue");
}

/** Messages one by one; with automatic acknowledgement each is acknowledged when the next one is asked for. */
class Iteration<M extends AmqpDelivery> implements AsyncIterator<M, undefined, undefined> {
  readonly #subscription: AmqpSubscription<M>;
  readonly #parts: SubscriptionParts<M>;
  readonly #source: AsyncIterator<AmqpMessage, undefined, undefined>;
  #held: M | null = null;

  constructor(
    subscription: AmqpSubscription<M>,
    parts: SubscriptionParts<M>,
    source: AsyncIterator<AmqpMessage, undefined, undefined>,
  ) {
    this.#subscription = subscription;
    this.#parts = parts;
    this.#source = source;
  }

  async next(): Promise<IteratorResult<M, undefined>> {
    const { ack } = this.#parts.consume;
    if (ack === "auto") this.#held?.ackIfOpen();
    this.#held = null;
    for (;;) {
      const result = await this.#source.next();
      if (result.done === true) return result;
      const message = this.#parts.make(result.value);
      if (message === null) {
        result.value.ackIfOpen();
        continue;
      }
      if (ack === "onReceive") message.ackIfOpen();
      this.#held = message;
      return { value: message, done: false };
    }
  }

  async return(): Promise<IteratorResult<M, undefined>> {
    await this.#subscription.unsubscribe();
    return { value: undefined, done: true };
  }
}
