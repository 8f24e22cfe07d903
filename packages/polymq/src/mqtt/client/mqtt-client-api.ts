import { raceAbort } from "../../base/abort.ts";
import type { EventOf, EventStream } from "../../base/emitter.ts";
import { MessagingError } from "../../base/errors.ts";
import { after, type Lazy, lazy } from "../../base/lazy.ts";
import { given } from "../../base/option-rules.ts";
import { copyOf } from "../../bytes/copy.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { Platform } from "../../transport/platform.ts";
import { checkQoS } from "../codec/arguments.ts";
import type { DisconnectProperties, PublishProperties } from "../codec/packets.ts";
import type {
  ClientPart,
  DisconnectOptions,
  MqttPublishMessage,
  Payload,
  PublishOptions,
  PublishPropertiesInput,
  RequestOptions,
  Responder,
  SettleByIdOptions,
} from "./call-options.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import { checkTimeout } from "./check-timeout.ts";
import { ClientCore } from "./client-core.ts";
import type { ClientParts } from "./client-parts.ts";
import { toBytes } from "./connect-packet.ts";
import type { MqttClientEvent, MqttClientState } from "./events.ts";
import type { MqttMessage } from "./message.ts";
import type { MqttClientOptions } from "./options.ts";
import type { PublishResult } from "./pending.ts";
import type { QueueClient, SettlementOptions } from "./queues/queue-client.ts";
import type { MqttQueueMessage, QueueNackOptions, SettleVerb } from "./queues/queue-message.ts";
import type { QueuePublishOptions, QueueSubscribeOptions, StreamSubscribeOptions } from "./queues/queue-options.ts";
import { missingInVersion4 } from "./refusals.ts";
import type { Requester } from "./requester.ts";
import { settingsOf } from "./settings.ts";
import type { SubscribeInput, SubscribeOptions } from "./subscribe-options.ts";
import type { MqttSubscription } from "./subscription.ts";
import { toUserProperties } from "./user-properties.ts";

/** Longest wait of `close` for work that is under way. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * An MQTT 3.1.1 and 5.0 client. It is made with options, checked at once, and connects with `connect()`. Each promise
 * settles: with a value, a typed {@link MessagingError}, at a deadline, or when its `AbortSignal` fires.
 *
 * This is the part that is alike on every runtime. `subscribe`, `request`, `respond`, `reauthenticate` and the methods of queues and streams load their code
 * first where it is not there yet, which only a browser does, and then may reject with ERR_LOAD_FAILED.
 */
export abstract class MqttClientApi implements AsyncDisposable {
  readonly #core: ClientCore;
  readonly #requester: Lazy<Requester>;
  readonly #queues: Lazy<QueueClient>;
  /** Publishes that wait for code to be loaded. */
  readonly #early = { messages: 0, bytes: 0 };

  protected constructor(options: MqttClientOptions, platform: Platform, parts: ClientParts) {
    const core = new ClientCore(settingsOf(options), platform, parts);
    this.#core = core;
    const { intake } = core.parts;
    this.#queues = lazy(after(parts.queues, intake), (Queues) => new Queues(core, this));
    this.#requester = lazy(after(parts.requests, intake), (Requests) => new Requests(core, this));
  }

  /** Where the client stands, in one word. */
  get state(): MqttClientState {
    return this.#core.state;
  }

  /** True when messages can be exchanged now. */
  get connected(): boolean {
    return this.#core.state === "connected";
  }

  /** What the server can do, while connected; else null. */
  get serverCapabilities(): ServerCapabilities | null {
    return this.#core.capabilities;
  }

  /** The client id in use: the one given, or the one that the server assigned (MQTT 5.0 §3.2.2.3.7). */
  get clientId(): string {
    return this.#core.clientId;
  }

  /** The protocol version of the connection, while connected; else null. */
  get protocolVersion(): 4 | 5 | null {
    return this.#core.level;
  }

  /** Publishes that wait for a connection or for room, and their bytes. */
  get waiting(): { readonly messages: number; readonly bytes: number } {
    return this.#core.publisher.waiting;
  }

