// Hot path: `publish` runs per message.
import type { QueueAdapter } from "./adapter.ts";
import { type Codec, isPromise } from "./codec.ts";
import { checkConsume } from "./consume-call.ts";
import { ConsumerSubscription, type Subscription } from "./consumer.ts";
import { type Host, throwIfClosed } from "./door.ts";
import type { Message } from "./message.ts";
import type { QueueConsumeOptions, QueuePublishOptions } from "./options.ts";
import type { Protocol } from "./protocol.ts";
import { checkQueuePublish } from "./publish-call.ts";

/** A queue as a client sees it. Made by `Client.queue`; nothing is sent before it is used. */
export interface Queue<In = string | Uint8Array, Out = Uint8Array, P extends Protocol = Protocol> {
  readonly name: string;
  /**
   * Puts a message into the queue. Resolves when the server has it: after that every group gets it.
   * @throws {MessagingError} {@link InvalidMessageError} from the codec; ERR_PUBLISH_REJECTED, ERR_QUEUE_FULL and what the protocol's client says; ERR_UNROUTABLE on RabbitMQ
   *   while the queue has no group; ERR_UNSUPPORTED for what the server's queues cannot do
   */
  publish(value: In, options?: QueuePublishOptions): Promise<void>;
  /**
   * Joins a group of the queue. Resolves when the server has confirmed it. Restored after a reconnect.
   * @throws {MessagingError} ERR_INVALID_SUBSCRIBE_OPTION, ERR_UNSUPPORTED, and what the protocol's client says
   */
  consume(
    options?: QueueConsumeOptions<Out, P> | ((message: Message<Out, P>) => unknown),
  ): Promise<Subscription<Message<Out, P>>>;
}

/** A {@link Queue} over an adapter's. */
export class ClientQueue {
  readonly name: string;
  readonly #adapter: QueueAdapter;
  readonly #codec: Codec<never, unknown> | undefined;
  readonly #host: Host;
  /** Options of publishes that give none. */
  readonly #standard: ReturnType<typeof standardOptions>;

  constructor(name: string, adapter: QueueAdapter, codec: Codec<never, unknown> | undefined, host: Host) {
    this.name = name;
    this.#adapter = adapter;
    this.#codec = codec;
    this.#host = host;
    this.#standard = standardOptions(codec);
  }

  publish(value: never, options?: QueuePublishOptions): Promise<unknown> {
    if (this.#host.door.error !== null) return Promise.reject(this.#host.door.error);
    return encodeAndPublish(this.#adapter, this.#codec, value, withType(this.#standard, options));
  }

  async consume(options?: Parameters<typeof checkConsume>[1]): Promise<ConsumerSubscription> {
    throwIfClosed(this.#host.door);
    const { call, consumer } = checkConsume("queue", options, this.#codec, this.#host.tell);
    return new ConsumerSubscription(await this.#adapter.consume(call), consumer);
  }
}

/** What publishes values of a codec say unless told otherwise. */
export function standardOptions(
  codec: Codec<never, unknown> | undefined,
): { readonly contentType: string } | undefined {
  return codec?.contentType === undefined ? undefined : Object.freeze({ contentType: codec.contentType });
}

/** Options of a publish, with the codec's content type where none is given. */
export function withType<Options extends { readonly contentType?: string }>(
  standard: { readonly contentType: string } | undefined,
  options: Options | undefined,
): Options | undefined {
  if (options === undefined || standard === undefined) return options ?? (standard as Options | undefined);
  return options.contentType === undefined ? { ...options, ...standard } : options;
}

/** Encodes a value and publishes it; what the codec refuses rejects. */
export function encodeAndPublish<Options extends QueuePublishOptions>(
  target: { publish(payload: string | Uint8Array, options: Options | undefined): Promise<unknown> },
  codec: Codec<never, unknown> | undefined,
  value: never,
  options: Options | undefined,
): Promise<unknown> {
  try {
    if (options !== undefined) checkQueuePublish(options);
    const payload = codec === undefined ? (value as string | Uint8Array) : codec.encode(value);
    if (!isPromise(payload)) return target.publish(payload, options);
    return payload.then((late) => target.publish(late, options)) as Promise<unknown>;
  } catch (error) {
    return Promise.reject(error);
  }
}
