import { type FieldTable, type MethodOf, ReplyCode } from "polymq/amqp091/codec";
import type { HostedQueueSettings, Inequivalent } from "../../core/topology/topology-port.ts";
import { ArgumentReader } from "./arguments.ts";
import { ReplyError } from "./reply-error.ts";

/** The arguments' names of fields that the core compares. */
export const QUEUE_FIELDS: Readonly<Record<string, string>> = {
  autoDelete: "auto_delete",
  kind: "x-queue-type",
  variant: "x-queue-type",
  ttlMs: "x-message-ttl",
  expiresMs: "x-expires",
  maxLength: "x-max-length",
  maxBytes: "x-max-length-bytes",
  overflow: "x-overflow",
  deadLetterExchange: "x-dead-letter-exchange",
  deadLetterKey: "x-dead-letter-routing-key",
  priorityMax: "x-max-priority",
  singleActiveConsumer: "x-single-active-consumer",
  deliveryLimit: "x-delivery-limit",
  maxAgeMs: "x-max-age",
};

/** Arguments that only a stream has, and those that it has not; without this they would do nothing. */
const OF_STREAMS: readonly string[] = ["x-max-age"];
const NOT_OF_STREAMS: readonly string[] = ["x-message-ttl", "x-max-priority", "x-overflow"];

/** What the arguments of `queue.declare` ask for. @throws {ReplyError} 406 */
export function queueSettingsOf(table: FieldTable, what: string): Partial<HostedQueueSettings> {
  const reader = new ArgumentReader(table, what);
  const type = typeOf(reader);
  const isStream = type === "stream";
  for (const name of isStream ? NOT_OF_STREAMS : OF_STREAMS) {
    if (reader.value(name) !== undefined) throw reader.foreign(name, type);
  }
  const exchange = reader.exchange("x-dead-letter-exchange");
  const key = reader.text("x-dead-letter-routing-key");
  if (key !== undefined && exchange === undefined) {
    throw reader.invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined");
  }
  const found: { -readonly [K in keyof HostedQueueSettings]?: HostedQueueSettings[K] | undefined } = {
    kind: isStream ? "stream" : "classic",
    variant: type === "classic" ? "" : type,
    ttlMs: reader.whole("x-message-ttl", 0),
    expiresMs: reader.whole("x-expires", 1),
    maxLength: reader.whole("x-max-length", 0),
    maxBytes: reader.whole("x-max-length-bytes", 0),
    overflow: overflowOf(reader),
    deadLetterExchange: exchange,
    deadLetterKey: key,
    priorityMax: reader.whole("x-max-priority", 0, 255),
    singleActiveConsumer: reader.flag("x-single-active-consumer"),
    deliveryLimit: deliveryLimitOf(reader, type),
    maxAgeMs: reader.value("x-max-age") === undefined ? undefined : ageOf(reader),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** Refuses flags that replicated queues of RabbitMQ cannot have; a stream may go with its consumers here, as on FluxMQ. @throws {ReplyError} 406 */
export function checkFlags(
  method: MethodOf<"queue.declare">,
  settings: Partial<HostedQueueSettings>,
  what: string,
): void {
  const isStream = settings.kind === "stream";
  if (!isStream && settings.variant !== "quorum") return;
  if (method.autoDelete && !isStream) throw invalidProperty("auto-delete", what);
  if (method.exclusive) throw invalidProperty("exclusive-owner", what);
  if (!method.durable) throw invalidProperty("non-durable", what);
}

function invalidProperty(name: string, what: string): ReplyError {
  return new ReplyError(ReplyCode.PreconditionFailed, `invalid property '${name}' for ${what}`);
}

type QueueType = "classic" | "quorum" | "stream";

function typeOf(reader: ArgumentReader): QueueType {
  const name = (reader.text("x-queue-type") ?? "classic").toLowerCase();
  if (name === "" || name === "classic") return "classic";
  if (name === "quorum" || name === "stream") return name;
  throw reader.invalid("x-queue-type", `"unsupported queue type '${name}'"`);
}

/** The core's words for an overflow, by RabbitMQ's. */
const OVERFLOWS: ReadonlyMap<string, HostedQueueSettings["overflow"]> = new Map([
  ["drop-head", "drop-head"],
  ["reject-publish", "reject"],
  ["reject-publish-dlx", "reject-dead-letter"],
] as const);

function overflowOf(reader: ArgumentReader): HostedQueueSettings["overflow"] | undefined {
  const name = reader.text("x-overflow");
  if (name === undefined) return undefined;
  const overflow = OVERFLOWS.get(name);
  if (overflow === undefined) throw reader.invalid("x-overflow", "invalid_overflow");
  return overflow;
}

/** What differs, in the client's words. */
export function inClientWords<D extends Inequivalent>(difference: D): D {
  // A classic queue has no variant, and in most cases was declared without a type.
  if (difference.field === "variant") {
    return { ...difference, received: difference.received || null, current: difference.current || null };
  }
  if (difference.field !== "overflow") return difference;
  const said = (value: Inequivalent["current"]): Inequivalent["current"] =>
    [...OVERFLOWS].find(([, overflow]) => overflow === value)?.[0] ?? value;
  return { ...difference, received: said(difference.received), current: said(difference.current) };
}

/** RabbitMQ counts returns, the core deliveries: one more. A quorum queue has no limit unless it is told, as before RabbitMQ 4. */
function deliveryLimitOf(reader: ArgumentReader, type: QueueType): number | undefined {
  const limit = reader.whole("x-delivery-limit", 0);
  if (limit === undefined) return undefined;
  if (type !== "quorum") throw reader.foreign("x-delivery-limit", type);
  return limit + 1;
}

const UNITS: Readonly<Record<string, number>> = {
  Y: 31_536_000_000,
  M: 2_592_000_000,
  W: 604_800_000,
  D: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};

/** A text such as `7D`, `1.5h` or `90m`, or a number of seconds. */
function ageOf(reader: ArgumentReader): number {
  const value = reader.value("x-max-age");
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value * 1000;
  const ms = typeof value === "string" ? durationMs(value) : null;
  if (ms === null) throw reader.invalid("x-max-age", "invalid_max_age");
  return ms;
}

/** Milliseconds of a duration such as `90m`, `1h30m` or `7D`; null for another form. */
export function durationMs(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ms|[YMWDdwhms]))+$/.test(text)) return null;
  let total = 0;
  for (const [, count = "", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[YMWDdwhms])/g)) {
    const scale = UNITS[unit] ?? UNITS[unit.toUpperCase()] ?? 0;
    total += Number(count) * scale;
  }
  return Math.round(total);
}
