import type { EventOf, EventStream } from "../../base/emitter.ts";
import type { MessagingError } from "../../base/errors.ts";
import type { Platform } from "../../transport/platform.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { Tuning } from "../engine/tuning.ts";
import type { AmqpChannel } from "./channel.ts";
import { ClientCore } from "./client-core.ts";
import type { AmqpConsumeOptions, AmqpConsumer } from "./consumer.ts";
import type { AmqpDialect } from "./dialect.ts";
import type { AmqpClientEvent, AmqpClientState } from "./events.ts";
import type { AmqpMessage } from "./message.ts";
import { type AmqpClientOptions, settingsOf } from "./options.ts";
import type { AmqpPublishOptions } from "./publisher.ts";
import { queueAddress } from "./queues/queue-address.ts";
import type { AmqpQueueMessage } from "./queues/queue-message.ts";
import {
  type AmqpQueuePublishOptions,
  type AmqpQueueSubscribeOptions,
  type AmqpStreamQueueOptions,
  type AmqpStreamSubscribeOptions,
  type AmqpSubscribeOptions,
  optionsOf,
} from "./queues/queue-options.ts";
import { Queues } from "./queues/queues.ts";
import { subscribeToQueue, subscribeToStream, subscribeToTopic } from "./queues/subscribing.ts";
import type { AmqpSubscription } from "./queues/subscription.ts";
import type { AmqpTopicMessage } from "./queues/topic-message.ts";
import type { AmqpRequestOptions, AmqpResponder } from "./requester.ts";

/** Longest wait of `close` for work that is under way. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * An AMQP 0-9-1 client. It is made with options, checked at once, and connects with `connect()`. Its own methods know topics, queues and streams, in the way of the
 * server that it meets; a channel has all of AMQP. After a lost
 * connection it comes back by itself with exchanges, queues, bindings, channels and consumers as they were, and publishes again what was not confirmed.
 *
 * This is the part that is alike on every runtime; the entry point's `AmqpClient` adds the runtime's way to connect.
 */
export class AmqpClientBase implements AsyncDisposable {
  readonly #core: ClientCore;
  readonly #queues: Queues;

  /** @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS */
  protected constructor(options: AmqpClientOptions, platform: Platform) {
    this.#core = new ClientCore(settingsOf(options), platform);
    this.#queues = new Queues(this.#core);
  }

  /** Where the client stands, in one word. */
  get state(): AmqpClientState {
    return this.#core.state;
  }

  /** True when messages can be exchanged now. */
  get connected(): boolean {
    return this.#core.state === "connected";
  }

  /** True while the server takes no publishes (`connection.blocked`); they wait. */
  get blocked(): boolean {
    return this.#core.blocked;
  }

  /** What the server says of itself, while connected; else null. */
  get serverProperties(): FieldTable | null {
    return this.#core.facts?.serverProperties ?? null;
  }

  /** What was agreed with the server, while connected; else null. */
  get tuning(): Tuning | null {
    return this.#core.facts?.tuning ?? null;
  }

  /** Whose ways of queues, streams and topics are used: as the option `dialect` says, else by what the server in use, or the last one, said of itself. */
  get dialect(): AmqpDialect {
    return this.#core.dialect;
  }

  /** The address of the server in use or tried last, without credentials. */
  get server(): string {
    return this.#core.server;
  }

  /** Resolves when the client is closed for good, with the error that ended it or null; never rejects. */
  get closed(): Promise<MessagingError | null> {
    return this.#core.closed;
  }

