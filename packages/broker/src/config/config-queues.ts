import { isMessagingError, type MessagingError } from "polymq/internal";
import { QUEUE_OVERFLOWS, type QueueDefinition, queueSettings } from "../core/queues/queue-settings.ts";
import type { ConfigReader } from "./config-reader.ts";
import { REPLICATION_KEYS } from "./config-sections.ts";
import { defined } from "./defined.ts";

/** What the rest of the file says that concerns queues. */
export interface QueueDefaults {
  readonly autoCommitIntervalMs: number | undefined;
  readonly groupExpiresAfterMs: number | undefined;
  readonly passingGroupExpiresAfterMs: number | undefined;
  /** What confirmations promise; a queue cannot say otherwise. */
  readonly ackDurability: "fsync" | "buffered";
}

/** The queues of the section `queues`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function queuesOf(list: readonly ConfigReader[], defaults: QueueDefaults): readonly QueueDefinition[] {
  const names = new Set<string>();
  return list.map((reader) => {
    const definition = queueOf(reader, defaults);
    try {
      queueSettings(definition);
    } catch (error) {
      throw isMessagingError(error) ? invalidField(reader, error.message) : error;
    }
    if (names.has(definition.name)) throw reader.invalid("name", `${definition.name} is there twice`);
    names.add(definition.name);
    return definition;
  });
}

/** What is wrong with a field of the definition is said of the key that it came from. */
function invalidField(reader: ConfigReader, message: string): MessagingError {
  const at = message.indexOf(": ");
  const [section, key] = KEYS[message.slice(0, at)] ?? ["", ""];
  const what = message.slice(at + 2);
  if (key === "delivery_limit" && !reader.has(key)) return reader.map("retry").invalid("max_retries", what);
  return key === "" ? reader.invalid("", message) : (section === "" ? reader : reader.map(section)).invalid(key, what);
}

/** By field of the definition: the section below the queue, and the key in it. */
const KEYS: Readonly<Record<string, readonly [section: string, key: string]>> = {
  name: ["", "name"],
  topics: ["", "topics"],
  priorityMax: ["", "priority_max"],
  deliveryLimit: ["", "delivery_limit"],
  visibilityTimeoutMs: ["", "visibility_timeout"],
  autoCommitIntervalMs: ["", "auto_commit_interval"],
  groupExpiresAfterMs: ["", "group_expires_after"],
  passingGroupExpiresAfterMs: ["", "passing_group_expires_after"],
  expiresAfterMs: ["", "expires_after"],
  maxMessageBytes: ["limits", "max_message_size"],
  maxDepth: ["limits", "max_depth"],
  maxBytes: ["limits", "max_bytes"],
  ttlMs: ["limits", "message_ttl"],
  pendingMax: ["limits", "max_pending"],
  "retry.delayMs": ["retry", "initial_backoff"],
  "retry.maxMs": ["retry", "max_backoff"],
  "retry.multiplier": ["retry", "multiplier"],
  "deadLetter.queue": ["dlq", "topic"],
  "retention.ageMs": ["retention", "max_age"],
  "retention.bytes": ["retention", "max_length_bytes"],
  "retention.messages": ["retention", "max_length_messages"],
};

function queueOf(reader: ConfigReader, defaults: QueueDefaults): QueueDefinition {
  const name = reader.text("name");
  if (name === undefined) throw reader.invalid("", "name is required");
  const type = reader.oneOf("type", ["classic", "queue", "stream"]);
  const durable = reader.flag("durable");
  checkAckDurability(reader, defaults);
  checkReplication(reader.map("replication"));
  reader.ignore("reserved");
  const definition = {
    name,
    ...retry(reader.map("retry")),
    ...defined({
      kind: type === undefined ? undefined : type === "stream" ? ("stream" as const) : ("classic" as const),
      lifetime: durable === undefined ? undefined : durable ? ("durable" as const) : ("ephemeral" as const),
      topics: reader.texts("topics"),
      primaryGroup: reader.text("primary_group"),
      priorityMax: reader.number("priority_max"),
      deliveryLimit: reader.number("delivery_limit"),
      visibilityTimeoutMs: reader.duration("visibility_timeout"),
      singleActiveConsumer: reader.flag("single_active_consumer"),
      autoCommitIntervalMs: reader.duration("auto_commit_interval") ?? defaults.autoCommitIntervalMs,
      groupExpiresAfterMs: reader.duration("group_expires_after") ?? defaults.groupExpiresAfterMs,
      passingGroupExpiresAfterMs: reader.duration("passing_group_expires_after") ?? defaults.passingGroupExpiresAfterMs,
      expiresAfterMs: reader.duration("expires_after"),
    }),
    ...limits(reader.map("limits")),
    ...deadLetter(reader.map("dlq")),
    ...retention(reader.map("retention")),
  };
  reader.done();
  return definition;
}

function limits(reader: ConfigReader): Partial<QueueDefinition> {
  const found = defined({
    maxMessageBytes: reader.bytes("max_message_size"),
    maxDepth: reader.number("max_depth"),
    maxBytes: reader.bytes("max_bytes"),
    ttlMs: reader.duration("message_ttl"),
    overflow: reader.oneOf("overflow", QUEUE_OVERFLOWS),
    pendingMax: reader.number("max_pending"),
  });
  reader.done();
  return found;
}

/** Retries are redeliveries: one attempt more than `max_retries` is the delivery limit, and 0 has no limit in either. */
function retry(reader: ConfigReader): Partial<QueueDefinition> {
  const retries = reader.number("max_retries");
  const found = defined({
    delayMs: reader.duration("initial_backoff"),
    maxMs: reader.duration("max_backoff"),
    multiplier: reader.number("multiplier"),
  });
  reader.done();
  return { retry: found, ...(retries === undefined ? {} : { deliveryLimit: retries === 0 ? 0 : retries + 1 }) };
}

function deadLetter(reader: ConfigReader): Partial<QueueDefinition> {
  const topic = reader.text("topic");
  const found = defined({ enabled: reader.flag("enabled"), queue: topic?.replace(/^\$queue\//, "") });
  reader.done();
  return { deadLetter: found };
}

function retention(reader: ConfigReader): Partial<QueueDefinition> {
  const found = defined({
    ageMs: reader.duration("max_age"),
    bytes: reader.bytes("max_length_bytes"),
    messages: reader.number("max_length_messages"),
  });
  reader.done();
  return { retention: found };
}

function checkAckDurability(reader: ConfigReader, defaults: QueueDefaults): void {
  const durability = reader.oneOf("ack_durability", ["fsync", "buffered"]);
  if (durability === undefined || durability === defaults.ackDurability) return;
  const all = `storage.queue_ack_durability, which is ${defaults.ackDurability} here`;
  throw reader.invalid("ack_durability", `is the same for all queues: ${all}`);
}

function checkReplication(reader: ConfigReader): void {
  if (reader.flag("enabled") === true) throw reader.invalid("enabled", "this broker is a single node");
  reader.onlyHas(REPLICATION_KEYS);
}
