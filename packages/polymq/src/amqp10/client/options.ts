import type { MessagingError } from "../../base/errors.ts";
import type { DialHook, TlsOptions, WebSocketDialOptions } from "../../transport/platform.ts";
import type { CompositeInput } from "../codec/tables.ts";
import type { AmqpMap, MapInput } from "../codec/values.ts";
import type { LinkFilter } from "./filters.ts";
import type { Outcome } from "./outcomes.ts";
import type { SaslMechanism } from "./sasl.ts";

/** Who we are to the server. */
export type SaslOptions =
  /** No SASL layer at all. */
  | "none"
  /** SCRAM where the server has it, else PLAIN. */
  | { readonly username: string; readonly password: string }
  /** One mechanism, or several, best first. */
  | SaslMechanism
  | readonly SaslMechanism[];

/** How a connection comes back after it was lost. */
export interface ReconnectOptions {
  /** Delay before the second attempt; the first is made at once. Default 1,000 ms. */
  readonly initialDelayMs?: number;
  /** Ceiling of the doubling. Default 120,000 ms. */
  readonly maxDelayMs?: number;
  /** `full` draws each delay uniformly from 0 to its ceiling; `none` uses the ceiling itself. Default `full`. */
  readonly jitter?: "full" | "none";
  /** Rounds over all servers after which the connection ends with `ERR_RECONNECT_EXHAUSTED`. Default: no limit. */
  readonly maxAttempts?: number;
  /** Asked before each attempt; false gives up. Default: false only for errors whose `retry` is `never`. */
  readonly shouldReconnect?: (error: MessagingError, attempt: number) => boolean;
  /** True puts `connect` itself under the same rules. Default false: it makes one round over the servers. */
  readonly retryFirstConnect?: boolean;
}

/** Settings of a connection. */
export interface ConnectOptions {
  /** Default: random. */
  readonly containerId?: string;
  /** Told to the server in open and SASL; RabbitMQ takes `vhost:NAME`. Default: the host that is dialled. */
  readonly hostname?: string;
  /** The connection ends when the server says nothing for so long; half of it is told to the server (§2.4.5). 0 for never. Default 60,000. */
  readonly idleTimeoutMs?: number;
  /** Largest frame taken, 512 to 2^32 - 1 bytes. Default 65,536. */
  readonly maxFrameSize?: number;
  /** Sessions at one time, 1 to 65,536. Default 256. */
  readonly maxSessions?: number;
  /** Told to the server. */
  readonly properties?: MapInput;
  readonly desiredCapabilities?: readonly string[];
  readonly offeredCapabilities?: readonly string[];
  /** Default: the user name and password of the URL; without them no SASL layer. */
  readonly sasl?: SaslOptions;
  /** Lets mechanisms that show the secret to whoever listens be used without TLS to another machine. Default false. */
  readonly allowSecretsInClear?: boolean;
  /** For `amqps` and `wss` (in a browser that is its own affair). */
  readonly tls?: TlsOptions;
  /** Headers, agent, subprotocols and URL hook for `ws` and `wss`. Default subprotocol `amqp`; older Azure services want `AMQPWSB10`. */
  readonly webSocket?: Partial<WebSocketDialOptions>;
  /** Time for TCP, TLS, SASL and open together; 0 for no limit. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** The connection ends when the server takes no bytes for so long; 0 for never. Default 30,000. */
  readonly writeTimeoutMs?: number;
  /** False: a lost connection ends, with all that was on it. Default true, with backoff from 1 s to 2 min and full jitter. */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Connects in place of the platform: a proxy, a local socket, a stream that there is already. */
  readonly dial?: DialHook;
  /** Ends the attempt; has no effect once connected. */
  readonly signal?: AbortSignal;
}

/** Settings of a session. */
export interface SessionOptions {
  /** Links at one time, of both sides' making each, 1 to 2^32. Default 4,096. */
  readonly maxLinks?: number;
  /** Transfers that may come before we answer, 1 to 2^31 - 1. Default 2,048. */
  readonly incomingWindow?: number;
  /** Told to the server, 1 to 2^31 - 1. Default 2^31 - 1. */
  readonly outgoingWindow?: number;
  readonly properties?: MapInput;
  readonly desiredCapabilities?: readonly string[];
  readonly offeredCapabilities?: readonly string[];
  readonly signal?: AbortSignal;
}

/** What a terminus keeps when its link is gone (§3.5.5). */
export type Durability = "none" | "configuration" | "unsettledState";

