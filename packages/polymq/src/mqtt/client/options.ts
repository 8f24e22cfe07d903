import type { ErrorCode, MessagingError } from "../../base/errors.ts";
import type { MessageStore } from "../../store/message-store.ts";
import type { DialHook, TlsOptions, WebSocketDialOptions } from "../../transport/platform.ts";
import type { QoS, UserProperties } from "../codec/packets.ts";
import type { MqttMessage } from "./message.ts";
import type { UserPropertiesInput } from "./user-properties.ts";

/** User name and password for one connection attempt. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string | Uint8Array;
}

/** WebSocket settings; see {@link WebSocketDialOptions}. */
export interface WebSocketOptions extends Partial<WebSocketDialOptions> {
  /** Subprotocols offered. Default `["mqtt"]` [MQTT-6.0.0-3]. */
  readonly protocols?: readonly string[];
}

/** The message that the server publishes when the connection ends without a DISCONNECT (MQTT 5.0 §3.1.2.5). */
export interface WillOptions {
  readonly topic: string;
  readonly payload?: string | Uint8Array;
  /** Default 0. */
  readonly qos?: QoS;
  /** Default false. */
  readonly retain?: boolean;
  /** MQTT 5.0: the server waits this long, and forgets the will when the session is resumed in time. Default 0. */
  readonly delaySeconds?: number;
  /** MQTT 5.0: lifetime of the published will. */
  readonly messageExpirySeconds?: number;
  /** MQTT 5.0: 1 says that the payload is UTF-8 text. */
  readonly payloadFormat?: 0 | 1;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: UserPropertiesInput;
}

/** How the client comes back after a lost connection. */
export interface ReconnectOptions {
  /** Delay before the second attempt; the first is made at once. Default 1,000 ms. */
  readonly initialDelayMs?: number;
  /** Ceiling of the doubling. Default 120,000 ms. */
  readonly maxDelayMs?: number;
  /** `full` draws each delay uniformly from 0 to its ceiling; `none` uses the ceiling itself. Default `full`. */
  readonly jitter?: "full" | "none";
  /** Attempts after which the client gives up with `ERR_RECONNECT_EXHAUSTED`. Default: no limit. */
  readonly maxAttempts?: number;
  /** Asked before each attempt; false gives up. Default: false only for errors whose `retry` is `never`. */
  readonly shouldReconnect?: (error: MessagingError, attempt: number) => boolean;
  /** A delay of your own in ms for this attempt, instead of the doubling. */
  readonly delay?: (attempt: number, error: MessagingError) => number;
  /** True puts the first `connect()` under the same rules. Default false: it makes one round over the servers. */
  readonly retryFirstConnect?: boolean;
}

/** Enhanced authentication (MQTT 5.0 §4.12). */
export interface AuthenticationOptions {
  /** Name of the method, such as `SCRAM-SHA-256`. */
  readonly method: string;
  /** Data for CONNECT, or a function that gives it anew at each attempt. */
  readonly data?: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
  /** Answers a challenge of the server (AUTH 0x18); the returned data go into the next AUTH. */
  readonly respond: (challenge: AuthChallenge) => Uint8Array | Promise<Uint8Array>;
  /** Checks the server's last data, from CONNACK or a successful AUTH; a throw ends the connection with `ERR_AUTH_FAILED`. */
  readonly verify?: (data: Uint8Array) => void | Promise<void>;
}

/** What the server asks for during enhanced authentication. */
export interface AuthChallenge {
  readonly reasonCode: number;
  readonly data: Uint8Array;
  readonly reasonString: string;
}

/** Limits of publishes that wait: for the connection to come back, or for room in the in-flight window. */
export interface WaitingLimits {
  /** Default 10,000. */
  readonly maxMessages?: number;
  /** Topic and payload bytes. Default 64 MiB. */
  readonly maxBytes?: number;
}

/** What happens to a publish while no connection is there but one is being made again. */
export type WhenOffline = "reject" | "block" | "dropOldest" | "dropNewest";

