import type { ConnectOptions as Amqp10Options } from "../amqp10/client/options.ts";
import type { AmqpClientOptions } from "../amqp091/client/options.ts";
import type { MessagingError } from "../base/errors.ts";
import type { MqttClientOptions } from "../mqtt/client/options.ts";
import type { DialHook, TlsOptions, WebSocketDialOptions } from "../transport/platform.ts";
import type { Codec } from "./codec.ts";
import type { Message } from "./message.ts";
import type { Dialect, Nothing, Protocol, ProtocolChoice, WhenCan } from "./protocol.ts";

/** Who we are to the server. */
export interface ClientCredentials {
  readonly username?: string;
  readonly password?: string;
}

/** How a lost connection comes back; the same on every protocol. */
export interface ClientReconnectOptions {
  /** Delay before the second attempt; the first is made at once. Default 1,000 ms. */
  readonly initialDelayMs?: number;
  /** Ceiling of the doubling. Default 120,000 ms. */
  readonly maxDelayMs?: number;
  /** `full` draws each delay uniformly from 0 to its ceiling; `none` uses the ceiling itself. Default `full`. */
  readonly jitter?: "full" | "none";
  /** Rounds over all servers after which the client gives up with `ERR_RECONNECT_EXHAUSTED`. Default: no limit. */
  readonly maxAttempts?: number;
  /** Asked before each attempt; false gives up. Default: false only for errors whose `retry` is `never`. */
  readonly shouldReconnect?: (error: MessagingError, attempt: number) => boolean;
  /** True puts `connect` itself under the same rules. Default false: it makes one round over the servers. */
  readonly retryFirstConnect?: boolean;
}

/** Options of `connect`: those that all protocols have, and the protocol clients' own under the protocol's name. */
export interface ClientOptions {
  /** Default: what the scheme of the address stands for. */
  readonly protocol?: ProtocolChoice;
  /** MQTT: the client id; AMQP 0-9-1: the connection's name; AMQP 1.0: the container id. Default: a random one. */
  readonly clientId?: string;
  /** Default: those of the address. */
  readonly username?: string;
  readonly password?: string;
  /** Asked anew at every connection attempt over MQTT and AMQP 0-9-1; over AMQP 1.0 use `amqp10: { sasl }`, for this is `ERR_UNSUPPORTED` there. */
  readonly credentials?: () => ClientCredentials | Promise<ClientCredentials>;
  /** For the schemes that end in `s`. */
  readonly tls?: TlsOptions;
  readonly webSocket?: Partial<WebSocketDialOptions>;
  /** Per server, handshake included. Default: the protocol client's. */
  readonly connectTimeoutMs?: number;
  /** Default true. */
  readonly reconnect?: boolean | ClientReconnectOptions;
  /** Whose ways of queues and streams the server has; `ERR_INVALID_OPTIONS` for one that the protocol has not. Default: by what it says of itself. */
  readonly dialect?: Dialect;
  /** Connects in place of the platform: for tunnels, proxies and tests. */
  readonly dial?: DialHook;
  /** Ends the attempt to connect; has no effect afterwards. */
  readonly signal?: AbortSignal;
  /** Further options of the client beneath, when it speaks MQTT; `protocolVersion` is `"auto"` by default here. */
  readonly mqtt?: Partial<MqttClientOptions>;
  /** Further options of the client beneath, when it speaks AMQP 0-9-1. */
  readonly amqp091?: Partial<AmqpClientOptions>;
  /** Further options of the client beneath, when it speaks AMQP 1.0. */
  readonly amqp10?: Amqp10Options;
}

/** What a publish says on every protocol. */
export interface CommonPublishOptions {
  /**
   * By bare name, or with the protocol's prefix: `mqtt.user.<name>`, `amqp.headers.<name>`. Bare names go along on every protocol; those of another protocol are left out.
   * `mqtt.qos`, `mqtt.retain`, `amqp.exchange`, `amqp.routing_key` and `amqp.mandatory` count where the option is not given; of a queue's message `mqtt.qos` alone. Over AMQP 1.0
   * those of `amqp.` are `ERR_UNSUPPORTED`.
   */
  readonly properties?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** Lifetime of the message; MQTT counts it in whole seconds, rounded up. */
  readonly expiresAfterMs?: number;
  /** Gives up waiting with `ERR_ABORTED`; a message that was sent already may still arrive. */
  readonly signal?: AbortSignal;
}

/** How sure a topic's message arrives. */
export interface QosOption {
  /** 0: at most once, resolves when it has left; 1: at least once, resolves when the server has it. AMQP confirms in both cases. Default 0. */
  readonly qos?: 0 | 1;
}

/** How sure, with MQTT's QoS 2. */
export interface ExactlyOnceOption {
  /** 0: at most once, resolves when it has left; 1: at least once; 2: exactly once, as far as the server is concerned. Default 0. */
  readonly qos?: 0 | 1 | 2;
}

/** Kept messages of MQTT. */
export interface RetainOption {
  /** True: the server keeps it for later subscribers, instead of the topic's last one. Default false. */
  readonly retain?: boolean;
}

/** Which messages of a topic MQTT sends (MQTT 5.0 §3.8.3.1); without MQTT 5.0 a subscribe with one of them rejects with `ERR_UNSUPPORTED`. */
export interface TopicFilterOptions {
  /** True: not those that this client publishes itself. Default false. */
  readonly noLocal?: boolean;
  /** True: `mqtt.retain` says of each message how it was published. Default false: only of those that were kept from earlier. */
  readonly retainAsPublished?: boolean;
  /** Messages that the server has kept: 0 they are sent at once, 1 only when the subscription is new, 2 they are not sent. Default 0. */
  readonly retainHandling?: 0 | 1 | 2;
}

