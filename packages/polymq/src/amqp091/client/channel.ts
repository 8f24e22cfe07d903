import type { Clock } from "../../base/clock.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { MessagingError } from "../../base/errors.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { Method, MethodOf, SyncMethodName } from "../codec/method-types.ts";
import { PropertiesDecoder } from "../codec/properties-decoder.ts";
import type { CloseReason } from "../engine/endpoint-options.ts";
import { ChannelConsumers, type ConsumersHost } from "./channel-consumers.ts";
import { type ExchangeOptions, type QueueFacts, type QueueOptions, queueFacts } from "./channel-options.ts";
import type { Connection } from "./connection.ts";
import type { AmqpConsumeOptions, AmqpConsumer } from "./consumer.ts";
import { channelClosed, closedError, notConnected } from "./failures.ts";
import { getMessage } from "./get-message.ts";
import type { ChannelOwner, Incoming, Link } from "./link.ts";
import type { AmqpMessage, AmqpReturned } from "./message.ts";
import type { PendingPublish } from "./pending-publish.ts";
import { type AmqpPublishOptions, Publisher, type PublisherOptions } from "./publisher.ts";
import { type AmqpRequestOptions, type AmqpResponder, Requester, respondWith } from "./requester.ts";
import { call, failRequests } from "./requests.ts";
import { Transaction } from "./transaction.ts";

/** A channel younger than this is kept when it refuses, so that refusals do not make a channel each. */
const WORN_AFTER_MS = 1_000;

/** What a channel asks of its client. */
export interface ChannelHost extends ConsumersHost {
  readonly clock: Clock;
  readonly publisherOptions: Omit<PublisherOptions, "confirms" | "onReturned">;
  /** The address that answers to requests come to, on the channel that publishes them. */
  replyAddress(): string;
  bytesOf(body: string | Uint8Array): Uint8Array;
  channelEnded(channel: AmqpChannel): void;
}

/**
 * A channel: it declares, publishes and consumes, and is restored after a reconnect with its mode and consumers. Publishes are confirmed unless it was
 * made without. Methods reject with ERR_CHANNEL_CLOSED once the server has closed it (the error's `peer` says why), with ERR_CHANNEL_MAX once it has come back and allows
 * fewer channels, with ERR_NOT_CONNECTED while there is no connection, and with ERR_CONNECTION_LOST when it goes before the answer comes; `publish` alone waits for it to come back.
 */