/** Options of {@link MqttClient}. Durations carry their unit in the name. */
export interface MqttClientOptions {
  /**
   * Server addresses, tried in order from the last one that worked: `mqtt://host[:1883]`, `mqtts://host[:8883]`,
   * `ws://host[:80]/path`, `wss://host[:443]/path`, or a bare `host[:port]`. Credentials in a URL are used
   * unless `username` or `credentials` is given. None: `ERR_NO_SERVERS`.
   */
  readonly servers: string | readonly string[];
  /** Required; "" asks the server to assign one (MQTT 5.0 §3.1.3.1). Missing: `ERR_EMPTY_CLIENT_ID`. */
  readonly clientId: string;
  /** 4 is MQTT 3.1.1, 5 is 5.0; `auto` tries 5 and falls back to 4 when the server refuses it. Default 4. */
  readonly protocolVersion?: 4 | 5 | "auto";
  readonly username?: string;
  readonly password?: string | Uint8Array;
  /** Asked anew at every connection attempt; wins over `username` and `password`. */
  readonly credentials?: () => Credentials | Promise<Credentials>;
  /** Certificates and names for `mqtts:` and `wss:` (Node only; a browser uses its own). */
  readonly tls?: TlsOptions;
  /** Headers, agent, subprotocols and URL hook for `ws:` and `wss:`. */
  readonly webSocket?: WebSocketOptions;
  /**
   * True starts with an empty session, false resumes the server's. Default true. With MQTT 5.0 and a session expiry it
   * concerns the first connect only: reconnects of this client resume.
   */
  readonly cleanStart?: boolean;
  /** MQTT 5.0: how long the server keeps the session after the connection; 0xFFFFFFFF for ever. Default 0. */
  readonly sessionExpirySeconds?: number;
  /** Default 60; 0 turns keep-alive off. The server may impose another value (MQTT 5.0). */
  readonly keepAliveSeconds?: number;
  /** MQTT 5.0: unacknowledged QoS 1 and 2 messages that the server may send at a time, 1 to 65,535. Default: not sent (65,535). */
  readonly receiveMaximum?: number;
  /** Largest packet accepted from the server in bytes; announced with MQTT 5.0, enforced with both. Default 268,435,460 (the protocol's). */
  readonly maximumPacketSize?: number;
  /** MQTT 5.0: topic aliases that the server may use towards us. Default 0. */
  readonly topicAliasMaximum?: number;
  /** MQTT 5.0: `auto` replaces repeated topics by aliases as far as the server allows, least recently used first. Default `auto`. */
  readonly outboundTopicAliases?: "auto" | "off";
  /** MQTT 5.0: asks for response information, which `request()` uses. Default false. */
  readonly requestResponseInformation?: boolean;
  /** MQTT 5.0: false asks the server to leave out reason strings. Default true. */
  readonly requestProblemInformation?: boolean;
  /** MQTT 5.0: user properties of CONNECT. */
  readonly userProperties?: UserPropertiesInput;
  readonly will?: WillOptions;
  readonly authentication?: AuthenticationOptions;
  /** Dial plus CONNACK, per server; the same again for credentials. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Longest time that written bytes may stay unsent before the connection counts as dead. Default 5,000; 0 turns it off. */
  readonly writeTimeoutMs?: number;
  /** Longest wait for an acknowledgement after its packet was sent: `ERR_TIMEOUT`. Default 10,000; 0 turns it off. */
  readonly ackTimeoutMs?: number;
  /** Longest wait for a sign of life after a PINGREQ: the connection counts as lost. Default 5,000. */
  readonly pingTimeoutMs?: number;
  /** QoS 1 and 2 publishes in flight at a time, 1 to 65,535; the server's receive maximum lowers it. Default 100. */
  readonly maxInflight?: number;
  /**
   * Times that a QoS 1 or 2 message is sent again to a server that ends the connection over it, as one of MQTT 3.1.1 must that refuses a message; then
   * its publish is rejected with `ERR_PUBLISH_REJECTED`. Lost links and time-outs do not count. Default 5.
   */
  readonly maxDeliveryRetries?: number;
  /** With the window full, a publish waits for room, or is refused with `ERR_MAX_INFLIGHT`. Default `wait`. */
  readonly whenInflightFull?: "wait" | "reject";
  /**
   * While a reconnect is under way: `reject` with `ERR_NOT_CONNECTED`, `block` until the connection is back, or keep within
   * `waiting` and drop the oldest or newest beyond it. Default: `reject` for QoS 0, `block` for QoS 1 and 2.
   */
  readonly whenOffline?: WhenOffline;
  /** Limits of publishes that wait, in all; beyond them `ERR_OFFLINE_FULL` or `ERR_MAX_INFLIGHT`. */
  readonly waiting?: WaitingLimits;
  /** Unsent bytes above which `publish` waits instead of taking more. Default 1 MiB. */
  readonly highWaterBytes?: number;
  /** Default {@link ReconnectOptions}; false never reconnects. */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Keeps QoS 1 and 2 messages in flight across a restart of the process. Default: in memory. */
  readonly store?: MessageStore;
  /** Connects in place of the platform: for tunnels, proxies and tests. */
  readonly dial?: DialHook;
  /** MQTT 5.0: on a DISCONNECT or CONNACK with Use Another Server or Server Moved, go there. Default `follow`. */
  readonly serverRedirect?: "follow" | "ignore";
  /**
   * Gets messages that match no subscription of this client, such as those of a resumed session, one at a time; each is
   * acknowledged when the returned promise resolves. Without it those of a resumed session wait for a `subscribe` that
   * matches, and others are acknowledged and dropped.
   */
  readonly onMessage?: (message: MqttMessage) => void | Promise<void>;
}

