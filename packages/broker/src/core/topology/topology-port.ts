import type { MessagingError } from "polymq/internal";
import type { TransientMessage } from "../message.ts";
import type { QueueMessage } from "../queues/queue-message.ts";
import type {
  CommitMode,
  EnqueueOptions,
  GroupLifetime,
  GroupMode,
  QueueConsumer,
  QueueDelivery,
  QueueSubscription,
  SettleOutcome,
  SettleResult,
  StreamPosition,
} from "../queues/queue-port.ts";
import type { QueueOverflow } from "../queues/queue-settings.ts";

/*
 * Exchanges, bindings and queues as a session layer sees them. Nothing here waits and nothing is thrown for what a client did wrong: results are unions.
 * What a call changes is durable with the committer's open batch, so whoever answers "declared", "bound", "deleted" or confirms a message
 * does so from `hub.committer.whenDurable`. Queues are those of `hub.queues`: what is said there of groups, offsets and settling holds here.
 */

/** How an exchange chooses: by the whole key, not at all, by a pattern of `.`-separated words (`*` one, `#` any number), or by headers. */
export type ExchangeKind = "direct" | "fanout" | "topic" | "headers";

/** Names of exchanges and queues that begin so are not a client's to make. */
export const RESERVED_PREFIX = "amq.";

/** The exchange that plain topics are: its keys are topics with `.` for `/`. Only in the virtual host "/". */
export { TOPICS_EXCHANGE } from "../topic-keys.ts";

/** The group that all consumers of a queue share unless they name one. */
export const SHARED_GROUP = "";

/** UTF-8 bytes that names of exchanges and queues, and routing keys, may have. */
export const NAME_BYTES_MAX = 255;

/** To whom an exclusive queue belongs, such as a connection; told apart by identity. */
export interface QueueOwner {
  readonly id: string;
}

/** An exchange as it is declared, and as it is. */
export interface ExchangeDefinition {
  readonly name: string;
  readonly kind: ExchangeKind;
  /** Stored; else it ends with the broker. */
  readonly durable: boolean;
  /** Deleted when the last binding from it goes, after there was one. */
  readonly autoDelete: boolean;
  /** Clients cannot publish to it; other exchanges, and dead letters, can. */
  readonly internal: boolean;
  /** The exchange that gets what this one cannot route, or null. It need not exist yet. */
  readonly alternate: string | null;
}

/** A value in a message's headers or a binding's arguments, whatever a protocol calls its type. Integers above 2^53 are bigints. */
export type ArgumentValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly ArgumentValue[]
  | { readonly [name: string]: ArgumentValue };

/** `-with-x` looks also at names that begin with `x-`, the other two pass over them. */
export type HeaderMatch = "all" | "any" | "all-with-x" | "any-with-x";

/** Part of a binding's identity. Only headers exchanges choose by them. */
export interface BindingArguments {
  readonly match: HeaderMatch;
  /** Values to be equal to the message's; null asks only that the header is there. */
  readonly values: Readonly<Record<string, ArgumentValue>>;
}

/** One binding; two are the same when all fields are. */
export interface BindingDefinition {
  readonly source: string;
  readonly destination: { readonly is: "queue" | "exchange"; readonly name: string };
  /** The key, or in a topic exchange the pattern; fanout and headers exchanges do not look at it. */
  readonly key: string;
  /** Null: none. */
  readonly arguments: BindingArguments | null;
}

/** What differs between what exists and what was asked for. `null` stands for "none". */
export interface Inequivalent<Field extends string = string> {
  readonly is: "inequivalent";
  readonly field: Field;
  readonly received: string | number | boolean | null;
  readonly current: string | number | boolean | null;
}

/** A name or setting that cannot be: `field` names it, `why` is a text for people. */
export interface InvalidSetting {
  readonly is: "invalid";
  readonly field: string;
  readonly why: string;
}

