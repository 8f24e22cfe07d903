import { isMessagingError, MessagingError } from "polymq/internal";
import { checkFilter } from "../topic-trie.ts";
import { HOSTED_PREFIX, hostedName, hostedNameFault, hostOfQueue, nameInHost } from "./hosted-name.ts";
import { DEAD_LETTER_PREFIX, ownFilter, queueNameFault } from "./queue-address.ts";

/** `classic`: messages are worked off; `stream`: they stay and are read by position. */
export type QueueKind = "classic" | "stream";

/** `durable` queues are stored; `ephemeral` ones live in memory, and those that are unused and empty for `expiresAfterMs` are deleted. */
export type QueueLifetime = "durable" | "ephemeral";

/** What a queue does at its limits. */
export type QueueOverflow = "reject" | "reject-dead-letter" | "drop-head";

/** All words of {@link QueueOverflow}. */
export const QUEUE_OVERFLOWS: readonly QueueOverflow[] = ["reject", "reject-dead-letter", "drop-head"];

/** A queue as it is declared; what is not said has its default. */
export interface QueueDefinition {
  /** 1 to 255 characters without "/", "+", "#"; names that begin with "$" are reserved. */
  readonly name: string;
  /** Default `classic`. */
  readonly kind?: QueueKind;
  /** Default `durable`; without a store that means as long as the broker runs. */
  readonly lifetime?: QueueLifetime;
  /** Filters of topics whose messages the queue takes besides those addressed to it; 100 at most. */
  readonly topics?: readonly string[];
  /** Payload bytes of one message. Default 10,485,760. */
  readonly maxMessageBytes?: number;
  /** Messages that are not settled by every group. Default 100,000, in streams and dead-letter queues 0: no limit. Dead letters are never refused. */
  readonly maxDepth?: number;
  /** Payload bytes of messages that nobody works on. Default 0: no limit. */
  readonly maxBytes?: number;
  /**
   * What happens at `maxDepth` or `maxBytes`, once expired messages have left: publishers are refused, with `reject-dead-letter` what they sent goes to
   * the dead letters besides, or with `drop-head` the oldest message that nobody works on goes there instead. Default `reject`.
   */
  readonly overflow?: QueueOverflow;
  /** How long a message is worth delivering; the publisher's own expiry counts when it is earlier. Default 604,800,000 (7 days), in streams and dead-letter queues 0: for ever. */
  readonly ttlMs?: number;
  /** Deliveries of one message to one group before it is dead-lettered. Default 5, in dead-letter queues 0: no limit. */
  readonly deliveryLimit?: number;
  /** Time to settle a delivery before it is made again. Default 30,000; 0: none. */
  readonly visibilityTimeoutMs?: number;
  /** When a message is delivered again that was returned without a delay. */
  readonly retry?: RetryDefinition;
  readonly deadLetter?: DeadLetterDefinition;
  readonly retention?: RetentionDefinition;
  /** Highest priority, 0 to 255. Default 0: none. Fixed at the first declaration. */
  readonly priorityMax?: number;
  /** Name of the group whose progress deliveries to groups in stream mode tell. Default "": none. */
  readonly primaryGroup?: string;
  /** How often stream groups commit by themselves what was delivered. Default 5,000; 0: with every delivery. */
  readonly autoCommitIntervalMs?: number;
  /** Messages that are delivered and unsettled in one group. Default 100,000. */
  readonly pendingMax?: number;
  /** True: only the oldest member of each group gets messages. Default false. */
  readonly singleActiveConsumer?: boolean;
  /**
   * How long a group stays in which nobody is, whatever it has still to settle; what no other group has settled stays in the queue. Default 0: for ever.
   */
  readonly groupExpiresAfterMs?: number;
  /** The same of groups that nobody named, of clients that leave nothing behind when they go. Default 300,000, in streams 604,800,000; 0: for ever. */
  readonly passingGroupExpiresAfterMs?: number;
  /** How long an ephemeral queue stays without consumers and messages. Default 300,000. */
  readonly expiresAfterMs?: number;
}

/** Backoff of redeliveries: `delayMs`, times `multiplier` with each further delivery, up to `maxMs`. */
export interface RetryDefinition {
  /** Default 0: at once. */
  readonly delayMs?: number;
  /** Default 300,000. */
  readonly maxMs?: number;
  /** 1 to 100. Default 2. */
  readonly multiplier?: number;
}

/** What becomes of messages that nobody could work on. */
export interface DeadLetterDefinition {
  /** False: they are dropped and counted. Default true; in dead-letter queues false. */
  readonly enabled?: boolean;
  /** The queue that takes them, made when needed. Default `$dlq/<name>`. */
  readonly queue?: string;
}

/** What stays although it was settled, and what goes from streams; 0 (the default of each): no rule. */
export interface RetentionDefinition {
  readonly ageMs?: number;
  readonly bytes?: number;
  readonly messages?: number;
}

/** A {@link QueueDefinition} without anything left to say. */
export interface QueueSettings extends Required<Omit<QueueDefinition, "retry" | "deadLetter" | "retention">> {
  readonly retry: Required<RetryDefinition>;
  readonly deadLetter: Required<DeadLetterDefinition>;
  readonly retention: Required<RetentionDefinition>;
}

/** Topic filters that a queue may have. */
export const QUEUE_TOPICS_MAX = 100;

/** The highest `priorityMax`. */
export const PRIORITY_MAX = 255;

/**
 * Checks a definition and fills in defaults.
 * @throws {MessagingError} ERR_INVALID_ARGUMENT with the name of the field in front of its message
 */