/** Options after the door: complete, checked, frozen. */
export interface Settings {
  readonly servers: readonly string[];
  readonly clientId: string;
  readonly protocolVersion: 4 | 5 | "auto";
  readonly username: string | null;
  readonly password: string | Uint8Array | null;
  readonly credentials: (() => Credentials | Promise<Credentials>) | null;
  readonly tls: TlsOptions | null;
  readonly webSocket: WebSocketOptions | null;
  readonly cleanStart: boolean;
  readonly sessionExpirySeconds: number;
  readonly keepAliveSeconds: number;
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly outboundTopicAliases: "auto" | "off";
  readonly requestResponseInformation: boolean | null;
  readonly requestProblemInformation: boolean | null;
  /** The options as they were given, for where it matters whether one was. */
  readonly given: Readonly<MqttClientOptions>;
  /** Of CONNECT; null for none. */
  readonly userProperties: UserProperties | null;
  readonly will: WillOptions | null;
  readonly authentication: AuthenticationOptions | null;
  readonly connectTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly ackTimeoutMs: number;
  readonly pingTimeoutMs: number;
  readonly maxInflight: number;
  readonly maxDeliveryRetries: number;
  readonly whenInflightFull: "wait" | "reject";
  readonly whenOffline: WhenOffline | null;
  readonly waitingMessagesMax: number;
  readonly waitingBytesMax: number;
  readonly highWaterBytes: number;
  readonly reconnect: ReconnectOptions | null;
  readonly store: MessageStore | null;
  readonly dial: DialHook | null;
  readonly serverRedirect: "follow" | "ignore";
  readonly onMessage: ((message: MqttMessage) => void | Promise<void>) | null;
}

/** Codes that a bad option can end in. */
export type OptionErrorCode = Extract<
  ErrorCode,
  | "ERR_INVALID_OPTIONS"
  | "ERR_NO_SERVERS"
  | "ERR_EMPTY_CLIENT_ID"
  | "ERR_INVALID_PROTOCOL"
  | "ERR_INVALID_QOS"
  | "ERR_INVALID_TOPIC"
  | "ERR_AUTH_NOT_V5"
  | "ERR_AUTH_METHOD_MISSING"
  | "ERR_AUTH_NO_HANDLER"
>;