/** There are as many as allowed; `what` says of what, such as "exchanges". */
export interface LimitReached {
  readonly is: "limit";
  readonly what: string;
  readonly countMax: number;
}

/** `reserved`: the default exchange, or a name with {@link RESERVED_PREFIX} that does not exist. */
export type DeclareExchangeResult =
  | { readonly is: "created" | "existing" }
  | Inequivalent<Exclude<keyof ExchangeDefinition, "name">>
  | { readonly is: "reserved" }
  | InvalidSetting
  | LimitReached;

/** `reserved`: predeclared ones stay. `in-use`: it has bindings from it and was to be deleted only without. */
export type DeleteExchangeResult = "deleted" | "not-found" | "in-use" | "reserved";

/**
 * `reserved`: nothing is bound to or from the default exchange. `no-source`, `no-destination`: there is no such exchange or queue. `locked`: the queue is
 * another owner's.
 */
export type BindResult =
  | { readonly is: "bound" | "existing" | "no-source" | "no-destination" | "locked" | "reserved" }
  | InvalidSetting
  | LimitReached;

/** As {@link BindResult}; `not-bound`: there was no such binding. */
export type UnbindResult = "unbound" | "not-bound" | "no-source" | "no-destination" | "locked" | "reserved";

/** How a queue treats its messages; compared field by field when it is declared again. */
export interface HostedQueueSettings {
  /** `classic`: worked off; `stream`: read by position, always durable and not exclusive. Default `classic`. */
  readonly kind: "classic" | "stream";
  /** What the declaring protocol calls the queue's type, "" for nothing (the default); compared, otherwise not looked at. */
  readonly variant: string;
  /** How long a message is worth delivering; 0 counts as 1. Default null: for ever. */
  readonly ttlMs: number | null;
  /** The queue is deleted, whatever it holds, when for so long nobody consumed, got from or declared it. Default null: never. */
  readonly expiresMs: number | null;
  /**
   * Classic: messages that nobody works on (with `reject`: that are not settled); with 0 no message waits, for what no consumer takes at once is above
   * the limit. Stream: messages that are kept, at least 1. Default null: no limit.
   */
  readonly maxLength: number | null;
  /** The same in bytes of bodies, of a stream in bytes of the messages as stored; with 0 only messages without a body wait. Default null: no limit. */
  readonly maxBytes: number | null;
  /**
   * At a limit the oldest message leaves as a dead letter (`maxlen`), or publishers are refused; with `reject-dead-letter` what they sent is such a dead
   * letter besides. Default `drop-head`.
   */
  readonly overflow: QueueOverflow;
  /** Where dead letters go: "" is the default exchange. Default null: to the queue `$dlq/<name>`; exclusive and auto-delete queues drop them. */
  readonly deadLetterExchange: string | null;
  /** Default null: the keys that the message had. */
  readonly deadLetterKey: string | null;
  /** Highest priority, 0 to 255. Default 0: none. */
  readonly priorityMax: number;
  /** Only the consumer of the highest priority that came first gets messages. Default false. */
  readonly singleActiveConsumer: boolean;
  /** Deliveries of one message, the first included, before it becomes a dead letter (`delivery-limit`). Default 0: no limit. */
  readonly deliveryLimit: number;
  /** Streams: how long messages are kept. Default null: no limit. */
  readonly maxAgeMs: number | null;
}

/** A queue as it is declared. */
export interface HostedQueueDefinition {
  /** Any text of 1 to {@link NAME_BYTES_MAX} bytes; "" asks for a name that is free, with {@link RESERVED_PREFIX} in front. */
  readonly name: string;
  /** Stored, and its durable messages with it; else it ends with the broker. */
  readonly durable: boolean;
  /** Only its owner can use it, and it ends with {@link VirtualHost.release}; it is never stored. */
  readonly exclusive: boolean;
  /** Deleted when its last consumer leaves, after there was one. */
  readonly autoDelete: boolean;
  /** What is said; the rest has its default. */
  readonly settings?: Partial<HostedQueueSettings>;
}