export function queueSettings(definition: QueueDefinition): QueueSettings {
  const { name, kind = "classic", lifetime = "durable", retry = {}, deadLetter = {}, retention = {} } = definition;
  checkName("name", name);
  const isClassic = kind === "classic";
  const isDeadLetters = nameInHost(name).startsWith(DEAD_LETTER_PREFIX);
  const settings: QueueSettings = {
    name,
    kind: oneOf("kind", kind, ["classic", "stream"]),
    lifetime: oneOf("lifetime", lifetime, ["durable", "ephemeral"]),
    topics: topics(definition.topics ?? [], name),
    maxMessageBytes: whole("maxMessageBytes", definition.maxMessageBytes ?? 10_485_760, 1),
    maxDepth: whole("maxDepth", definition.maxDepth ?? (isClassic && !isDeadLetters ? 100_000 : 0)),
    maxBytes: whole("maxBytes", definition.maxBytes ?? 0),
    overflow: oneOf("overflow", definition.overflow ?? "reject", QUEUE_OVERFLOWS),
    ttlMs: whole("ttlMs", definition.ttlMs ?? (isClassic && !isDeadLetters ? WEEK_MS : 0)),
    deliveryLimit: whole("deliveryLimit", definition.deliveryLimit ?? (isDeadLetters ? 0 : 5)),
    visibilityTimeoutMs: whole("visibilityTimeoutMs", definition.visibilityTimeoutMs ?? 30_000),
    retry: {
      delayMs: whole("retry.delayMs", retry.delayMs ?? 0),
      maxMs: whole("retry.maxMs", retry.maxMs ?? 300_000),
      multiplier: multiplier(retry.multiplier ?? 2),
    },
    deadLetter: {
      enabled: deadLetter.enabled ?? !isDeadLetters,
      queue: deadLetterQueue(deadLetter.queue ?? deadLetterName(name), definition),
    },
    retention: {
      ageMs: whole("retention.ageMs", retention.ageMs ?? 0),
      bytes: whole("retention.bytes", retention.bytes ?? 0),
      messages: whole("retention.messages", retention.messages ?? 0),
    },
    priorityMax: whole("priorityMax", definition.priorityMax ?? 0, 0, PRIORITY_MAX),
    primaryGroup: definition.primaryGroup ?? "",
    autoCommitIntervalMs: whole("autoCommitIntervalMs", definition.autoCommitIntervalMs ?? 5_000),
    pendingMax: whole("pendingMax", definition.pendingMax ?? 100_000, 1),
    singleActiveConsumer: definition.singleActiveConsumer ?? false,
    groupExpiresAfterMs: whole("groupExpiresAfterMs", definition.groupExpiresAfterMs ?? 0),
    passingGroupExpiresAfterMs: whole(
      "passingGroupExpiresAfterMs",
      definition.passingGroupExpiresAfterMs ?? (isClassic ? PASSING_MS : WEEK_MS),
    ),
    expiresAfterMs: whole("expiresAfterMs", definition.expiresAfterMs ?? 300_000, 1),
  };
  return Object.freeze(settings);
}

/** The first field in which two settings differ, or null. */
export function settingsDifference(a: QueueSettings, b: QueueSettings): string | null {
  const other = new Map<string, unknown>(Object.entries(b));
  for (const [field, value] of Object.entries(a)) {
    if (JSON.stringify(value) !== JSON.stringify(other.get(field))) return field;
  }
  return null;
}

/** How long a message waits that was returned without a delay after so many deliveries. */
export function retryDelayMs(settings: QueueSettings, deliveries: number): number {
  const { delayMs, maxMs, multiplier } = settings.retry;
  return delayMs === 0 ? 0 : Math.min(maxMs, delayMs * multiplier ** (deliveries - 1));
}

function topics(filters: readonly string[], name: string): readonly string[] {
  if (filters.length > QUEUE_TOPICS_MAX) throw invalid("topics", `at most ${QUEUE_TOPICS_MAX}`);
  for (const filter of filters) {
    try {
      checkFilter(filter);
    } catch (error) {
      throw isMessagingError(error) ? invalid("topics", error.message) : error;
    }
  }
  const own = ownFilter(name);
  return Object.freeze([...new Set(filters)].filter((filter) => filter !== own));
}

/** Dead letters stay in the virtual host of their queue. */
function deadLetterName(name: string): string {
  if (!name.startsWith(HOSTED_PREFIX)) return `${DEAD_LETTER_PREFIX}${name}`;
  return hostedName(hostOfQueue(name), `${DEAD_LETTER_PREFIX}${nameInHost(name)}`);
}

function deadLetterQueue(queue: string, definition: QueueDefinition): string {
  if (queue === definition.name) throw invalid("deadLetter.queue", "is the queue itself");
  // The derived name of a dead-letter queue would be one too deep; it has no dead letters of its own unless a queue is named.
  if (!queue.startsWith(`${DEAD_LETTER_PREFIX}${DEAD_LETTER_PREFIX}`)) checkName("deadLetter.queue", queue);
  else if (definition.deadLetter?.enabled === true) throw invalid("deadLetter.queue", "is required");
  return queue;
}

function checkName(field: string, name: string): void {
  const fault = name.startsWith(HOSTED_PREFIX) ? hostedNameFault(name) : queueNameFault(name);
  if (fault !== null) throw invalid(field, fault);
}

function whole(field: string, value: number, least = 0, most: number = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(field, `must be a whole number from ${least} to ${most}`);
}

function multiplier(value: number): number {
  if (value >= 1 && value <= 100) return value;
  throw invalid("retry.multiplier", "must be a number from 1 to 100");
}

function oneOf<T extends string>(field: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  throw invalid(field, `must be one of ${choices.join(", ")}`);
}

function invalid(field: string, what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", `${field}: ${what}`);
}

const WEEK_MS = 604_800_000;
const PASSING_MS = 300_000;
