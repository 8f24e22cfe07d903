import { MessagingError } from "../../../base/errors.ts";

/** Where every queue address begins. */
export const QUEUE_PREFIX = "$queue/";

/** What dead-letter queues are called: this and the name of their queue. */
const DEAD_LETTERS = "$dlq/";

/** Last levels that settle or commit on other protocols; never part of a routing key or filter. */
const VERBS = ["$ack", "$nack", "$reject", "$commit"];

const ADDRESS_BYTES_MAX = 65_535;

/** A queue, and what follows its name: a routing key, a filter, or "". */
export interface QueueAddress {
  readonly queue: string;
  readonly rest: string;
  /** `$queue/<queue>[/<rest>]`. */
  readonly address: string;
}

/**
 * Reads a queue's name as callers give it: the first level is the name (`$dlq/<queue>` for a dead-letter queue), what follows it and
 * `rest` are the routing key or the filter. A leading `$queue/` may stand there.
 * @throws {MessagingError} ERR_INVALID_TOPIC
 */
export function queueAddress(name: unknown, rest: unknown, kind: "name" | "filter"): QueueAddress {
  if (typeof name !== "string" || (rest !== undefined && typeof rest !== "string")) {
    throw invalid("a queue's name, routing key and filter are strings");
  }
  const given = name.startsWith(QUEUE_PREFIX) ? name.slice(QUEUE_PREFIX.length) : name;
  const whole = rest === undefined || rest === "" ? given : `${given}/${rest}`;
  const slash = whole.indexOf("/", whole.startsWith(DEAD_LETTERS) ? DEAD_LETTERS.length : 0);
  const queue = slash < 0 ? whole : whole.slice(0, slash);
  if (queue === "" || queue === DEAD_LETTERS || /[+#]/.test(queue)) throw invalid(`"${name}" has no queue name`);
  const address = QUEUE_PREFIX + whole;
  if (!whole.isWellFormed() || whole.includes("\0") || address.length > ADDRESS_BYTES_MAX) {
    throw invalid(`${name} is no address`);
  }
  checkLevels(whole.split("/"), kind);
  return { queue, rest: whole.slice(queue.length + 1), address };
}

function checkLevels(levels: readonly string[], kind: "name" | "filter"): void {
  for (const [i, level] of levels.entries()) {
    if (VERBS.includes(level)) throw invalid(`${level} settles messages and is no part of an address`);
    if (!/[+#]/.test(level)) continue;
    if (kind === "name") throw invalid("a routing key has no wildcards");
    const whole = level === "+" || (level === "#" && i === levels.length - 1);
    if (!whole) throw invalid("a wildcard is a level of its own, and # the last one");
  }
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_TOPIC", what);
}