/** What a client hears of a queue. */
export interface QueueCounts {
  /** The queue's name in its virtual host. */
  readonly name: string;
  /** Messages that wait for a consumer of {@link SHARED_GROUP}: those that somebody works on are not counted. */
  readonly messages: number;
  /** Consumers in all groups. */
  readonly consumers: number;
}

/** `locked`: it is another owner's. */
export type FindQueueResult =
  | { readonly is: "found"; readonly queue: QueueCounts }
  | { readonly is: "not-found" | "locked" };

/**
 * `reserved`: a name with {@link RESERVED_PREFIX} that does not exist. A queue that nobody declared here (made by another protocol, or by the broker's
 * options) is compared only in what the declaration says: `durable`, `exclusive`, `autoDelete` and the settings that are given.
 */
export type DeclareQueueResult =
  | { readonly is: "created" | "existing"; readonly queue: QueueCounts }
  | Inequivalent<"durable" | "exclusive" | "autoDelete" | keyof HostedQueueSettings>
  | { readonly is: "locked" | "reserved" }
  | InvalidSetting
  | LimitReached;

/** `messages`: what it held and nobody worked on. */
export type DeleteQueueResult =
  | { readonly is: "deleted"; readonly messages: number }
  | { readonly is: "not-found" | "locked" | "in-use" | "not-empty" };

/** `messages`: how many are gone; those that somebody works on stay. */
export type PurgeQueueResult =
  | { readonly is: "purged"; readonly messages: number }
  | { readonly is: "not-found" | "locked" };

/** What a consumer asks for. */
export interface ConsumeRequest {
  /** Told `onCancelled` when the queue or group is deleted, whoever does it. */
  readonly consumer: QueueConsumer;
  /**
   * Default: on a classic queue {@link SHARED_GROUP}, whose consumers compete. On a stream a group of the consumer's own that ends with it, from `next` on
   * unless `from` says otherwise.
   */
  readonly group?: string;
  /** As in `QueueSubscribeRequest`: keys with `/` between levels, `+` and `#`. */
  readonly filter?: string;
  readonly mode?: GroupMode;
  readonly from?: StreamPosition;
  readonly commit?: CommitMode;
  readonly lifetime?: GroupLifetime;
  /** True: the messages of a classic queue also stay for {@link SHARED_GROUP}, whether it has consumers yet or not. Default false. */
  readonly besideShared?: boolean;
  /** `alone`: refused when the queue has another consumer, and others are refused while it is there. Default `shared`. */
  readonly access?: "shared" | "alone";
  /** `automatic`: each delivery counts as acknowledged when `deliver` returns. Default `explicit`. */
  readonly acknowledge?: "explicit" | "automatic";
  /** Consumers with a higher one get messages first, as long as they have credit. Default 0. */
  readonly priority?: number;
}

/** A consumer of a queue. `wake` is to be called once to begin with, and whenever credit rises. */
export interface HostedSubscription extends QueueSubscription {
  /** Gives back all that this consumer has not settled, to be delivered again in its old places; it may get it itself. */
  recover(): void;
  /** Whether it has a message in hand, and can settle it; always true of a stream's group that does not know what its members have. */
  holds(offset: number): boolean;
}

/** `alone`: one consumer has the queue for itself, or this one asked for that and is not the only one. `mode-mismatch`: the group is in another mode. */
export type ConsumeResult =
  | { readonly is: "consuming"; readonly subscription: HostedSubscription }
  | { readonly is: "not-found" | "locked" | "alone" | "mode-mismatch" }
  | InvalidSetting
  | LimitReached;

/** Takes messages of a classic queue one by one, out of {@link SHARED_GROUP}. It is no consumer, but holds what it took until that is settled. */
export interface QueueGetter {
  /**
   * The next message, or null when there is none. What is not durable yet is not there: after a publication on the same connection ask behind
   * `committer.whenDurable`.
   */
  take(acknowledge: "explicit" | "automatic"): QueueDelivery | null;
  /** Messages that wait after the last `take`. */
  readonly messages: number;
  settle(offset: number, outcome: SettleOutcome): SettleResult;
  /** As {@link HostedSubscription.recover}. */
  recover(): void;
  /** Gives back what is not settled. Harmless when called again, or when the queue is gone. */
  close(): void;
}