/** When a terminus without a link begins to expire (§3.5.6). */
export type ExpiryPolicy = "link-detach" | "session-end" | "connection-close" | "never";

/** One end of a link: a target, or a source (§3.5). */
export interface TerminusOptions {
  readonly address?: string | null;
  /** Default `none`. */
  readonly durability?: Durability;
  /** Default `session-end`. */
  readonly expiryPolicy?: ExpiryPolicy;
  /** Default 0. */
  readonly expiryTimeoutSeconds?: number;
  /** Asks the server for a node of its choosing, which the link's `address` then names. Default false. */
  readonly dynamic?: boolean;
  readonly dynamicNodeProperties?: MapInput;
  readonly capabilities?: readonly string[];
}

/** A source (§3.5.3). */
export interface SourceOptions extends TerminusOptions {
  /** `move` takes messages from the node, `copy` leaves them there. */
  readonly distributionMode?: "move" | "copy";
  readonly filters?: readonly LinkFilter[];
  /** Outcomes that the receiver may use, as their symbols. */
  readonly outcomes?: readonly string[];
  /** What becomes of messages that are settled without an outcome. */
  readonly defaultOutcome?: Outcome;
}

/** What senders and receivers have in common. */
export interface LinkOptions {
  /** Unique per direction and container. Default: random. */
  readonly name?: string;
  readonly properties?: MapInput;
  readonly desiredCapabilities?: readonly string[];
  readonly offeredCapabilities?: readonly string[];
  /** Told of properties that the server sends with a flow (§2.7.4). */
  readonly onFlowProperties?: (properties: AmqpMap) => void;
  readonly signal?: AbortSignal;
}

/** Settings of a sender. */
export interface SenderOptions extends LinkOptions {
  /** Whether messages are sent unsettled, settled, or as each call says. Default `mixed`. */
  readonly settlementMode?: "unsettled" | "settled" | "mixed";
  /** Asks the server to settle first, or only after us; an answer that differs is `ERR_NOT_SUPPORTED_BY_SERVER`. Default: as the server likes. */
  readonly receiverSettlementMode?: "first" | "second";
  readonly target?: TerminusOptions;
  readonly source?: SourceOptions;
  /**
   * What becomes of unsettled messages that have left when the connection is lost, and nobody knows whether the server has them: `resend` sends
   * them again once it is back, under their tags and before all that waits, so that each arrives at least once; `fail` rejects them with the
   * connection's error, so that each arrives at most once. What has not left waits in both cases. Default `resend`.
   */
  readonly whenConnectionLost?: "resend" | "fail";
  /** Messages that may wait for credit or for the connection. Default 10,000. */
  readonly waitingMessagesMax?: number;
  /** Bytes that may wait for credit or for the connection. Default 67,108,864. */
  readonly waitingBytesMax?: number;
  /** Told of what the server says about a message before its outcome (§3.4.1), with the message's tag. */
  readonly onDeliveryState?: (deliveryTag: Uint8Array, state: Outcome) => void;
}

/** Settings of a receiver. */
export interface ReceiverOptions extends LinkOptions {
  /** Messages that may be on their way or waiting here; more are asked for when half of it is taken. `manual`: see `issueCredit`. Default 256. */
  readonly credit?: number | "manual";
  /** Whether we settle first, or only after the server (§2.6.12). Default `first`. */
  readonly settlementMode?: "first" | "second";
  /** Asks the server to send unsettled or settled; an answer that differs is `ERR_NOT_SUPPORTED_BY_SERVER`. Default: as the server likes. */
  readonly senderSettlementMode?: "unsettled" | "settled" | "mixed";
  /** Largest message taken, in bytes. Default 134,217,728. */
  readonly maxMessageSize?: number;
  /** null: the one that the server keeps under the link's name, such as a durable subscription to be ended whose address nobody knows (§2.6.3). */
  readonly source?: SourceOptions | null;
  readonly target?: TerminusOptions;
  /** Told of what the server says about a message that we have not settled, with its tag; `settled`: it is not ours any more. */
  readonly onDeliveryState?: (deliveryTag: Uint8Array, state: Outcome | null, settled: "settled" | "unsettled") => void;
  /** Whether a filter that the server does not confirm is an error, or listed in `ignoredFilters`. Default `list`. */
  readonly whenFilterIgnored?: "fail" | "list";
}

/** The terminus fields of an attach. */
export type TerminusInput = Omit<CompositeInput<"target">, "type">;
