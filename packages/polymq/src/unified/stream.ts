// Hot path: `publish` runs per message.
import { MessagingError } from "../base/errors.ts";
import type { StreamAdapter } from "./adapter.ts";
import type { Codec } from "./codec.ts";
import { checkConsume } from "./consume-call.ts";
import { ConsumerSubscription, type Subscription } from "./consumer.ts";
import { type Host, throwIfClosed } from "./door.ts";
import type { StreamMessage } from "./message.ts";
import type { QueuePublishOptions, StreamReadOptions } from "./options.ts";
import type { Nothing, Protocol, WhenCan } from "./protocol.ts";
import { encodeAndPublish, standardOptions, withType } from "./queue.ts";

/** A stream as a client sees it. Made by `Client.stream`; nothing is sent before it is used. */
export type Stream<In = string | Uint8Array, Out = Uint8Array, P extends Protocol = Protocol> = StreamCore<In, Out, P> &
  WhenCan<P, "commit", StreamCommits, Nothing>;

/** What streams of all protocols have. Over AMQP 0-9-1 a stream that is not there is declared; over the others it has to be there. */
export interface StreamCore<In, Out, P extends Protocol> {
  readonly name: string;
  /** Appends a message. Resolves when the server has it. @throws {MessagingError} as `Queue.publish` */
  publish(value: In, options?: QueuePublishOptions): Promise<void>;
  /**
   * Reads the stream. Resolves when the server has confirmed it. After a reconnect reading goes on behind what was settled or, with a group, behind what is committed.
   * @throws {MessagingError} ERR_INVALID_SUBSCRIBE_OPTION; ERR_UNSUPPORTED where the server has no streams, groups of them or commits; and what the protocol's client says
   */
  read(
    options?: StreamReadOptions<StreamMessage<Out, P>, P> | ((message: StreamMessage<Out, P>) => unknown),
  ): Promise<Subscription<StreamMessage<Out, P>>>;
}

/** Streams whose offsets are committed by hand. */
export interface StreamCommits {
  /**
   * Commits a group's place: `offset` is the next one to read. Resolves when the server has taken it.
   * @param options.group default: the group that this object read with last
   * @throws {MessagingError} ERR_QUEUE_ACK_MISSING_GROUP, ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED on RabbitMQ
   */
  commit(offset: number, options?: { readonly group?: string }): Promise<void>;
}

/** A {@link Stream} over an adapter's. */
export class ClientStream {
  readonly name: string;
  readonly #adapter: StreamAdapter;
  readonly #codec: Codec<never, unknown> | undefined;
  readonly #host: Host;
  readonly #standard: ReturnType<typeof standardOptions>;
  /** Of the last read. */
  #group = "";

  constructor(name: string, adapter: StreamAdapter, codec: Codec<never, unknown> | undefined, host: Host) {
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

  async read(options?: Parameters<typeof checkConsume>[1]): Promise<ConsumerSubscription> {
    throwIfClosed(this.#host.door);
    const { call, consumer } = checkConsume("stream", options, this.#codec, this.#host.tell);
    const source = await this.#adapter.read(call);
    this.#group = call.group;
    return new ConsumerSubscription(source, consumer);
  }

  async commit(offset: number, options: { readonly group?: string } = {}): Promise<void> {
    throwIfClosed(this.#host.door);
    const { group = this.#group } = options;
    if (group === "") throw new MessagingError("ERR_QUEUE_ACK_MISSING_GROUP", "a commit names the group");
    await this.#adapter.commit(group, offset);
  }
}
