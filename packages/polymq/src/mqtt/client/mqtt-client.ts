import { abortedError, raceAbort } from "../../base/abort.ts";
import type { EventOf, EventStream } from "../../base/emitter.ts";
import { MessagingError } from "../../base/errors.ts";
import { given } from "../../base/option-rules.ts";
import type { Platform } from "../../transport/platform.ts";
import { checkQoS, checkTopic } from "../codec/arguments.ts";
import type { DisconnectProperties, PublishProperties, QoS, UserProperties } from "../codec/packets.ts";
import { encodePublishProperties } from "../codec/publish-properties.ts";
import { parseSharedFilter, topicMatches, validateTopicFilter } from "../codec/topic.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import { authPort, ClientCore } from "./client-core.ts";
import { toBytes } from "./connect-packet.ts";
import type { MqttClientEvent, MqttClientState } from "./events.ts";
import type { MqttMessage } from "./message.ts";
import type { MqttClientOptions } from "./options.ts";
import type { PublishResult } from "./pending.ts";
import {
  type MqttQueueMessage,
  nackProperties,
  type QueueNackOptions,
  type QueueSettleOptions,
  rejectProperties,
  type SettleVerb,
} from "./queues/queue-message.ts";
import {
  checkOptions,
  checkPublish,
  checkQueue,
  type QueuePublishOptions,
  type QueueSubscribeOptions,
  type StreamSubscribeOptions,
} from "./queues/queue-options.ts";
import { Queues } from "./queues/queues.ts";
import { missingInVersion4 } from "./refusals.ts";
import { Requester } from "./requester.ts";
import { settingsOf } from "./settings.ts";
import { checkSubscribe, type SubscribeInput, type SubscribeOptions } from "./subscribe-options.ts";
import { MqttSubscription } from "./subscription.ts";
import { toUserProperties, type UserPropertiesInput } from "./user-properties.ts";

/**
 * MQTT 5.0 publish properties as an application gives them, or as a received message had them: its topic alias and
 * subscription identifiers are left out, for aliases are chosen by the client and identifiers by the server.
 */
export interface PublishPropertiesInput
  extends Omit<PublishProperties, "userProperties" | "topicAlias" | "subscriptionIdentifiers"> {
  readonly userProperties?: UserPropertiesInput;
}

/** Options of `publish`. */
export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS;
  /** Default false. */
  readonly retain?: boolean;
  /** MQTT 5.0 only: `ERR_UNSUPPORTED` on a 3.1.1 connection. */
  readonly properties?: PublishPropertiesInput;
  /** Gives up waiting with `ERR_ABORTED`; a message that was sent already may still arrive. */
  readonly signal?: AbortSignal;
}

/** A message to publish as one object. */
export interface MqttPublishMessage extends PublishOptions {
  readonly topic: string;
  /** Default: empty. */
  readonly payload?: string | Uint8Array;
}

/** Options of `disconnect`. */
export interface DisconnectOptions {
  /** MQTT 5.0. Default 0; 0x04 asks the server to publish the will. */
  readonly reasonCode?: number;
  /** MQTT 5.0: a new session expiry; one of 0 in CONNECT cannot be raised. */
  readonly sessionExpirySeconds?: number;
  readonly reasonString?: string;
  readonly userProperties?: UserPropertiesInput;
}

/** Options of `request`. */
export interface RequestOptions extends Omit<PublishOptions, "properties"> {
  /** Longest wait for the answer. Default 10,000 ms. */
  readonly timeoutMs?: number;
  readonly properties?: Omit<PublishPropertiesInput, "responseTopic" | "correlationData">;
}

/** Options of settling by id. */
export interface SettleByIdOptions extends QueueSettleOptions {
  /** The group as messages of it name it in `groupId`. Default: that of this client's subscription to the queue. */
  readonly group?: string;
}

/** Answers a request: the returned payload is published to its response topic. */
export type Responder = (request: MqttMessage) => Payload | Promise<Payload>;

/** What a message carries. */
export type Payload = string | Uint8Array;

/** Longest wait of `close` for work that is under way. */
const CLOSE_TIMEOUT_MS = 5_000;

/** The longest timer that runtimes have. */
const TIMER_MAX_MS = 2_147_483_647;

