import type { TlsMaterial } from "polymq/transport";
import type { AuthHooks } from "./auth/auth-hooks.ts";
import type { AutoCreate } from "./core/queues/queue-directory.ts";
import type { QueueDefinition } from "./core/queues/queue-settings.ts";
import type { Durability } from "./storage/store.ts";

/** Protocols by the names that options use. */
export type ProtocolName = "mqtt" | "amqp091" | "amqp10" | "http";

/** TLS of a listener: `cert` and `key`, or `pfx`, are required. */
export interface BrokerTlsOptions {
  /** Certificate chain in PEM, the server's own first. */
  readonly cert?: TlsMaterial;
  /** Private key in PEM. */
  readonly key?: TlsMaterial;
  /** Certificate and key as one PKCS#12 document. */
  readonly pfx?: string | Uint8Array;
  /** Decrypts `key` or `pfx`. */
  readonly passphrase?: string;
  /** Authorities that sign client certificates. */
  readonly ca?: TlsMaterial;
  /**
   * `require` lets only clients in whose certificate `ca` signed, `ask` takes the others as unknown. Hooks see the certificate's
   * common name. Default `none`.
   */
  readonly clientCertificate?: "none" | "ask" | "require";
  /** `allow` also serves connections without TLS on the same port. Default `refuse`. */
  readonly plaintext?: "refuse" | "allow";
  /** Default: the runtime's, which is TLS 1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL cipher list. Default: the runtime's. */
  readonly ciphers?: string;
}

/** WebSocket of a listener. */
export interface WebSocketListenOptions {
  /** Default `["/mqtt", "/amqp"]`. The subprotocol, not the path, tells what is spoken: `mqtt` or `amqp`; without one it is AMQP 0-9-1. */
  readonly paths?: readonly string[];
  /** Pages that browsers may connect from, such as `https://app.example.com`. Default: any. Programs that are no browsers are not concerned. */
  readonly origins?: readonly string[];
  /** Largest WebSocket message taken; it may hold several packets. Default: `mqtt.maximumPacketSize` and 65,536 more. */
  readonly messageBytesMax?: number;
}

/** One port to listen on. It serves every protocol, told by the first bytes of each connection. */
export interface ListenerOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: no TLS. */
  readonly tls?: BrokerTlsOptions;
  /** `http` is what {@link HttpOptions} speaks of; WebSocket does not need it. Default: all. */
  readonly protocols?: readonly ProtocolName[];
  /** Default true. */
  readonly webSocket?: boolean | WebSocketListenOptions;
}

/** HTTP beside WebSocket: publishing, health, metrics, and the administration of queues and clients (docs/guides/http.md). */
export interface HttpOptions {
  /** What callers show as `Authorization: Bearer <token>`: 16 characters or more. Default: one is made at every start, see `Broker.httpToken`. */
  readonly token?: string;
  /** `open` asks nobody for the token. Default `token`; `/health` and `/ready` are open in any case. */
  readonly access?: "token" | "open";
  /** `allow` answers callers on other machines, too. Default `refuse`. */
  readonly remote?: "refuse" | "allow";
  /** Bytes that the body of a request may have. Default 4 MiB. */
  readonly bodyBytesMax?: number;
}

/** Limits on connections whose client is not known yet. */
export interface ConnectionOptions {
  /** Connections in all. Default 10,000. */
  readonly countMax?: number;
  /** Connections from one address. Default: as many as in all. */
  readonly perAddressMax?: number;
  /** Connections that the kernel queues per port. Default 511. */
  readonly backlog?: number;
  /** Time to send the first bytes, and again to finish an HTTP request. Default 10,000. */
  readonly sniffTimeoutMs?: number;
  /** Default 10,000. */
  readonly tlsHandshakeTimeoutMs?: number;
}

/**
 * What somebody may do. In filters `%u` stands for the user name and `%c` for the client id, where these hold no `/`, `+`, `#` or `%`.
 * As in matching, `#` does not cover topics that begin with `$`.
 */
