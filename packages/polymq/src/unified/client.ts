import type { AmqpConnection } from "../amqp10/client/connection.ts";
import type { AmqpClientBase } from "../amqp091/client/amqp-client.ts";
import type { EventOf, EventStream } from "../base/emitter.ts";
import type { MessagingError } from "../base/errors.ts";
import type { MqttClientBase } from "../mqtt/client/mqtt-client.ts";
import type { Codec } from "./codec.ts";
import type { Subscription } from "./consumer.ts";
import type { ClientEvent, ClientState } from "./events.ts";
import type { Message } from "./message.ts";
import type { ClientAnswer, ClientPublishOptions, ClientRequestOptions, ClientSubscribeOptions } from "./options.ts";
import type { Dialect, Protocol } from "./protocol.ts";
import type { Queue } from "./queue.ts";
import type { Stream } from "./stream.ts";

/** The client of each protocol. */
export interface NativeClients {
  readonly mqtt: MqttClientBase;
  readonly amqp091: AmqpClientBase;
  readonly amqp10: AmqpConnection;
}

/**
 * A connected client, made by `connect`: one program text for all protocols. `P` is the protocol as far as the compiler knows it; what not every protocol of `P` can do is
 * absent from this type, and `ERR_UNSUPPORTED` at run time. Every promise settles: with a value, a typed error, at a deadline, or when its signal fires.
 */
export interface Client<P extends Protocol = Protocol> extends AsyncDisposable {
  /** Which protocol it speaks. */
  readonly protocol: P;
  /** The protocol's own client beneath, with everything that the protocol has. */
  readonly native: NativeClients[P];
  /** Whose ways of queues and streams are used. */
  readonly dialect: Dialect;
  /** Where it stands, in one word. */
  readonly state: ClientState;
  /** Resolves when it is closed for good, with the error that ended it or null; never rejects. */
  readonly closed: Promise<MessagingError | null>;
  /** True when it speaks this protocol; the compiler knows it then. */
  is<Q extends P>(protocol: Q): this is Client<Q>;
  /**
   * Publishes to a topic, its levels separated by slashes on every protocol; one below `$queue/` is a queue's. Resolves when the server has it, at QoS 0 over MQTT when it is on
   * its way. The payload may be changed as soon as this returns.
   * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_MESSAGE, ERR_INVALID_ARGUMENT for options, ERR_UNSUPPORTED, ERR_NOT_CONNECTED, ERR_CLIENT_CLOSED, and what the
   *   protocol's client says
   */
  publish(topic: string, payload: string | Uint8Array, options?: ClientPublishOptions<P>): Promise<void>;
  /**
   * Subscribes to topics; `+` stands for one level, `#` for all that follow. Resolves when the server has confirmed it. Restored after a reconnect.
   * @throws {MessagingError} ERR_INVALID_TOPIC, also for a filter below `$queue/`; ERR_INVALID_SUBSCRIBE_OPTION, ERR_UNSUPPORTED, ERR_CLIENT_CLOSED, and what the protocol's client says
   */
  subscribe<T = Uint8Array>(
    filter: string,
    options?: ClientSubscribeOptions<T, P> | ((message: Message<T, P>) => unknown),
  ): Promise<Subscription<Message<T, P>>>;
  /** Ends this client's subscriptions to a filter; resolves when the server has confirmed it. */
  unsubscribe(filter: string): Promise<void>;
  /**
   * A queue: `orders`, or `orders/eu` with a routing key or filter behind its name.
   * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_ARGUMENT for options, ERR_UNSUPPORTED
   */
  queue<In, Out>(
    name: string,
    options: QueueHandleOptions<In, Out> & { readonly codec: Codec<In, Out> },
  ): Queue<In, Out, P>;
  /** A queue of payloads as they are. */
  queue(
    name: string,
    options?: QueueHandleOptions<string | Uint8Array, Uint8Array>,
  ): Queue<string | Uint8Array, Uint8Array, P>;
  /** A stream. @throws {MessagingError} ERR_INVALID_TOPIC; ERR_UNSUPPORTED where the server has none */
  stream(name: string): Stream<string | Uint8Array, Uint8Array, P>;
  /** A stream whose values a codec reads and writes. */
  stream<In, Out>(name: string, options: { readonly codec: Codec<In, Out> }): Stream<In, Out, P>;
  /**
   * Sends a request to whoever responds at `address`, and resolves with the answer. While the connection is being made again it waits for that, as long as it may take.
   * @throws {MessagingError} ERR_TIMEOUT, ERR_ABORTED, ERR_CLIENT_CLOSED; ERR_CONNECTION_LOST over AMQP when the connection breaks after it was sent: it may have been answered;
   *   ERR_UNROUTABLE over AMQP 0-9-1 when nobody responds there; ERR_UNSUPPORTED over MQTT 3.1.1
   */
  request(
    address: string,
    payload: string | Uint8Array,
    options?: ClientRequestOptions,
  ): Promise<Message<Uint8Array, P>>;
  /**
   * Answers requests: what `responder` returns is the answer. Responders of one address share its requests. Resolves when the server has confirmed it.
   * @throws {MessagingError} ERR_UNSUPPORTED over MQTT 3.1.1, and what `subscribe` throws
   */
  respond(
    address: string,
    responder: (request: Message<Uint8Array, P>) => ClientAnswer,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Responding>;
  /** Calls `listener` at each event of a type; returns a function that stops it. A listener that throws harms nobody. */
  on<K extends ClientEvent["type"]>(type: K, listener: (event: EventOf<ClientEvent, K>) => unknown): () => void;
  /** As `on`, once. */
  once<K extends ClientEvent["type"]>(type: K, listener: (event: EventOf<ClientEvent, K>) => unknown): () => void;
  /** All events from now on; up to 1,024 wait for a slow reader, then the oldest are dropped. */
  events(): EventStream<ClientEvent>;
  /**
   * Waits for publishes, handlers and responders under way, at most `timeoutMs` (default 5,000), then ends for good; a server that says nothing has one more second to answer the
   * goodbye.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT
   */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Ends at once; what is under way fails. */
  destroy(): void;
}

/** Options of `Client.queue`. */
export interface QueueHandleOptions<In, Out> {
  /** Default: payloads as they are. */
  readonly codec?: Codec<In, Out>;
  /**
   * Groups that get every message from the first publish on. On polymq's broker, which keeps messages for groups that come later, this holds anyway; on RabbitMQ over AMQP
   * 0-9-1, on Artemis and on ActiveMQ the groups are made. Elsewhere nobody can promise it: `ERR_UNSUPPORTED`.
   */
  readonly groups?: readonly string[];
}

/** Requests that are being answered. */
export interface Responding extends AsyncDisposable {
  /** Answers no more; resolves when the server has confirmed it. */
  stop(): Promise<void>;
}