export class AmqpChannel implements ChannelOwner, AsyncDisposable {
  /** True when publishes are confirmed. */
  readonly confirms: boolean;
  readonly #host: ChannelHost;
  readonly #publisher: Publisher;
  readonly #consumers: ChannelConsumers;
  readonly #decoder: PropertiesDecoder;
  readonly #end: Deferred<MessagingError | null> = deferred();
  #connection: Connection | null = null;
  #link: Link | null = null;
  readonly #transaction = new Transaction({
    drained: () => this.#live() && this.#publisher.drained(),
    ask: (method) => this.#call(method),
  });
  #requester: Requester | null = null;
  #over: MessagingError | null = null;
  #openedMs = 0;
  #worn = false;

  /** @internal */
  constructor(host: ChannelHost, confirms: boolean) {
    this.#host = host;
    this.confirms = confirms;
    this.#decoder = new PropertiesDecoder(host.publisherOptions.text);
    this.#consumers = new ChannelConsumers(host, this.#decoder);
    this.#publisher = new Publisher({
      ...host.publisherOptions,
      confirms,
      onReturned: (message: AmqpReturned) => {
        if (this.#requester?.returned(message) !== true) host.emit({ type: "returned", message });
      },
    });
  }

  /** Resolves when the channel is over: null when it was closed by us, else why. */
  get closed(): Promise<MessagingError | null> {
    return this.#end.promise;
  }

  /**
   * Publishes one message. Resolves when the server has confirmed it (on a channel without confirms: when it is on its way). The body may be changed as soon as
   * this returns. At most `maxUnconfirmed` are under way; more wait, within limits.
   * @throws {MessagingError} ERR_PUBLISH_REJECTED when the server refuses it (`basic.nack`); {@link UnroutableError} with `mandatory`; ERR_OUTBOUND_BACKPRESSURE;
   *   ERR_PACKET_TOO_LARGE for properties above a frame; ERR_INVALID_ARGUMENT; ERR_CHANNEL_CLOSED, ERR_CONNECTION_LOST, ERR_ABORTED
   */
  publish(
    exchange: string,
    routingKey: string,
    body: string | Uint8Array,
    options?: AmqpPublishOptions,
  ): Promise<void> {
    this.#transaction.published();
    try {
      return this.#publisher.publish(exchange, routingKey, this.#host.bytesOf(body), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Declares an exchange of a type: `direct`, `fanout`, `topic`, `headers`, or one of the server's own. Restored after a reconnect. */
  async declareExchange(exchange: string, type: string, options: ExchangeOptions = {}): Promise<void> {
    const { durable = true, autoDelete = false, internal = false } = options;
    const flags = { passive: false, durable, autoDelete, internal, noWait: false };
    await this.#declare({ method: "exchange.declare", exchange, type, ...flags, arguments: options.arguments ?? {} });
  }

  /** Resolves when the exchange exists; otherwise the server closes the channel with 404. */
  async checkExchange(exchange: string): Promise<void> {
    const flags = { passive: true, durable: false, autoDelete: false, internal: false, noWait: false };
    await this.#call({ method: "exchange.declare", exchange, type: "direct", ...flags, arguments: {} });
  }

  /** Deletes an exchange; with `ifUnused` only when nothing is bound to it (else 406). */
  async deleteExchange(exchange: string, options: { readonly ifUnused?: boolean } = {}): Promise<void> {
    await this.#declare({ method: "exchange.delete", exchange, ifUnused: options.ifUnused ?? false, noWait: false });
  }

  /** Binds an exchange to another: what `source` routes by the key goes to `destination` (RabbitMQ's extension). */
  async bindExchange(destination: string, source: string, routingKey = "", args: FieldTable = {}): Promise<void> {
    await this.#declare({ method: "exchange.bind", destination, source, routingKey, noWait: false, arguments: args });
  }

  /** Takes such a binding away. */
  async unbindExchange(destination: string, source: string, routingKey = "", args: FieldTable = {}): Promise<void> {
    await this.#declare({ method: "exchange.unbind", destination, source, routingKey, noWait: false, arguments: args });
  }

  /**
   * Declares a queue; "" has the server choose its name, which is in the answer. Restored after a reconnect, such a queue under a new name: the old one goes on
   * working in calls of this client.
   */
  async declareQueue(queue = "", options: QueueOptions = {}): Promise<QueueFacts> {
    const exclusive = options.exclusive ?? queue === "";
    const { durable = !exclusive, autoDelete = false } = options;
    const flags = { passive: false, durable, exclusive, autoDelete, noWait: false };
    const method = { method: "queue.declare", queue, ...flags, arguments: options.arguments ?? {} } as const;
    return queueFacts(await this.#declare(method));
  }

  /** How many messages and consumers a queue has; without such a queue the server closes the channel with 404. */
  async checkQueue(queue: string): Promise<QueueFacts> {
    const flags = { passive: true, durable: false, exclusive: false, autoDelete: false, noWait: false };
    return queueFacts(await this.#call({ method: "queue.declare", queue: this.#name(queue), ...flags, arguments: {} }));
  }

  /** Binds a queue to an exchange. */
  async bindQueue(queue: string, exchange: string, routingKey = "", args: FieldTable = {}): Promise<void> {
    const names = { queue: this.#name(queue), exchange, routingKey };
    await this.#declare({ method: "queue.bind", ...names, noWait: false, arguments: args });
  }

  /** Takes such a binding away. */
  async unbindQueue(queue: string, exchange: string, routingKey = "", args: FieldTable = {}): Promise<void> {
    await this.#declare({ method: "queue.unbind", queue: this.#name(queue), exchange, routingKey, arguments: args });
  }

  /** Drops the messages of a queue that nobody has yet; resolves with how many. */
  async purgeQueue(queue: string): Promise<number> {
    const reply = await this.#call({ method: "queue.purge", queue: this.#name(queue), noWait: false });
    return reply.method === "queue.purge-ok" ? reply.messageCount : 0;
  }

  /** Deletes a queue, with `ifUnused` or `ifEmpty` only then (else 406); resolves with how many messages it had. */
  async deleteQueue(
    queue: string,
    options: { readonly ifUnused?: boolean; readonly ifEmpty?: boolean } = {},
  ): Promise<number> {
    const { ifUnused = false, ifEmpty = false } = options;
    const method = { method: "queue.delete", queue: this.#name(queue), ifUnused, ifEmpty, noWait: false } as const;
    const reply = await this.#declare(method);
    return reply.method === "queue.delete-ok" ? reply.messageCount : 0;
  }

  /** Starts a consumer; resolves when the server has confirmed it. @throws {MessagingError} ERR_INVALID_OPTIONS, and as all methods */
  async consume(queue: string, options: AmqpConsumeOptions = {}): Promise<AmqpConsumer> {
    const { connection, link } = this.#live();
    return await this.#consumers.consume(connection, link, queue, options);
  }

  /**
   * Sends a request and resolves with its answer: RabbitMQ's direct reply-to, or a topic of this channel's own on a server without it. Answers are told apart by a
   * correlation id of ours. The request is mandatory unless `mandatory` is false.
   * @throws {MessagingError} ERR_TIMEOUT after `timeoutMs` (default 10,000), ERR_ABORTED, {@link UnroutableError} when no queue takes the request,
   *   ERR_CONNECTION_LOST when the connection goes after the request was confirmed, ERR_MAX_INFLIGHT above 10,000 at a time, and what `publish` rejects with
   */
  request(
    exchange: string,
    routingKey: string,
    body: string | Uint8Array,
    options: AmqpRequestOptions = {},
  ): Promise<AmqpMessage> {
    if (this.#over !== null) return Promise.reject(this.#over);
    this.#requester ??= new Requester(this, this.#host);
    return this.#requester.request(options, (publish) => this.publish(exchange, routingKey, body, publish));
  }

  /**
   * Answers requests in a queue: what `responder` returns goes to the request's `replyTo` with its correlation id, then the request is acknowledged. A request without
   * `replyTo` is acknowledged once handled. One whose responder fails is rejected unless `whenHandlerFails` is `requeue`. Errors as `consume`.
   */
  respond(
    queue: string,
    responder: AmqpResponder,
    options: Omit<AmqpConsumeOptions, "handler" | "autoAck" | "noAck"> = {},
  ): Promise<AmqpConsumer> {
    return this.consume(queue, { whenHandlerFails: "reject", ...options, handler: respondWith(this, responder) });
  }

  /** Takes one message out of a queue; null when it is empty. */
  async get(queue: string, options: { readonly noAck?: boolean } = {}): Promise<AmqpMessage | null> {
    const { connection, link } = this.#live();
    const from = { queue: this.#name(queue), noAck: options.noAck ?? false, decoder: this.#decoder };
    return await getMessage(connection, link, from);
  }

  /** Asks the server to deliver again what is unsettled on this channel, also what was not handed out yet; those messages can no longer be settled (ERR_ALREADY_SETTLED). */
  async recover(options: { readonly requeue?: boolean } = {}): Promise<void> {
    const { connection, link } = this.#live();
    const recovered = call(connection, link, { method: "basic.recover", requeue: options.requeue ?? true });
    this.#consumers.forget();
    await recovered;
  }

  /** Makes the channel transactional; needs one without confirms. A transaction that is open when the connection is lost is lost: its commit fails. */
  async txSelect(): Promise<void> {
    if (this.confirms) throw new MessagingError("ERR_UNSUPPORTED", "transactions need a channel without confirms");
    await this.#call({ method: "tx.select" });
    this.#transaction.select();
  }

  /**
   * Publishes and acknowledgements since the last commit or rollback take effect, all or none.
   * @throws {MessagingError} ERR_CONNECTION_LOST, also later, when a connection was lost after something was published or settled in the transaction: all of it is rolled back
   */
  async txCommit(): Promise<void> {
    await this.#transaction.commit();
  }

  /** They are forgotten. */
  async txRollback(): Promise<void> {
    await this.#transaction.rollback();
  }

  /** Resolves when every publish so far is confirmed or has failed. */
  async drained(): Promise<void> {
    await this.#publisher.drained();
  }

  /** Waits for running handlers and unconfirmed publishes, then closes the channel; requests without an answer fail. Harmless when repeated. */
  async close(): Promise<void> {
    if (this.#over !== null) return;
    if (this.#link !== null) {
      this.#requester?.end(channelClosed());
      await this.#consumers.cancelAll();
      await this.#publisher.drained();
    }
    const link = this.#link;
    this.#connection?.engine.closeChannel(link as Link);
    this.#finish(null);
  }

  /** As `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** True when it is over, whoever ended it. @internal */
  get over(): boolean {
    return this.#over !== null;
  }

  /**
   * True when it has refused a message and another one should take its place: RabbitMQ 3 goes on refusing what is published to a quorum queue on a channel that first
   * published to it while it had no leader. @internal
   */
  get worn(): boolean {
    return this.#worn;
  }

  /** True while answers come as messages. @internal */
  get awaitsMessages(): boolean {
    return this.#requester?.waiting === true;
  }

  /** True when it is open, or being opened, on a connection. @internal */
  isOn(connection: Connection): boolean {
    return this.#connection === connection;
  }

  /** Reading must go on, for an answer to a request is to come. @internal */
  answerAwaited(): void {
    this.#connection?.answerAwaited();
  }

  /** Opens the channel on a connection, with everything that it had. @internal */
  async open(connection: Connection): Promise<void> {
    const link = connection.openChannel(this);
    // One that is added from now on starts by itself.
    const consumers = this.#consumers.list();
    this.#connection = connection;
    this.#link = link;
    this.#consumers.open(connection, link);
    this.#openedMs = this.#host.clock.nowMs();
    try {
      if (this.confirms) await call(connection, link, { method: "confirm.select", noWait: false });
      if (this.#transaction.selected) await call(connection, link, { method: "tx.select" });
      await this.#consumers.restart(connection, link, consumers);
    } catch (error) {
      // A channel that the server closed has told so by itself.
      if (connection.ended || this.#over === null) throw error;
      return;
    }
    this.#publisher.open(connection, link);
  }

  /** The connection is gone; it may come back. @internal */
  suspend(error: MessagingError): void {
    const link = this.#link;
    this.#publisher.suspend(error);
    this.#requester?.suspend(error);
    this.#connection = null;
    this.#link = null;
    this.#worn = false;
    this.#transaction.suspend(link?.settledInTransaction === true);
    if (link !== null) failRequests(link, error);
    this.#consumers.suspend();
  }

  /** The client is closed. @internal */
  end(error: MessagingError | null): void {
    this.#finish(error);
  }

  /** True when it has a consumer of the queue. @internal */
  consumes(queue: string): boolean {
    return this.#consumers.has(queue);
  }

  /** @internal */
  onDeliver(link: Link, content: Incoming): void {
    this.#consumers.onDeliver(link, content);
  }

  /** @internal */
  onReturn(content: Incoming): void {
    this.#publisher.onReturn(content);
  }

  /** @internal */
  onConfirm(message: PendingPublish, tag: number, accepted: boolean): void {
    if (!accepted && this.#host.clock.nowMs() - this.#openedMs >= WORN_AFTER_MS) this.#worn = true;
    this.#publisher.onConfirm(message, tag, accepted);
  }

  /** @internal */
  onCancel(consumerTag: string): void {
    this.#consumers.onCancel(consumerTag);
  }

  /** @internal */
  onFlow(): void {
    this.#publisher.pump();
  }

  /** @internal */
  onRoom(): void {
    this.#publisher.pump();
  }

  /** @internal */
  onClosed(link: Link, reason: CloseReason | null): void {
    if (reason === null || link !== this.#link) return;
    const error = closedError("ERR_CHANNEL_CLOSED", "the server closed the channel", reason);
    this.#finish(error);
    this.#host.emit({ type: "channelClosed", error });
  }

  #finish(error: MessagingError | null): void {
    if (this.#over !== null) return;
    const why = error ?? channelClosed();
    this.#over = why;
    const link = this.#link;
    this.#publisher.end(why);
    this.#requester?.end(why);
    if (link !== null) failRequests(link, why);
    this.#connection = null;
    this.#link = null;
    this.#host.channelEnded(this);
    this.#consumers.end(error);
    this.#end.resolve(error);
  }

  #live(): { readonly connection: Connection; readonly link: Link } {
    if (this.#over !== null) throw this.#over;
    if (this.#connection === null || this.#link === null) throw notConnected();
    return { connection: this.#connection, link: this.#link };
  }

  async #call(method: MethodOf<SyncMethodName>): Promise<Method> {
    const { connection, link } = this.#live();
    return await call(connection, link, method);
  }

  async #declare(method: MethodOf<SyncMethodName>): Promise<Method> {
    const reply = await this.#call(method);
    this.#host.topology.note(method, reply);
    return reply;
  }

  #name(queue: string): string {
    return this.#host.topology.current(queue);
  }
}