export interface PermissionOptions {
  /** Topics that may be published to, as filters. Default: all. */
  readonly publish?: readonly string[];
  /** Filters that may be subscribed to, and all narrower ones. Default: all. */
  readonly subscribe?: readonly string[];
}

/** A user; one of `password` and `passwordHash` is required. */
export interface UserOptions extends PermissionOptions {
  readonly username: string;
  readonly password?: string;
  /** What `hashPassword` makes of a password. */
  readonly passwordHash?: string;
}

/** The application's own access control. */
export interface AuthOptions extends AuthHooks {
  /** Time that a hook, or the check of a hashed password, has before it counts as a refusal. Default 5,000. */
  readonly timeoutMs?: number;
  /** How long the answer of `authorizePublish` is reused for the same connection and topic. Default 5,000; 0 asks for every message. */
  readonly cacheMs?: number;
  /** Answers kept per connection. Default 256. */
  readonly cachedDecisionsMax?: number;
}

/** MQTT as the broker speaks it. Names are the specification's; what clients of 5.0 are told, clients of 3.1.1 have to keep to as well. */
export interface MqttOptions {
  /** Default 2. */
  readonly maximumQoS?: 0 | 1 | 2;
  /** Default true. */
  readonly retainAvailable?: boolean;
  /** Default true. */
  readonly wildcardSubscriptionAvailable?: boolean;
  /** Default true. */
  readonly subscriptionIdentifiersAvailable?: boolean;
  /** Default true. */
  readonly sharedSubscriptionAvailable?: boolean;
  /** Messages of QoS 1 and 2 that a client may have unacknowledged, 1 to 65,535. Default 1,024. */
  readonly receiveMaximum?: number;
  /** Messages of QoS 1 and 2 to a client that may be unacknowledged; its own receive maximum lowers it. Default 1,024. */
  readonly maxInflight?: number;
  /**
   * Bytes of the messages of QoS 1 and 2 to a client that may be unacknowledged, about: further ones wait in the session, one message
   * may always be sent. Default 33,554,432.
   */
  readonly maxInflightBytes?: number;
  /** Largest packet taken, in bytes. Default 1,114,112: a payload of 1 MiB, and 64 KiB for all the rest. */
  readonly maximumPacketSize?: number;
  /** Topic aliases that a client may use. Default 32. */
  readonly topicAliasMaximum?: number;
  /** Topic aliases that the broker uses towards a client, as far as that one allows; 1,024 at most. Default 32. */
  readonly outboundTopicAliasMaximum?: number;
  /** Longest keep alive: clients of 5.0 that ask for a longer one, or for none, are given this. Default 0: as each client asks. */
  readonly serverKeepAliveSeconds?: number;
  /** Time for CONNECT to arrive and be decided about. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Levels that a topic or filter may have, 128 at most. Default 128. */
  readonly topicLevelsMax?: number;
  /** Given to clients of 5.0 that ask for response information; `%c` stands for the client id. Default `responses/%c`; "" gives none. */
  readonly responseInformation?: string;
}

/** AMQP 0-9-1 as the broker speaks it. What it proposes, clients may lower. */
export interface Amqp091Options {
  /** Highest channel number, 1 to 65,535. Default 2,047. */
  readonly channelMax?: number;
  /** Bytes of the largest frame, from 8,192. Default 131,072. */
  readonly frameMax?: number;
  /** Heartbeats that the broker proposes, 0 to 65,535; 0 for none. Default 60. */
  readonly heartbeatSeconds?: number;
  /** Largest body taken, in bytes; a larger one closes its channel with 311. Default 16,777,216. */
  readonly maximumBodyBytes?: number;
  /** Time from the first byte until the virtual host is open. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** Consumers of one connection. Default 10,000. */
  readonly consumersMax?: number;
  /** Deliveries that one channel may have unsettled, whatever its prefetch. Default 100,000. */
  readonly unsettledMax?: number;
  /** Publishes and settlements of one transaction. Default 10,000. */
  readonly transactionMax?: number;
  /** Bytes of the publishes of one transaction. Default 67,108,864. */
  readonly transactionBytesMax?: number;
}