  /**
   * Connects; resolves when the connection is open. One round over the servers is made, or as many as the reconnect rules say with
   * `retryFirstConnect`.
   * @throws {MessagingError} ERR_AUTH_FAILED, ERR_CONNECT_REJECTED (a virtual host that is refused, for example), ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT,
   *   ERR_ABORTED, ERR_ALREADY_CONNECTED, ERR_CLIENT_CLOSED
   */
  connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#core.connect(options.signal);
  }

  /**
   * Opens a channel, with publisher confirms unless `confirms` is false; resolves when the server has answered, without confirms before that: what it refuses then ends the
   * channel.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_MAX when all that the server allows are in use
   */
  channel(options: { readonly confirms?: boolean } = {}): Promise<AmqpChannel> {
    return this.#core.channel(options.confirms ?? true);
  }

  /**
   * Publishes to a topic, levels separated by slashes; one that begins with `$queue/` is a queue's. Resolves when the server has confirmed it, whether anybody subscribes
   * or not. While a connection is being made again it waits, within the limits of the options.
   * @throws {MessagingError} ERR_INVALID_TOPIC; ERR_NOT_CONNECTED; ERR_PUBLISH_REJECTED; `UnroutableError` with `mandatory`; and what {@link AmqpChannel.publish} says
   */
  publish(topic: string, body: string | Uint8Array, options?: AmqpPublishOptions): Promise<void> {
    return promised(() => this.#queues.publish(topic, body, options));
  }

  /**
   * Subscribes to topics; `+` stands for one level, `#` for all that follow. Resolves when the server has confirmed it. Messages that are published while the client is
   * not connected do not come.
   * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_SUBSCRIBE_OPTION, ERR_NOT_CONNECTED, ERR_CHANNEL_CLOSED with the server's reason, ERR_CHANNEL_MAX,
   *   ERR_CONNECTION_LOST
   */
  subscribe(
    filter: string,
    options?: AmqpSubscribeOptions | ((message: AmqpTopicMessage) => unknown),
  ): Promise<AmqpSubscription<AmqpTopicMessage>> {
    return promised(() => subscribeToTopic(this.#core, this.#queues, filter, optionsOf<AmqpSubscribeOptions>(options)));
  }

  /** Ends this client's subscription to a topic filter; resolves when the server has confirmed it, at once when there is none. */
  unsubscribe(filter: string): Promise<void> {
    return this.#queues.unsubscribe("topic", filter);
  }

  /**
   * Publishes into a queue (`orders`, or `orders/eu` with a routing key). Resolves when the server has it. On RabbitMQ a queue that is not there is declared first:
   * durable and of type quorum.
   * @throws {MessagingError} as `publish`; ERR_UNSUPPORTED for what the server's queues cannot do
   */
  publishToQueue(queue: string, body: string | Uint8Array, options: AmqpQueuePublishOptions = {}): Promise<void> {
    return promised(() => this.#queues.publishToQueue(queue, body, options));
  }

  /**
   * Consumes a queue (`orders`, or `orders/eu/#` with a filter) as a member of a group: members share its messages, each group gets all of them. `""` is the group that the
   * server chooses. RabbitMQ's queues have one group, whatever it is called, and one that is not there is declared as by `publishToQueue`. FluxMQ gives
   * each consumer of a connection every message, so that a client has one subscription to a queue there.
   * @throws {MessagingError} as `subscribe`; ERR_UNSUPPORTED for what the server's queues cannot do
   */
  subscribeToQueue(
    queue: string,
    group: string,
    options?: AmqpQueueSubscribeOptions | ((message: AmqpQueueMessage) => unknown),
  ): Promise<AmqpSubscription<AmqpQueueMessage>> {
    const chosen = (): AmqpQueueSubscribeOptions => optionsOf<AmqpQueueSubscribeOptions>(options);
    return promised(() => subscribeToQueue(this.#core, this.#queues, { queue, group, options: chosen() }));
  }

  /** Ends this client's subscriptions to a queue, or only those of a group or filter. */
  unsubscribeFromQueue(
    queue: string,
    options: { readonly group?: string; readonly filter?: string } = {},
  ): Promise<void> {
    return promised(() => this.#unsubscribe("queue", queue, options));
  }

  /**
   * Declares a stream; resolves with its name. It is declared again after a reconnect.
   * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED, ERR_CHANNEL_CLOSED with the server's reason, ERR_NOT_CONNECTED
   */
  declareStreamQueue(options: AmqpStreamQueueOptions): Promise<string> {
    return this.#queues.declareStream(options);
  }

  /**
   * Reads a stream. After a reconnect a group goes on where the server has it (on FluxMQ with `autoCommit: false` at this client's last commit), a reader without a group at
   * the first message that it has not settled.
   * @throws {MessagingError} as `subscribeToQueue`
   */
  subscribeToStream(
    options: AmqpStreamSubscribeOptions,
    handler?: (message: AmqpQueueMessage) => unknown,
  ): Promise<AmqpSubscription<AmqpQueueMessage>> {
    const chosen = handler === undefined ? options : { ...options, handler };
    return promised(() => subscribeToStream(this.#core, this.#queues, chosen));
  }

  /** Ends this client's subscriptions to a stream, or only those of a group or filter. */
  unsubscribeFromStream(
    queue: string,
    options: { readonly group?: string; readonly filter?: string } = {},
  ): Promise<void> {
    return promised(() => this.#unsubscribe("stream", queue, options));
  }

  /** Publishes to a stream, which has to be there. Errors as `publishToQueue`; on RabbitMQ `UnroutableError` when there is no such stream. */
  publishToStream(queue: string, body: string | Uint8Array, options: AmqpQueuePublishOptions = {}): Promise<void> {
    return promised(() => this.#queues.publishToStream(queue, body, options));
  }

  /**
   * Commits a group's place in a stream: `offset` is the next one to read. Resolves when the server has taken the commit; FluxMQ does not say what became of it.
   * @throws {MessagingError} ERR_UNSUPPORTED on RabbitMQ, ERR_QUEUE_ACK_MISSING_GROUP, ERR_INVALID_ARGUMENT, and as `publish`
   */
  commitOffset(queue: string, group: string, offset: number): Promise<void> {
    return this.#queues.commitOffset(queue, group, offset);
  }

  /** Sends a request to whom the default exchange, or `exchange`, takes it, and resolves with the answer; see {@link AmqpChannel.request}. */
  request(
    routingKey: string,
    body: string | Uint8Array,
    options: AmqpRequestOptions & { readonly exchange?: string } = {},
  ): Promise<AmqpMessage> {
    const { exchange = "", ...request } = options;
    return promised(() => this.#queues.channel.request(exchange, routingKey, body, request));
  }

  /** Answers requests in a queue, on a channel of its own that ends with the consumer; see {@link AmqpChannel.respond}. */
  async respond(
    queue: string,
    responder: AmqpResponder,
    options: Omit<AmqpConsumeOptions, "handler" | "autoAck" | "noAck"> = {},
  ): Promise<AmqpConsumer> {
    const channel = await this.#core.channel(true);
    try {
      const consumer = await channel.respond(queue, responder, options);
      // Closing waits for the responders that still run.
      void consumer.closed.then(() => channel.close());
      return consumer;
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  /**
   * Gives the server a new secret before the old one expires (`connection.update-secret`, RabbitMQ's extension); resolves at its answer.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CONNECTION_LOST, ERR_SERVER_DISCONNECT when the server ends the connection instead
   */
  async updateSecret(secret: string | Uint8Array, reason = "refresh"): Promise<void> {
    await this.#core.updateSecret(this.#core.bytesOf(secret), reason);
  }

  /** Ends the connection in order; its channels are over. `connect()` may follow. */
  disconnect(): Promise<void> {
    return this.#core.disconnect();
  }

  /** Waits for publishes and handlers under way, at most `timeoutMs` (default 5,000), then ends for good. Never rejects. */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#core.close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
  }

  /** Ends at once; what is under way fails with the error or ERR_CLIENT_CLOSED. */
  destroy(error: MessagingError | null = null): void {
    this.#core.destroy(error);
  }

  /** As `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls `listener` at each event of the type; the returned function stops it. */
  on<K extends AmqpClientEvent["type"]>(
    type: K,
    listener: (event: EventOf<AmqpClientEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.on(type, listener);
  }

  /** As `on`, for one event only. */
  once<K extends AmqpClientEvent["type"]>(
    type: K,
    listener: (event: EventOf<AmqpClientEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.once(type, listener);
  }

  /** All events from now on, as an async iterable; 1,024 may wait for a slow reader. */
  events(): EventStream<AmqpClientEvent> {
    return this.#core.events.events();
  }

  #unsubscribe(
    kind: "queue" | "stream",
    name: string,
    options: { readonly group?: string; readonly filter?: string },
  ): Promise<void> {
    const { queue, rest } = queueAddress(name, options.filter, "filter");
    return this.#queues.unsubscribe(kind, queue, options.group, rest);
  }
}

/** What throws before it begins rejects like what fails later. */
function promised<T>(begin: () => Promise<T>): Promise<T> {
  try {
    return begin();
  } catch (error) {
    return Promise.reject(error);
  }
}
