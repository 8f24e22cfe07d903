import { MessagingError } from "../../base/errors.ts";
import { type LinkFilter, linkFilter } from "../client/filters.ts";
import { type AmqpInput, type MapInput, typed } from "../codec/values.ts";

/** Where reading a stream of RabbitMQ begins. */
export type RabbitmqStreamStart =
  | "first"
  | "last"
  | "next"
  | { readonly offset: number | bigint }
  /** Ms since 1970; RabbitMQ begins with the chunk that holds it. */
  | { readonly timestampMs: number }
  /** So long ago, such as `10m`; units `Y`, `M`, `D`, `h`, `m`, `s`. */
  | { readonly ago: string };

/** Where reading a stream begins, for the `filters` of a receiver's source. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function streamOffset(start: RabbitmqStreamStart): LinkFilter {
  return linkFilter("rabbitmq:stream-offset-spec", startValue(start));
}

/**
 * Only messages that were published with one of these filter values (annotation `x-stream-filter-value`); RabbitMQ may let others pass too.
 * @param unfiltered whether messages without a value come as well
 */
export function streamFilter(
  values: string | readonly string[],
  unfiltered: "withUnfiltered" | "withoutUnfiltered" = "withoutUnfiltered",
): readonly LinkFilter[] {
  const filter = linkFilter("rabbitmq:stream-filter", typeof values === "string" ? values : [...values]);
  return unfiltered === "withoutUnfiltered" ? [filter] : [filter, linkFilter("rabbitmq:stream-match-unfiltered", true)];
}

/** Only messages whose properties section has these values (RabbitMQ 4.1, streams); a text that begins `&s:` or `&p:` matches its end or beginning. */
export function propertiesFilter(values: MapInput): LinkFilter {
  return linkFilter("amqp:properties-filter", values as AmqpInput, 0x173);
}

/** Only messages whose application properties have these values (RabbitMQ 4.1, streams). */
export function applicationPropertiesFilter(values: MapInput): LinkFilter {
  return linkFilter("amqp:application-properties-filter", values as AmqpInput, 0x174);
}

/** Only messages that fit an SQL condition (RabbitMQ 4.2, streams): `properties.subject = 'order' AND price > 10`. */
export function sqlFilter(condition: string): LinkFilter {
  return linkFilter("amqp:sql-filter", condition, 0x120);
}

function startValue(start: RabbitmqStreamStart): AmqpInput {
  if (typeof start === "string") return start;
  if ("offset" in start) return typed("ulong", start.offset);
  if ("timestampMs" in start) return typed("timestamp", start.timestampMs);
  if (/^\d+[YMDhms]$/.test(start.ago)) return start.ago;
  throw new MessagingError("ERR_INVALID_ARGUMENT", "ago is a whole number and a unit, such as 10m");
}