/** AMQP 1.0 as the broker speaks it. */
export interface Amqp10Options {
  /** Largest frame taken, in bytes, 512 to 16,777,216. Default 65,536. */
  readonly maxFrameSize?: number;
  /** Sessions of one connection, up to 65,536. Default 256. */
  readonly sessionsMax?: number;
  /** Links of one session, up to 65,536. Default 4,096. */
  readonly linksPerSessionMax?: number;
  /** Links of one connection. Default 10,000. */
  readonly linksMax?: number;
  /** Silence of a client that ends its connection; clients are asked to say something in half of it. Default 60,000; 0 for never. */
  readonly idleTimeoutMs?: number;
  /** Time from the first byte until the client's open has come. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** `required` takes only clients that authenticate by SASL; without it they are anonymous, or whoever their certificate says. Default `optional`. */
  readonly sasl?: "optional" | "required";
  /** Largest message taken, in bytes of all its sections; a larger one detaches its link. Default 16,777,216. */
  readonly maximumMessageSize?: number;
  /** Messages that a link may send before the first of them is stored, up to 65,536. Default 1,000. */
  readonly linkCredit?: number;
  /** Deliveries that one link may have unsettled, whatever its credit. Default 100,000. */
  readonly unsettledMax?: number;
  /** Transactions that one connection may have open. Default 100. */
  readonly transactionsMax?: number;
  /** Messages and settlements of one transaction. Default 10,000. */
  readonly transactionMax?: number;
  /** Bytes of the messages of one transaction. Default 67,108,864. */
  readonly transactionBytesMax?: number;
  /** Time after which an open transaction is rolled back. Default 60,000. */
  readonly transactionTimeoutMs?: number;
}

/** What the broker keeps for its clients. */
export interface SessionOptions {
  /** Sessions, with and without a connection. Default 100,000. */
  readonly countMax?: number;
  /** Longest time that a session outlives its connection. Default 4,294,967,295: for ever, if the client says so. */
  readonly expirySecondsMax?: number;
  /** Default 10,000. */
  readonly subscriptionsMax?: number;
  /** Bytes of the filters of one session, about. Default 8,388,608. */
  readonly subscriptionBytesMax?: number;
  /** Messages that wait in one session, while its client is away or slow. Default 10,000. */
  readonly queuedMessagesMax?: number;
  /** The same in bytes, about. Default 33,554,432. */
  readonly queuedBytesMax?: number;
  /** What goes when either is reached. Default `dropOldest`. */
  readonly whenQueueFull?: "dropOldest" | "dropNewest";
  /**
   * Bytes of the messages of QoS 1 and 2 that all sessions hold, waiting or in flight, and of all retained messages, about; a message counts once, however many have it. From seven eighths on
   * nothing more waits or is retained, at the limit nothing more is in flight: a message that nobody could take is refused. Default: half of the memory there is,
   * of the machine, the container or the heap, whichever is least; 0: no limit.
   */
  readonly heldBytesMax?: number;
  /** Unsent bytes of a connection above which messages of QoS 0 are dropped and others stay in the session. Default 4,194,304. */
  readonly unsentBytesMax?: number;
  /**
   * Bytes of what is unsent to all connections; while there are more, `unsentBytesMax` of each that does not keep up is 65,536. Default: a quarter of the memory there is,
   * as for `heldBytesMax`; 0: no limit.
   */
  readonly unsentBytesInAllMax?: number;
}

/**
 * Limits on retained messages. One beyond them, or beyond `sessions.heldBytesMax`, is delivered but not retained; a publisher of MQTT 5.0 that awaits an acknowledgement is told
 * so instead (0x97), and nothing is delivered.
 */
