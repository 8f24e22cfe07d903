import { MessagingError } from "../../base/errors.ts";
import { checkedOptions, type OptionRule } from "../../base/option-rules.ts";
import { reconnectOptions } from "../../supervisor/reconnect-options.ts";
import type { DialHook, TlsOptions, WebSocketDialOptions } from "../../transport/platform.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { AmqpDialect } from "./dialect.ts";

/** Who the client is. */
export interface AmqpCredentials {
  readonly username?: string;
  readonly password?: string;
}

/** How the client comes back after a lost connection. */
export interface AmqpReconnectOptions {
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
  /** True puts the first `connect()` under the same rules. Default false: it makes one round over the servers. */
  readonly retryFirstConnect?: boolean;
}

/** Options of {@link AmqpClient}. Durations carry their unit in the name. */
export interface AmqpClientOptions {
  /**
   * Server addresses, tried in order from the last one that worked: `amqp://user:password@host[:5672]/vhost?heartbeat=30&frame_max=131072`,
   * `amqps://host[:5671]`, `ws://host/path`, `wss://host/path`, or a bare `host[:port]`. What an address says wins over the options. None: `ERR_NO_SERVERS`.
   */
  readonly servers: string | readonly string[];
  /** Default `guest`; credentials in an address are used unless this or `credentials` is given. */
  readonly username?: string;
  readonly password?: string;
  /** Asked anew at every connection attempt; wins over all else. */
  readonly credentials?: () => AmqpCredentials | Promise<AmqpCredentials>;
  /** SASL mechanism. Default `auto`: PLAIN, else AMQPLAIN. EXTERNAL takes the user from the TLS certificate. */
  readonly mechanism?: "auto" | "PLAIN" | "AMQPLAIN" | "EXTERNAL";
  /** Virtual host. Default `/`. */
  readonly vhost?: string;
  /** Certificates and names for `amqps:` and `wss:` (Node only; a browser uses its own). */
  readonly tls?: TlsOptions;
  /** Headers, agent, subprotocols and URL hook for `ws:` and `wss:`. Default subprotocol `amqp`. */
  readonly webSocket?: Partial<WebSocketDialOptions>;
  /** Shown in RabbitMQ's management (`connection_name`). */
  readonly connectionName?: string;
  /** Further client properties, told to the server. */
  readonly clientProperties?: FieldTable;
  /** Heartbeats wanted, 0 to 65,535; 0 for none. Default 60. The server may want a shorter interval. */
  readonly heartbeatSeconds?: number;
  /** Bytes of the largest frame, from 4,096. Default 131,072. The server may want less. */
  readonly frameMax?: number;
  /** Highest channel number, 1 to 65,535. Default 2,047. */
  readonly channelMax?: number;
  /** Messages that each consumer may have unsettled unless it says otherwise, 0 to 65,535; 0 for no limit. Default 256. */
  readonly prefetch?: number;
  /**
   * How queues, streams and topics are addressed: as polymq's broker, FluxMQ or RabbitMQ has them. Default `auto`: by the `product` that the server names; one that
   * is neither polymq nor FluxMQ is taken for RabbitMQ. It concerns the methods of the client, not those of channels.
   */
  readonly dialect?: "auto" | AmqpDialect;
  /** Per server: TCP, TLS, WebSocket and the AMQP handshake. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for each answer while exchanges, queues, bindings, channels and consumers are restored; then another connection is made. Default 30,000. */
  readonly recoveryTimeoutMs?: number;
  /** Longest wait for the answer to `connection.close`. Default 5,000. */
  readonly closeTimeoutMs?: number;
  /** Largest body taken, in bytes; a larger one closes its channel with 311. Default 134,217,728. */
  readonly bodyBytesMax?: number;
  /** Unsent bytes from which on publishes wait. Default 1,048,576. */
  readonly highWaterBytes?: number;
  /** Publishes per channel that await their confirm; the next ones wait. Default 1,000. */
  readonly maxUnconfirmed?: number;
  /** Publishes per channel that may wait for room or for the connection; beyond it `ERR_OUTBOUND_BACKPRESSURE`. Default 100,000. */
  readonly maxWaitingMessages?: number;
  /** Their bytes. Default 67,108,864. */
  readonly maxWaitingBytes?: number;
  /**
   * What becomes of publishes without a confirm when the connection is lost: `republish` sends them again once it is back, under the message-id that they
   * had (one is made where none is given), so that a consumer can tell a repetition; `reject` fails them with `ERR_CONNECTION_LOST`. Default `republish`.
   */
  readonly whenConnectionLost?: "republish" | "reject";
  /** False: a lost connection is not made again. Default true, with backoff from 1 s to 2 min and full jitter. */
  readonly reconnect?: boolean | AmqpReconnectOptions;
  /** Makes the connection in place of the platform. */
  readonly dial?: DialHook;
}

