import { isMessagingError } from "polymq/internal";
import { OptionReader } from "./base/option-reader.ts";
import type { QueueLimits } from "./core/queues/queue-directory.ts";
import {
  QUEUE_OVERFLOWS,
  type QueueDefinition,
  type QueueSettings,
  queueSettings,
} from "./core/queues/queue-settings.ts";

const BYTES_MAX = Number.MAX_SAFE_INTEGER;
const U32_MAX = 4_294_967_295;

/** With a longer filter a group's id would be too long for a record, or for a property of a delivery. */
const FILTER_LENGTH_MAX = 16_384;

/** Checks the option `queues`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function queueDefinitions(reader: OptionReader): readonly QueueSettings[] {
  const list = (reader.list("queues") ?? []).map((item, index) => queueDefinition(item, `queues[${index}]`));
  const names = new Set<string>();
  for (const { name } of list) {
    if (names.has(name)) throw reader.invalid("queues", `${name} is there twice`);
    names.add(name);
  }
  return Object.freeze(list);
}

/** Checks the option `queueLimits`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function queueLimits(reader: OptionReader): Required<QueueLimits> {
  const limits = {
    queuesMax: reader.integer("countMax", { least: 0, most: U32_MAX, otherwise: 10_000 }),
    groupsPerQueueMax: reader.integer("groupsMax", { least: 1, most: U32_MAX, otherwise: 1_000 }),
    groupsMax: reader.integer("groupsInAllMax", { least: 1, most: U32_MAX, otherwise: 100_000 }),
    filterLengthMax: reader.integer("filterLengthMax", { least: 1, most: FILTER_LENGTH_MAX, otherwise: 1_024 }),
    membersPerGroupMax: reader.integer("consumersMax", { least: 1, most: U32_MAX, otherwise: 10_000 }),
    cacheBytesMax: reader.integer("cacheBytesMax", { least: 0, most: BYTES_MAX, otherwise: 67_108_864 }),
    memoryBytesMax: reader.integer("memoryBytesMax", { least: 0, most: BYTES_MAX, otherwise: 268_435_456 }),
  };
  reader.done();
  return Object.freeze(limits);
}

/**
 * Checks the definition of one queue: types and unknown fields here, ranges where queues are declared, which tells of them by field as well.
 * @param path in front of the names of fields, or ""
 * @throws {MessagingError} ERR_INVALID_OPTIONS
 */
export function queueDefinition(value: unknown, path: string): QueueSettings {
  const reader = new OptionReader(value, path);
  const name = reader.text("name");
  if (name === null) throw reader.invalid("name", "is required");
  const found: QueueDefinition = {
    name,
    kind: reader.oneOf("kind", ["classic", "stream"], "classic"),
    lifetime: reader.oneOf("lifetime", ["durable", "ephemeral"], "durable"),
    topics: reader.texts("topics") ?? [],
    overflow: reader.oneOf("overflow", QUEUE_OVERFLOWS, "reject"),
    primaryGroup: reader.text("primaryGroup") ?? "",
    singleActiveConsumer: reader.flag("singleActiveConsumer", "no"),
    retry: numbers(reader.nested("retry"), ["delayMs", "maxMs", "multiplier"]),
    retention: numbers(reader.nested("retention"), ["ageMs", "bytes", "messages"]),
    deadLetter: deadLetter(reader.nested("deadLetter")),
    ...fields(reader, NUMBERS),
  };
  reader.done();
  try {
    return queueSettings(found);
  } catch (error) {
    if (!isMessagingError(error)) throw error;
    const [field = "", ...what] = error.message.split(": ");
    throw reader.invalid(field, what.join(": "));
  }
}

function deadLetter(reader: OptionReader): NonNullable<QueueDefinition["deadLetter"]> {
  const queue = reader.text("queue");
  const found = {
    ...(reader.has("enabled") ? { enabled: reader.flag("enabled", "yes") } : {}),
    ...(queue === null ? {} : { queue }),
  };
  reader.done();
  return found;
}

function numbers(reader: OptionReader, names: readonly string[]): Record<string, number> {
  const found = fields(reader, names);
  reader.done();
  return found;
}

function fields(reader: OptionReader, names: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of names) {
    const value = reader.value(name);
    if (value === undefined) continue;
    if (typeof value !== "number") throw reader.invalid(name, "must be a number");
    found[name] = value;
  }
  return found;
}

const NUMBERS: readonly string[] = [
  "maxMessageBytes",
  "maxDepth",
  "maxBytes",
  "ttlMs",
  "deliveryLimit",
  "visibilityTimeoutMs",
  "priorityMax",
  "autoCommitIntervalMs",
  "pendingMax",
  "groupExpiresAfterMs",
  "passingGroupExpiresAfterMs",
  "expiresAfterMs",
];