export interface RetainedOptions {
  /** Default 1,000,000. */
  readonly countMax?: number;
  /** Bytes of all of them, about. Default 268,435,456. */
  readonly bytesMax?: number;
}

/** Limits on queues. */
export interface QueueLimitOptions {
  /** Queues. Default 10,000. Queues that are made for dead letters may exceed it, up to twice as many in all. */
  readonly countMax?: number;
  /** Groups of one queue. Default 1,000. */
  readonly groupsMax?: number;
  /** Groups of all queues together. Default 100,000. */
  readonly groupsInAllMax?: number;
  /** Characters of a group's filter, 16,384 at most. Default 1,024. */
  readonly filterLengthMax?: number;
  /** Consumers in one group. Default 10,000. */
  readonly consumersMax?: number;
  /** Bytes of messages that are kept in memory although the store has them. Default 67,108,864. */
  readonly cacheBytesMax?: number;
  /** Bytes of messages in queues that live in memory; beyond them publishers are refused. Default 268,435,456. */
  readonly memoryBytesMax?: number;
}

/** When publishers are told to wait, by protocols that can tell them; looked at every second. */
export interface ResourceOptions {
  /** Bytes of memory of the whole process from which on it is short. Default 0: no limit. */
  readonly memoryBytesMax?: number;
  /** Bytes that are to stay free on the disk with `dataDir`. Default 52,428,800; 0: no limit. */
  readonly diskFreeBytesMin?: number;
}

/** Options of `startBroker`. All have defaults; an unknown one is refused. */
export interface BrokerOptions {
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string;
  /** Default 1883; 0 takes any free port. */
  readonly port?: number;
  readonly tls?: BrokerTlsOptions;
  readonly protocols?: readonly ProtocolName[];
  readonly webSocket?: boolean | WebSocketListenOptions;
  /** Several ports, in place of the five options above. */
  readonly listeners?: readonly ListenerOptions[];
  readonly connections?: ConnectionOptions;
  /** Who may come in by user name and password. Default: everybody. */
  readonly users?: readonly UserOptions[];
  /** Clients that name no user. Default `allow`, with `users` `refuse`. */
  readonly anonymous?: "allow" | "refuse" | PermissionOptions;
  readonly auth?: AuthOptions;
  /** HTTP on the ports above. False serves none but WebSocket. Default: to callers on this machine who show the token. */
  readonly http?: false | HttpOptions;
  /** Directory for sessions, their messages and retained messages; made when it is not there. Default: all in memory. */
  readonly dataDir?: string;
  /**
   * What an acknowledgement promises: `fsync` that the message survives a loss of power, `buffered` the end of the process, `memory`
   * neither. Default `fsync` with `dataDir`, else `memory`.
   */
  readonly durability?: Durability;
  readonly mqtt?: MqttOptions;
  readonly amqp091?: Amqp091Options;
  readonly amqp10?: Amqp10Options;
  /** Virtual hosts that clients of AMQP 0-9-1 may open besides `/`, whose queues are those of all protocols. Default: none. */
  readonly virtualHosts?: readonly string[];
  readonly sessions?: SessionOptions;
  readonly retained?: RetainedOptions;
  /** Queues that are to be there; those that exist are changed accordingly. Default: none. */
  readonly queues?: readonly QueueDefinition[];
  /** What happens when somebody publishes to, or consumes from, a queue that does not exist. Default: `durable` with `dataDir`, else `ephemeral`. */
  readonly autoCreateQueues?: AutoCreate;
  readonly queueLimits?: QueueLimitOptions;
  readonly resources?: ResourceOptions;
  /** How often statistics are published below `$SYS`. Default 10; 0 turns them off. */
  readonly sysIntervalSeconds?: number;
  /** Time that `close()` gives clients to take what is on its way to them. Default 5,000. */
  readonly drainTimeoutMs?: number;
}