/** `wrong-kind`: it is a stream. */
export type GetterResult =
  | { readonly is: "getter"; readonly getter: QueueGetter }
  | { readonly is: "not-found" | "locked" | "wrong-kind" };

/** Finds a header of the message that is published now; undefined when it has none of that name. */
export type HeaderLookup = (name: string) => ArgumentValue | undefined;

/** How a message is published besides its exchange and key; the object may be used again for the next one. */
export interface PublishOptions {
  /** Asked by headers exchanges only; null: no headers. */
  readonly headers: HeaderLookup | null;
  /** Further keys; every queue gets the message once. */
  readonly moreKeys: readonly string[] | null;
  /** Priority and delay. */
  readonly enqueue: EnqueueOptions | null;
}

/**
 * `routed`: at least one queue, subscriber or group has it. `unroutable`: nobody, also not through alternates; it is dropped, and the publisher is
 * not wrong. `refused`: a queue that was to get it did not take it (see {@link VirtualHost.refusal}); others may have it. `no-exchange`: there is no
 * exchange of this name. `internal`: clients cannot publish to it.
 */
export type PublishResult = "routed" | "unroutable" | "refused" | "no-exchange" | "internal";

/** What {@link VirtualHost.foresee} has to know of a message. */
export interface ForeseenMessage {
  readonly exchange: string;
  readonly key: string;
  readonly headers: HeaderLookup | null;
  readonly payloadBytes: number;
}

/** A name space of exchanges and queues of its own. */
export interface VirtualHost {
  readonly name: string;

  /** The exchange of this name, or null. "" is the default exchange, which is `direct` and durable. */
  exchange(name: string): ExchangeDefinition | null;
  /** All exchanges but the default one: the predeclared ones, then in the order of declaration. */
  exchanges(): ExchangeDefinition[];
  /** Makes an exchange, or compares it with the one that exists. */
  declareExchange(definition: ExchangeDefinition): DeclareExchangeResult;
  /** Deletes an exchange with the bindings to and from it. Exchanges that lose their last binding by that may follow. */
  deleteExchange(name: string, conditions?: { readonly ifUnused?: boolean }): DeleteExchangeResult;

  /** All bindings, in the order in which they were made; those of queues to the default exchange are not among them. */
  bindings(): BindingDefinition[];
  /** Makes a binding. It is stored when both ends are. */
  bind(binding: BindingDefinition, owner: QueueOwner): BindResult;
  /** Removes a binding. An auto-delete source goes with its last one. */
  unbind(binding: BindingDefinition, owner: QueueOwner): UnbindResult;

  /** Finds a queue; also the answer to a passive declaration. */
  queue(name: string, owner: QueueOwner): FindQueueResult;
  /** The `variant` with which a queue was declared; "" for one that is not there or was not declared here. */
  variantOf(name: string): string;
  /** All names of queues, oldest first. */
  queueNames(): string[];
  /** Makes a queue, or compares it with the one that exists. */
  declareQueue(definition: HostedQueueDefinition, owner: QueueOwner): DeclareQueueResult;
  /** Deletes a queue with its bindings; consumers are told. */
  deleteQueue(
    name: string,
    owner: QueueOwner,
    conditions?: { readonly ifUnused?: boolean; readonly ifEmpty?: boolean },
  ): DeleteQueueResult;
  /** Removes all messages that nobody works on. */
  purgeQueue(name: string, owner: QueueOwner): PurgeQueueResult;

  /** Adds a consumer. Nothing is delivered before {@link HostedSubscription.wake}. */
  consume(queue: string, request: ConsumeRequest, owner: QueueOwner): ConsumeResult;
  /** For taking messages one by one; one per channel and queue will do. */
  getter(queue: string, owner: QueueOwner): GetterResult;