/** Longest wait for the answer to a request. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * An MQTT 3.1.1 and 5.0 client. It is made with options, checked at once, and connects with `connect()`. Each promise
 * settles: with a value, a typed {@link MessagingError}, at a deadline, or when its `AbortSignal` fires.
 *
 * This is the part that is alike on every runtime; the entry point's `MqttClient` adds the runtime's way to connect.
 */
export class MqttClientBase implements AsyncDisposable {
  readonly #core: ClientCore;
  readonly #requester: Requester;
  readonly #queues: Queues;

  /** @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_OPTIONS and others for bad options */
  protected constructor(options: MqttClientOptions, platform: Platform) {
    this.#core = new ClientCore(settingsOf(options), platform);
    this.#queues = new Queues(this.#core);
    this.#requester = new Requester({
      clock: platform.clock,
      randomBytes: (count) => platform.randomBytes(count),
      listen: (topic, handler) => this.subscribe(topic, { qos: 1, handler }),
      responseTopic: () => this.#responseTopic(),
    });
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
    return this.#core.connect(options.signal);
  }

  /**
   * Publishes one message. Resolves when the server owns it: at PUBACK (QoS 1), PUBCOMP (QoS 2), or when its bytes are on
   * their way (QoS 0); later when the outbox is full. The payload may be changed as soon as this returns.
   * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_QOS, ERR_INVALID_MESSAGE; ERR_NOT_CONNECTED, ERR_OFFLINE_FULL,
   *   ERR_MAX_INFLIGHT, ERR_OUTBOUND_BACKPRESSURE; ERR_PACKET_TOO_LARGE and ERR_NOT_SUPPORTED_BY_SERVER before anything is
   *   sent; ERR_PUBLISH_REJECTED for a reason code of 0x80 and above (MQTT 5.0 §3.4.2.1); ERR_TIMEOUT, ERR_ABORTED
   */
  publish(message: MqttPublishMessage): Promise<PublishResult>;
  publish(topic: string, payload: Payload, options?: PublishOptions): Promise<PublishResult>;
  publish(topic: string | MqttPublishMessage, payload?: Payload, options?: PublishOptions): Promise<PublishResult> {
    try {
      if (typeof topic === "string") return this.#publish(topic, payload, options);
      if (typeof topic !== "object" || topic === null) throw invalidMessage("a topic or a message object is needed");
      return this.#publish(topic.topic, topic.payload ?? NO_PAYLOAD, topic);
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
  async subscribe(filters: SubscribeInput, options: SubscribeOptions = {}): Promise<MqttSubscription> {
    const call = checkSubscribe(filters, options);
    this.#checkUsable(options.signal);
    const names = call.filters.map((each) => each.filter);
    const subscription = new MqttSubscription(this.#core.inbox, names, call.consume);
    const done = this.#core.subscriptions.add(subscription, subscription, call, options.signal);
    const patterns = names.map((filter) => parseSharedFilter(filter)?.filter ?? filter);
    this.#core.inbox.claim((message) => {
      if (!patterns.some((pattern) => topicMatches(pattern, message.topic))) return false;
      subscription.deliver(message);
      return true;
    });
    await done;
    return subscription;
  }

  /**
   * Ends every subscription to these filters. Resolves with the server's reason codes (none with MQTT 3.1.1); 0x11 says that
   * there was no such subscription. When `signal` fires, only the wait for the server's answer ends.
   * @throws {MessagingError} ERR_UNSUBSCRIBE_FAILED, ERR_INVALID_TOPIC, ERR_NOT_CONNECTED, ERR_TIMEOUT, ERR_ABORTED
   */
  async unsubscribe(
    filters: string | readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly number[]> {
    const list = typeof filters === "string" ? [filters] : [...filters];
    if (list.length === 0) throw new MessagingError("ERR_INVALID_TOPIC", "at least one topic filter is needed");
    for (const filter of list) checkTopic(validateTopicFilter(filter));
    this.#checkUsable(options.signal);
    return await raceAbort(this.#core.subscriptions.removeFilters(list), options.signal);
  }

  /**
   * Publishes into a queue (`orders`, or `orders/eu` with a routing key): a PUBLISH to `$queue/<queue>[/<routing key>]`. Resolves when the server
   * has stored the message.
   * @throws {MessagingError} as `publish`; ERR_INVALID_ARGUMENT for options; ERR_INVALID_TOPIC for a name that is none; ERR_PUBLISH_REJECTED with 0x97 when the queue is full
   */
  async publishToQueue(queue: string, payload: Payload, options: QueuePublishOptions = {}): Promise<PublishResult> {
    const { topic, publish } = checkPublish(queue, options);
    return await this.publish(topic, payload, publish);
  }

  /**
   * Joins a consumer group of a queue (`orders`, or `orders/eu/#` with a filter) and resolves when the server has granted it. Members of a group share
   * its messages, each group gets all of them. Asked for again after every reconnect. With MQTT 3.1.1 the server chooses the group.
   * @throws {MessagingError} as `subscribe`; ERR_INVALID_ARGUMENT when `options` is no object
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
    checkOptions(options);
    this.#checkUsable(undefined);
    await this.#queues.unsubscribeFrom(queue, options.group, options.filter);
  }

  /**
   * Acknowledges a queue message by its id; one that this client holds as its `ack()` does. Resolves when the server has confirmed it.
   * @throws {MessagingError} as `MqttQueueMessage.ack`; ERR_QUEUE_ACK_REQUIRES_V5 with MQTT 3.1.1, ERR_QUEUE_ACK_MISSING_GROUP without a group and
   *   a subscription that tells it
   */
  ack(queue: string, messageId: string | number, options: SettleByIdOptions = {}): Promise<void> {
    return this.#settle("ack", queue, messageId, options, []);
  }

  /** As `ack`, for a message that is to be delivered again; see `MqttQueueMessage.nack`. */
  async nack(
    queue: string,
    messageId: string | number,
    options: SettleByIdOptions & QueueNackOptions = {},
  ): Promise<void> {
    await this.#settle("nack", queue, messageId, options, nackProperties(options?.delayMs));
  }

  /** As `ack`, for a message that cannot be handled; see `MqttQueueMessage.reject`. */
  reject(
    queue: string,
    messageId: string | number,
    options: SettleByIdOptions & { readonly reason?: string } = {},
  ): Promise<void> {
    return this.#settle("reject", queue, messageId, options, rejectProperties(options?.reason));
  }

  /**
   * Sends a request and resolves with its answer (MQTT 5.0 §4.10): a response topic of this client's own and fresh correlation
   * data go along.
   * @throws {MessagingError} ERR_TIMEOUT, ERR_UNSUPPORTED with MQTT 3.1.1, and what `publish` and `subscribe` throw
   */
  async request(topic: string, payload: Payload, options: RequestOptions = {}): Promise<MqttMessage> {
    this.#checkUsable(options.signal);
    if (this.#core.level === 4) throw missingInVersion4("request and response");
    const { timeoutMs = REQUEST_TIMEOUT_MS, signal, properties, ...rest } = options;
    if (!(timeoutMs >= 1 && timeoutMs <= TIMER_MAX_MS)) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `timeoutMs must be from 1 to ${TIMER_MAX_MS}`);
    }
    return await this.#requester.request({ timeoutMs, signal }, (replyTo) =>
      this.publish(topic, payload, { qos: 1, ...rest, properties: { ...properties, ...replyTo } }),
    );
  }

  /**
   * Answers requests on `filter`: what `responder` returns is published at QoS 1 to the request's response topic with its
   * correlation data. A request without a response topic is not answered.
   */
  respond(filter: string, responder: Responder, options: SubscribeOptions = {}): Promise<MqttSubscription> {
    const handler = async (request: MqttMessage): Promise<void> => {
      const payload = await responder(request);
      const { responseTopic, correlationData } = request;
      if (responseTopic === undefined) return;
      const properties = correlationData === undefined ? {} : { properties: { correlationData } };
      await this.publish(responseTopic, payload, { qos: 1, ...properties });
    };
    return this.subscribe(filter, { qos: 1, ...options, handler });
  }

  /** Authenticates again on the open connection (MQTT 5.0 §4.12.1). @throws {MessagingError} ERR_AUTH_NOT_V5, ERR_AUTH_NO_HANDLER, ERR_AUTH_FAILED */
  async reauthenticate(): Promise<void> {
    const connection = this.#core.connection;
    if (connection === null) throw new MessagingError("ERR_NOT_CONNECTED", "the client is not connected");
    if (connection.engine.protocolLevel !== 5) throw missingInVersion4("AUTH", "ERR_AUTH_NOT_V5");
    const authenticator = this.#core.authenticator;
    if (authenticator === null) throw new MessagingError("ERR_AUTH_NO_HANDLER", "no authentication option was given");
    await authenticator.again(authPort(connection));
  }

  /**
   * Ends the connection with a DISCONNECT and allows `connect()` again. Publishes that are not acknowledged are rejected with
   * `ERR_NOT_CONNECTED`; in a session that lasts they are sent again by the next `connect()`. Subscriptions stay, and loops that read
   * them wait: the next `connect()` goes on with them.
   */
  async disconnect(options: DisconnectOptions = {}): Promise<void> {
    const { reasonCode = 0, sessionExpirySeconds, reasonString, userProperties } = options;
    const properties = given<DisconnectProperties>({
      sessionExpirySeconds,
      reasonString,
      userProperties: userProperties && toUserProperties(userProperties),
    });
    await this.#core.disconnect(reasonCode, properties);
    this.#requester.failAll(new MessagingError("ERR_NOT_CONNECTED", "the client was disconnected"));
  }

  /**
   * Closes for good: refuses new publishes, waits for those under way and for running handlers, at most `timeoutMs`, then ends
   * the connection. Resolves when all is closed. What is left over is rejected with `ERR_CLIENT_CLOSED`.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for a `timeoutMs` that is not from 0 to 2,147,483,647, and then nothing is closed
   */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? CLOSE_TIMEOUT_MS;
    if (!(timeoutMs >= 0 && timeoutMs <= TIMER_MAX_MS)) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `timeoutMs must be from 0 to ${TIMER_MAX_MS}`);
    }
    await this.#core.close(timeoutMs);
    this.#requester.failAll(new MessagingError("ERR_CLIENT_CLOSED", "the client was closed"));
  }

  /** Closes for good, now and without a DISCONNECT: the server publishes the will. */
  async destroy(error?: MessagingError): Promise<void> {
    await this.#core.destroy(error ?? null);
    this.#requester.failAll(new MessagingError("ERR_CLIENT_CLOSED", "the client was destroyed"));
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
    const call = checkQueue(queue, group, options, stream);
    this.#checkUsable(options.signal);
    return await this.#queues.subscribe(call, options.signal);
  }

  async #settle(
    verb: SettleVerb,
    queue: string,
    messageId: string | number,
    options: SettleByIdOptions,
    extra: UserProperties,
  ): Promise<void> {
    checkOptions(options);
    const { group, signal } = options;
    this.#checkUsable(signal);
    await this.#queues.settle(verb, queue, messageId, { group, extra, signal });
  }

  #publish(topic: string, payload: Payload | undefined, options: PublishOptions | undefined): Promise<PublishResult> {
    const core = this.#core;
    const bytes = payload instanceof Uint8Array ? payload : this.#encode(payload);
    if (options === undefined) return core.publisher.publish(topic, bytes, 0, false, null, undefined);
    if (typeof options !== "object" || options === null) throw invalidMessage("options must be an object");
    const qos = options.qos ?? 0;
    checkQoS(qos);
    const block = options.properties === undefined ? null : this.#encodeProperties(options.properties);
    return core.publisher.publish(topic, bytes, qos, options.retain === true, block, options.signal);
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
    const block = encodePublishProperties(this.#core.platform.text, all as PublishProperties);
    return block.length === 0 ? null : block;
  }

  #checkUsable(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortedError(signal);
    switch (this.#core.availability()) {
      case "online":
      case "offline":
        return;
      case "none":
        throw new MessagingError("ERR_NOT_CONNECTED", "the client is not connected");
      case "draining":
        throw new MessagingError("ERR_DRAINING", "the client is closing");
      case "closed":
        throw new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
    }
  }

  /** Under what the server offered for responses, if it did (MQTT 5.0 §3.2.2.3.15). */
  #responseTopic(): string {
    const offered = this.#core.capabilities?.responseInformation ?? "";
    const own = [...this.#core.platform.randomBytes(8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${offered === "" ? "polymq/response" : offered.replace(/\/$/, "")}/${own}`;
  }
}

const NO_PAYLOAD: Uint8Array = new Uint8Array(0);

function invalidMessage(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_MESSAGE", what);
}