  /** Resolves when the client is closed for good, with the error that ended it or null; never rejects. */
  get closed(): Promise<MessagingError | null> {
    return this.#core.closed;
  }

  /**
   * Connects; resolves at CONNACK. One round over the servers is made, or as many as the reconnect rules say with
   * `retryFirstConnect`.
   * @throws {MessagingError} ERR_CONNECT_REJECTED with the server's code, ERR_CONNECT_TIMEOUT, ERR_CONNECT_FAILED,
   *   ERR_ABORTED, ERR_ALREADY_CONNECTED, ERR_CLIENT_CLOSED, ERR_STORE_FAILED
   */
  connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#core.connect(options?.signal);
  }

  /**
   * Loads the code of parts before their first use, for pages; resolves when it is there, elsewhere at once.
   * @throws {MessagingError} ERR_LOAD_FAILED with the cause; what was not loaded is loaded again when it is needed
   */
  async preload(...parts: readonly ClientPart[]): Promise<void> {
    const all = { subscriptions: this.#core.parts.intake, queues: this.#queues, requests: this.#requester };
    await Promise.all(parts.map((name) => all[name].load()));
  }

  /**
   * Publishes one message. Resolves when the server owns it: at PUBACK (QoS 1), PUBCOMP (QoS 2), or when its bytes are on
   * their way (QoS 0); later when the outbox is full. The payload may be changed as soon as this returns.
   * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_QOS, ERR_INVALID_MESSAGE; ERR_NOT_CONNECTED, ERR_OFFLINE_FULL,
   *   ERR_MAX_INFLIGHT, ERR_OUTBOUND_BACKPRESSURE; ERR_PACKET_TOO_LARGE and ERR_NOT_SUPPORTED_BY_SERVER before anything is
   *   sent; ERR_PUBLISH_REJECTED for a reason code of 0x80 and above (MQTT 5.0 §3.4.2.1), and when the server ended
   *   `maxDeliveryRetries` connections over the message; ERR_TIMEOUT, ERR_ABORTED
   */
  publish(message: MqttPublishMessage): Promise<PublishResult>;
  publish(topic: string, payload: Payload, options?: PublishOptions): Promise<PublishResult>;
  publish(topic: string | MqttPublishMessage, payload?: Payload, options?: PublishOptions): Promise<PublishResult> {
    if (this.#core.parts.loading !== null) return this.#publishLater(this.#core.parts.loading, topic, payload, options);
    try {
      if (typeof topic === "string") return this.#publish(topic, payload, options);
      if (typeof topic !== "object" || topic === null) throw invalidMessage("a topic or a message object is needed");
      return this.#publish(topic.topic, topic.payload ?? NO_BYTES, topic);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Subscribes and resolves when the server has granted it. The subscription is restored after a reconnect, unless the
   * server kept the session.
   * @throws {MessagingError} ERR_SUBSCRIBE_FAILED with the server's code, ERR_INVALID_TOPIC, ERR_INVALID_QOS,
   *   ERR_INVALID_SUBSCRIBE_OPTION, ERR_UNSUPPORTED, ERR_NOT_SUPPORTED_BY_SERVER, ERR_NOT_CONNECTED, ERR_TIMEOUT, ERR_ABORTED
   */
  subscribe(filters: SubscribeInput, options: SubscribeOptions = {}): Promise<MqttSubscription> {
    return this.#core.parts.receive((intake) => intake.subscribe(filters, options), options?.signal);
  }

  /**
   * Ends every subscription to these filters. Resolves with the server's reason codes (none with MQTT 3.1.1); 0x11 says that
   * there was no such subscription. When `signal` fires, only the wait for the server's answer ends.
   * @throws {MessagingError} ERR_UNSUBSCRIBE_FAILED, ERR_INVALID_TOPIC, ERR_NOT_CONNECTED, ERR_TIMEOUT, ERR_ABORTED
   */
  unsubscribe(
    filters: string | readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly number[]> {
    const signal = options?.signal;
    return this.#core.parts.receive((intake) => intake.unsubscribeFilters(filters, signal), signal);
  }

  /**
   * Publishes into a queue (`orders`, or `orders/eu` with a routing key): a PUBLISH to `$queue/<queue>[/<routing key>]`. Resolves when the server
   * has stored the message.
   * @throws {MessagingError} as `publish`; ERR_INVALID_ARGUMENT for options; ERR_INVALID_TOPIC for a name that is none; ERR_PUBLISH_REJECTED with 0x97 when the queue is full
   */
  async publishToQueue(queue: string, payload: Payload, options: QueuePublishOptions = {}): Promise<PublishResult> {
    return await this.#withPayload(this.#queues, payload, options, (part, kept) => part.publish(queue, kept, options));
  }

  /**
   * Joins a consumer group of a queue (`orders`, or `orders/eu/#` with a filter) and resolves when the server has granted it. Members of a group share
   * its messages, each group gets all of them. Asked for again after every reconnect. `""` leaves the choice of the
   * group to the server, which names it after the client id; with MQTT 3.1.1, which has no word for groups, only that or the group itself may be given:
   * what the client id begins with, up to the first "-".
   * @throws {MessagingError} as `subscribe`; ERR_QUEUE_GROUP_REQUIRES_V5; ERR_INVALID_ARGUMENT when `options` is no object
   */
  subscribeToQueue(
    queue: string,
    group: string,
    options: QueueSubscribeOptions = {},
  ): Promise<MqttSubscription<MqttQueueMessage>> {
    return this.#consume(queue, group, options, null);
  }

  /**
   * Reads a stream; the group's place moves with what is acknowledged. Else as `subscribeToQueue`.
   * @throws {MessagingError} as `subscribeToQueue`; ERR_UNSUPPORTED for `from` on a server that cannot be told
   */
  subscribeToStream(stream: string, options: StreamSubscribeOptions = {}): Promise<MqttSubscription<MqttQueueMessage>> {
    return this.#consume(stream, options?.group ?? "", options, options);
  }

  /**
   * Ends this client's subscriptions to a queue, or only those of a group or filter. Resolves when the server has confirmed. A server other than
   * polymq's broker may go on sending until the connection ends; such messages are left unacknowledged.
   * @throws {MessagingError} as `unsubscribe`
   */
  async unsubscribeFromQueue(
    queue: string,
    options: { readonly group?: string; readonly filter?: string } = {},
  ): Promise<void> {
    await this.#queues.use((queues) => queues.unsubscribeFrom(queue, options));
  }

  /**
   * Acknowledges a queue message by its id; one that this client holds as its `ack()` does. Resolves when the server has confirmed it.
   * @throws {MessagingError} as `MqttQueueMessage.ack`; ERR_QUEUE_ACK_REQUIRES_V5 with MQTT 3.1.1, ERR_QUEUE_ACK_MISSING_GROUP without a group and
   *   a subscription that tells it
   */
  ack(queue: string, messageId: string | number, options: SettleByIdOptions = {}): Promise<void> {
    return this.#settle("ack", queue, messageId, options);
  }

  /** As `ack`, for a message that is to be delivered again; see `MqttQueueMessage.nack`. */
  nack(queue: string, messageId: string | number, options: SettleByIdOptions & QueueNackOptions = {}): Promise<void> {
    return this.#settle("nack", queue, messageId, options);
  }

  /** As `ack`, for a message that cannot be handled; see `MqttQueueMessage.reject`. */
  reject(
    queue: string,
    messageId: string | number,
    options: SettleByIdOptions & { readonly reason?: string } = {},
  ): Promise<void> {
    return this.#settle("reject", queue, messageId, options);
  }

  /**
   * Sends a request and resolves with its answer (MQTT 5.0 §4.10): a response topic of this client's own and fresh correlation
   * data go along.
   * @throws {MessagingError} ERR_TIMEOUT, ERR_UNSUPPORTED with MQTT 3.1.1, and what `publish` and `subscribe` throw
   */
  async request(topic: string, payload: Payload, options: RequestOptions = {}): Promise<MqttMessage> {
    return await this.#withPayload(this.#requester, payload, options, (part, kept) =>
      part.request(topic, kept, options),
    );
  }

  /**
   * Answers requests on `filter`: what `responder` returns is published at QoS 1 to the request's response topic with its
   * correlation data. A request without a response topic is not answered.
   * @throws {MessagingError} ERR_UNSUPPORTED with MQTT 3.1.1, and what `subscribe` throws
   */
  respond(filter: string, responder: Responder, options: SubscribeOptions = {}): Promise<MqttSubscription> {
    return this.#requester.use((requester) => requester.respond(filter, responder, options));
  }

  /** Authenticates again on the open connection (MQTT 5.0 §4.12.1). @throws {MessagingError} ERR_AUTH_NOT_V5, ERR_AUTH_NO_HANDLER, ERR_AUTH_FAILED */
  async reauthenticate(): Promise<void> {
    const connection = this.#core.connection;
    if (connection === null) throw new MessagingError("ERR_NOT_CONNECTED", "the client is not connected");
    if (connection.engine.protocolLevel !== 5) throw missingInVersion4("AUTH", "ERR_AUTH_NOT_V5");
    const authenticator = this.#core.authenticator;
    if (authenticator === null) throw new MessagingError("ERR_AUTH_NO_HANDLER", "no authentication option was given");
    await authenticator.again(connection);
  }

  /**
   * Ends the connection with a DISCONNECT and allows `connect()` again. Publishes that are not acknowledged are rejected with
   * `ERR_NOT_CONNECTED`; in a session that lasts they are sent again by the next `connect()`. Subscriptions stay, and loops that read
   * them wait: the next `connect()` goes on with them.
   */
  async disconnect(options: DisconnectOptions = {}): Promise<void> {
    const { reasonCode = 0, sessionExpirySeconds, reasonString, userProperties } = options ?? {};
    const properties = given<DisconnectProperties>({
      sessionExpirySeconds,
      reasonString,
      userProperties: userProperties && toUserProperties(userProperties),
    });
    await this.#core.disconnect(reasonCode, properties);
    this.#requester.part?.failAll(new MessagingError("ERR_NOT_CONNECTED", "the client was disconnected"));
  }

  /**
   * Closes for good: refuses new publishes, waits for those under way and for running handlers, at most `timeoutMs`, then ends
   * the connection. Resolves when all is closed. What is left over is rejected with `ERR_CLIENT_CLOSED`.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for a `timeoutMs` that is not from 0 to 2,147,483,647, and then nothing is closed
   */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? CLOSE_TIMEOUT_MS;
    checkTimeout(timeoutMs, 0);
    await this.#core.close(timeoutMs);
    this.#requester.part?.failAll(new MessagingError("ERR_CLIENT_CLOSED", "the client was closed"));
  }

  /** Closes for good, now and without a DISCONNECT: the server publishes the will. */
  async destroy(error?: MessagingError): Promise<void> {
    await this.#core.destroy(error ?? null);
    this.#requester.part?.failAll(new MessagingError("ERR_CLIENT_CLOSED", "the client was destroyed"));
  }

  /** Calls `listener` at each event of a type; returns a function that stops it. A listener that throws harms nobody. */
  on<K extends MqttClientEvent["type"]>(
    type: K,
    listener: (event: EventOf<MqttClientEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.on(type, listener);
  }

  /** As `on`, once. */
  once<K extends MqttClientEvent["type"]>(
    type: K,
    listener: (event: EventOf<MqttClientEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.once(type, listener);
  }

  /** All events from now on as an async iterable; up to 1,024 wait for a slow reader, then the oldest are dropped. */
  events(): EventStream<MqttClientEvent> {
    return this.#core.events.events();
  }

  /** `await using` closes the client. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #consume(
    queue: string,
    group: string,
    options: QueueSubscribeOptions,
    stream: StreamSubscribeOptions | null,
  ): Promise<MqttSubscription<MqttQueueMessage>> {
    return await this.#queues.use((queues) => queues.subscribe(queue, group, options, stream));
  }

  async #settle(
    verb: SettleVerb,
    queue: string,
    messageId: string | number,
    options: SettlementOptions,
  ): Promise<void> {
    await this.#queues.use((queues) => queues.settle(verb, queue, messageId, options));
  }

  /** Waits for the code of a connection, in order and within the limits of what waits. Bytes are the caller's again at once. */
  async #publishLater(
    loading: Promise<void>,
    topic: string | MqttPublishMessage,
    payload?: Payload,
    options?: PublishOptions,
  ): Promise<PublishResult> {
    const message = typeof topic === "object" ? topic : { ...options, topic, payload };
    const release = this.#reserve(message?.payload?.length ?? 0);
    const bytes = message?.payload instanceof Uint8Array ? copyOf(message.payload) : message?.payload;
    const publishing = loading.then(
      () => {
        release();
        return this.publish({ ...message, payload: bytes } as MqttPublishMessage);
      },
      (error: unknown) => {
        release();
        throw error;
      },
    );
    return await raceAbort(publishing, message?.signal);
  }

  /**
   * Calls a part with a payload; where its code is not there yet, that is waited for within the limits of what waits, with a
   * copy: bytes are the caller's again at once.
   */
  async #withPayload<Part, R>(
    part: Lazy<Part>,
    payload: Payload,
    options: { readonly signal?: AbortSignal },
    call: (part: Part, payload: Payload) => Promise<R>,
  ): Promise<R> {
    if (part.part !== null) return await call(part.part, payload);
    const release = this.#reserve(payload?.length ?? 0);
    const kept = payload instanceof Uint8Array ? copyOf(payload) : payload;
    await raceAbort(part.load(), options?.signal).finally(release);
    return await part.use((loaded) => call(loaded, kept));
  }

  /** A place for a message that waits for code; the returned function gives it back. @throws {MessagingError} ERR_OFFLINE_FULL */
  #reserve(size: number): () => void {
    const early = this.#early;
    const { waitingMessagesMax, waitingBytesMax } = this.#core.settings;
    if (early.messages >= waitingMessagesMax || early.bytes + size > waitingBytesMax) {
      throw new MessagingError("ERR_OFFLINE_FULL", "too many messages wait for a connection");
    }
    early.messages++;
    early.bytes += size;
    return () => {
      early.messages--;
      early.bytes -= size;
    };
  }

  #publish(topic: string, payload: Payload | undefined, options: PublishOptions | undefined): Promise<PublishResult> {
    const core = this.#core;
    const bytes = payload instanceof Uint8Array ? payload : this.#encode(payload);
    if (options === undefined) return core.publisher.publish(topic, bytes, 0, false, null, undefined);
    if (typeof options !== "object" || options === null) throw invalidMessage("options must be an object");
    const { properties, signal } = options;
    const qos = options.qos ?? 0;
    const retain = options.retain ?? false;
    checkQoS(qos);
    if (typeof retain !== "boolean") throw invalidMessage(`retain must be true or false, not ${retain}`);
    const block = properties === undefined ? null : this.#encodeProperties(properties);
    return core.publisher.publish(topic, bytes, qos, retain, block, signal);
  }

  #encode(payload: Payload | undefined): Uint8Array {
    if (typeof payload === "string") return toBytes(payload, this.#core.platform.text);
    throw invalidMessage("the payload must be a string or a Uint8Array");
  }

  #encodeProperties(properties: PublishPropertiesInput): Uint8Array | null {
    if (typeof properties !== "object" || properties === null) throw invalidMessage("properties must be an object");
    // What only its sender may have chosen is left out, so that a received message's properties may be passed on [MQTT-3.3.4-6].
    const { userProperties, topicAlias: _, subscriptionIdentifiers: __, ...rest } = properties as PublishProperties;
    const all = { ...rest, userProperties: userProperties && toUserProperties(userProperties) };
    return this.#core.encodeProperties(all as PublishProperties);
  }
}

function invalidMessage(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_MESSAGE", what);
}