/** Where AMQP 0-9-1 sends a message. */
export interface ExchangeOptions {
  /** Publishes to this exchange, with `routingKey` or the topic as it stands. Default: what stands for topics on the server. */
  readonly exchange?: string;
  readonly routingKey?: string;
  /** A message that goes to no queue rejects with `ERR_UNROUTABLE`. Default false. */
  readonly mandatory?: boolean;
}

/** Options of `Client.publish`. */
export type ClientPublishOptions<P extends Protocol = Protocol> = CommonPublishOptions &
  WhenCan<P, "exactlyOnce", ExactlyOnceOption, QosOption> &
  WhenCan<P, "retain", RetainOption, Nothing> &
  WhenCan<P, "exchange", ExchangeOptions, Nothing>;

/** Options of `Queue.publish` and `Stream.publish`. */
export interface QueuePublishOptions extends CommonPublishOptions {
  /** Levels after the queue's name, for groups with a filter. Default none. */
  readonly routingKey?: string;
  /** 0 to 255, higher first, on a queue with priorities. Default: the queue's. */
  readonly priority?: number;
  /** The queue gets the message this many ms later (polymq's broker; else `ERR_UNSUPPORTED`). Default 0. */
  readonly deliverAfterMs?: number;
}

/**
 * What becomes of a message that its codec refuses: `reject` rejects it with the issues as the reason and goes on; `throw` fails the handler, or the loop; a function decides by
 * itself, and settles. One that it does not settle is acknowledged when its promise resolves, as with a handler; with `ack: "manual"` it stays unsettled, and comes again when its
 * consumer leaves, or after the server's visibility timeout. The event `invalidMessage` tells of it in any case.
 */
export type WhenInvalid = "reject" | "throw" | ((message: Message<unknown>, error: MessagingError) => unknown);

/** How messages are consumed, whatever they come from. */
export interface ConsumeOptions<M> {
  /** Gets each message. Without one the subscription is read with `for await`. */
  readonly handler?: (message: M) => unknown;
  /** Handlers that may run at a time. Default 1: one after the other, in order. */
  readonly concurrency?: number;
  /** `auto`: acknowledged when the handler's promise resolves, or the next message is asked for, unless settled by hand. `manual`: by hand only. Default `auto`. */
  readonly ack?: "auto" | "manual";
  /**
   * What becomes of a message whose handler fails, with `auto`. Default `nack`. A topic's message is gone then where it stands in no queue: over AMQP 1.0 on polymq's broker and
   * FluxMQ; over MQTT it comes again after a reconnect to a session that lasts.
   */
  readonly whenHandlerFails?: "nack" | "reject";
  /** Default `reject`. */
  readonly onInvalid?: WhenInvalid;
  /** Gives up waiting for the server's answer. */
  readonly signal?: AbortSignal;
}

/** Options of `Client.subscribe`. */
export type ClientSubscribeOptions<T, P extends Protocol = Protocol> = ConsumeOptions<Message<T, P>> &
  WhenCan<P, "exactlyOnce", ExactlyOnceOption, QosOption> &
  WhenCan<P, "retain", TopicFilterOptions, Nothing> & {
    /** Default: payloads as they are. */
    readonly codec?: Codec<never, T>;
  };

/** Options of `Queue.consume`. */
export interface QueueConsumeOptions<T, P extends Protocol = Protocol> extends ConsumeOptions<Message<T, P>> {
  /** Members of a group share its messages, each group gets all of them. Default: the queue's own group. */
  readonly group?: string;
  /** Only messages whose routing key matches; `+` and `#` as in topics. A filter makes a group of its own. Default: all. */
  readonly filter?: string;
  /** Most messages held unsettled, 1 to 65,535. Default 100. */
  readonly prefetch?: number;
}

/** Where reading a stream begins; `resume`: where the group stands. */
export type StreamFrom =
  | "first"
  | "last"
  | "next"
  | "resume"
  | { readonly offset: number }
  /** Ms since 1970. */
  | { readonly timestamp: number };

/** Options of `Stream.read`. */
export type StreamReadOptions<M, P extends Protocol = Protocol> = ConsumeOptions<M> & {
  /** Default `resume`. */
  readonly from?: StreamFrom;
  /** Members of a group share a stream and its place. Default: a reader of its own. */
  readonly group?: string;
  /** Only messages whose routing key matches. Default: all. */
  readonly filter?: string;
  /** Most messages held unsettled, 1 to 65,535. Default 100. */
  readonly prefetch?: number;
} & WhenCan<P, "commit", CommitOption, Nothing>;

/** Who moves a group's place. */
export interface CommitOption {
  /** `auto`: it moves with what is read; `manual`: by `Stream.commit` and `message.commit()` only. Default `auto`. */
  readonly commit?: "auto" | "manual";
}

/** Options of `Client.request`. */
export interface ClientRequestOptions {
  /** As of a publish: by bare name, or with the protocol's prefix. Of the keys that say how to publish `mqtt.qos` alone counts. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Longest wait for the answer. Default 10,000 ms. */
  readonly timeoutMs?: number;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** An answer that says more than its payload. */
export interface ClientAnswerMessage {
  readonly payload: string | Uint8Array;
  /** As of a publish: by bare name, or with the protocol's prefix. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly contentType?: string;
}

/** What a responder answers with. */
export type ClientAnswer = Answered | Promise<Answered>;

type Answered = string | Uint8Array | ClientAnswerMessage;