/** Options after the door: complete and checked. */
export interface Settings {
  readonly servers: readonly string[];
  readonly username: string | null;
  readonly password: string | null;
  readonly credentials: (() => AmqpCredentials | Promise<AmqpCredentials>) | null;
  readonly mechanism: "auto" | "PLAIN" | "AMQPLAIN" | "EXTERNAL";
  readonly vhost: string;
  readonly tls: TlsOptions | null;
  readonly webSocket: Partial<WebSocketDialOptions> | null;
  readonly clientProperties: FieldTable;
  readonly heartbeatSeconds: number;
  readonly frameMax: number;
  readonly channelMax: number;
  readonly prefetch: number;
  readonly dialect: "auto" | AmqpDialect;
  readonly connectTimeoutMs: number;
  readonly recoveryTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly bodyBytesMax: number;
  readonly highWaterBytes: number;
  readonly maxUnconfirmed: number;
  readonly maxWaitingMessages: number;
  readonly maxWaitingBytes: number;
  readonly whenConnectionLost: "republish" | "reject";
  readonly reconnect: AmqpReconnectOptions | null;
  readonly dial: DialHook | null;
}

const U32_MAX = 4_294_967_295;
const TIMER_MAX_MS = 2_147_483_647;
const CODE = "ERR_INVALID_OPTIONS";

const OPTIONS = {
  username: "string",
  vhost: "string",
  credentials: "function",
  tls: "object",
  webSocket: "object",
  dial: "function",
  heartbeatSeconds: [0, 65_535, 60],
  frameMax: [4_096, U32_MAX, 131_072],
  channelMax: [1, 65_535, 2_047],
  prefetch: [0, 65_535, 256],
  connectTimeoutMs: [1, TIMER_MAX_MS, 10_000],
  recoveryTimeoutMs: [1, TIMER_MAX_MS, 30_000],
  closeTimeoutMs: [1, TIMER_MAX_MS, 5_000],
  bodyBytesMax: [1, U32_MAX, 134_217_728],
  highWaterBytes: [1, U32_MAX, 1_048_576],
  maxUnconfirmed: [1, U32_MAX, 1_000],
  maxWaitingMessages: [0, U32_MAX, 100_000],
  maxWaitingBytes: [0, Number.MAX_SAFE_INTEGER, 67_108_864],
  mechanism: ["auto", "PLAIN", "AMQPLAIN", "EXTERNAL"],
  dialect: ["auto", "polymq", "fluxmq", "rabbitmq"],
  whenConnectionLost: ["republish", "reject"],
} as const satisfies Readonly<Record<string, OptionRule>>;

/** Checks options once, at the door, and fills in defaults. @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS */
export function settingsOf(options: AmqpClientOptions): Settings {
  if (typeof options !== "object" || options === null) throw invalid("options must be an object");
  const { vhost, ...checked } = checkedOptions({ code: CODE, options }, OPTIONS);
  const { password = null } = options;
  // Not by the table, whose errors tell the value.
  if (password !== null && typeof password !== "string") throw invalid("password must be a string");
  return Object.freeze({
    ...checked,
    password,
    servers: servers(options),
    vhost: vhost ?? "/",
    clientProperties: {
      product: "polymq",
      platform: "JavaScript",
      ...options.clientProperties,
      ...(options.connectionName === undefined ? {} : { connection_name: options.connectionName }),
    },
    reconnect: reconnectOptions<AmqpReconnectOptions>(options.reconnect ?? true),
  });
}

function servers(options: AmqpClientOptions): readonly string[] {
  const list = typeof options.servers === "string" ? [options.servers] : options.servers;
  if (!Array.isArray(list) || list.length === 0) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
  for (const each of list)
    if (typeof each !== "string" || each === "") throw invalid("a server address must be a string");
  return [...list];
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