  /**
   * Routes a message. Its `topic`, `exchange` and `routingKey` are set here; payload, properties, expiry and the rest are the caller's. The default
   * exchange "" takes it to the queue of that name. In the virtual host "/" it also takes `$queue/` addresses, and anything else that no queue is
   * named like to the plain topic (`.` becomes `/`), as {@link TOPICS_EXCHANGE} does besides its bindings.
   * After `routed` and `unroutable` a confirmation may leave from `committer.whenDurable`; after `refused` a refusal.
   */
  publish(message: TransientMessage, exchange: string, key: string, options: PublishOptions | null): PublishResult;
  /** Why the last {@link publish} was `refused`: ERR_QUEUE_FULL, ERR_MESSAGE_TOO_LARGE, ERR_QUEUE_NOT_FOUND, ERR_QUEUE_LIMIT, ERR_INVALID_TOPIC; else null. */
  readonly refusal: MessagingError | null;

  /**
   * Why not all of these messages could be published now, one after the other, or null when all would be taken; nothing is changed. For who publishes all
   * or none of them within the same turn.
   */
  foresee(messages: readonly ForeseenMessage[]): MessagingError | null;

  /** The owner is gone: its exclusive queues are deleted. */
  release(owner: QueueOwner): void;
}

/** What is short. */
export type AlarmReason = "memory" | "disk";

/** Told when something becomes short, and when it is not any more. */
export interface AlarmListener {
  /** What is short now; none: publishers may go on. */
  onAlarm(reasons: readonly AlarmReason[]): void;
}

/** Watches memory and disk. It only tells: sessions stop reading from publishers. */
export interface ResourceAlarms {
  /** What is short now. A listener hears of changes only, so look here first. */
  readonly reasons: readonly AlarmReason[];
  /** Tells a listener of changes until the returned function is called. */
  listen(listener: AlarmListener): () => void;
}

/** All virtual hosts. */
export interface Topology {
  /** The virtual host of this name, or null when it is not configured. "/" is always there; its queues are `hub.queues`' own names. */
  host(name: string): VirtualHost | null;
  readonly alarms: ResourceAlarms;
}

/** Bounds of what clients may declare; each per virtual host. */
export interface TopologyLimits {
  /** Exchanges; 10,000 by default. */
  readonly exchangesMax?: number;
  /** Bindings; 100,000 by default. */
  readonly bindingsMax?: number;
  /** UTF-8 bytes of one binding's arguments; 16,384 by default. */
  readonly argumentBytesMax?: number;
}

/** What there is of something that may become short. */
export interface ResourceMeasure {
  /** Bytes that the process, or what counts as it, takes. */
  readonly memoryBytes: number;
  /** Bytes that are free where data is stored; Infinity without a store. */
  readonly diskFreeBytes: number;
}

/** When alarms are raised. */
export interface ResourceLimits {
  /** Raised from so many bytes on; over again below 95 % of them. Default: none. */
  readonly memoryBytesMax?: number;
  /** Raised below so many free bytes; over again above 105 % of them. Default: none. */
  readonly diskFreeBytesMin?: number;
  /** Asked at every interval while somebody listens; without it there is no alarm. Must not throw. */
  readonly measure?: () => ResourceMeasure;
  /** Default 1,000. */
  readonly intervalMs?: number;
}

/** What a topology is made with. */
export interface TopologyOptions {
  /** Virtual hosts besides "/". */
  readonly virtualHosts?: readonly string[];
  readonly limits?: TopologyLimits;
  /** Reads the headers of a dead letter in its publisher's encoding, for headers exchanges; by default it has none. */
  readonly headersOf?: (message: QueueMessage) => HeaderLookup | null;
  /** For names that are given out; the runtime's own random source by default. */
  readonly randomBytes?: (count: number) => Uint8Array;
}
