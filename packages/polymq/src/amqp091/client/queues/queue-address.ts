import { MessagingError } from "../../../base/errors.ts";

/** Where every queue address begins, with FluxMQ and polymq's broker. */
export const QUEUE_PREFIX = "$queue/";

/** What dead-letter queues are called: this and the name of their queue. */
const DEAD_LETTERS = "$dlq/";

/** Last levels that settle or commit; never part of a routing key or filter. */
const VERBS = ["$ack", "$nack", "$reject", "$commit"];

/** A queue, and what follows its name: a routing key, a filter, or "". */
export interface QueueAddress {
  readonly queue: string;
  readonly rest: string;
  /** `$queue/<queue>[/<rest>]`. */
  readonly key: string;
}

/**
 * Reads a queue's name as callers give it: the first level is the name (`$dlq/<queue>` for a dead-letter queue), what follows it and
 * `rest` are the routing key or the filter. A leading `$queue/` may stand there.
 * @throws {MessagingError} ERR_INVALID_TOPIC
 */
export function queueAddress(name: unknown, rest: unknown, kind: "name" | "filter"): QueueAddress {
  if (typeof name !== "string" || (rest !== undefined && typeof rest !== "string"))
    throw invalid("a queue's name, routing key and filter are strings");
  const given = name.startsWith(QUEUE_PREFIX) ? name.slice(QUEUE_PREFIX.length) : name;
  const whole = rest === undefined || rest === "" ? given : `${given}/${rest}`;
  const queue = queueOf(whole);
  const key = QUEUE_PREFIX + whole;
  if (kind === "name") checkTopic(key);
  else checkFilter(key);
  if (queue === "" || queue === DEAD_LETTERS || /[+#]/.test(queue)) throw invalid(`"${name}" has no queue name`);
  if (whole.split("/").some((level) => VERBS.includes(level)))
    throw invalid(`${key} holds a word that settles messages`);
  return { queue, rest: whole.slice(queue.length + 1), key };
}

/** Refuses what is no topic to publish to. @throws {MessagingError} ERR_INVALID_TOPIC */
export function checkTopic(topic: unknown): asserts topic is string {
  checkText(topic);
  if (/[+#]/.test(topic)) throw invalid(`a topic to publish to has no wildcards: ${topic}`);
}

/** Refuses what is no topic filter: `+` stands for a whole level, `#` for all that follow. @throws {MessagingError} ERR_INVALID_TOPIC */
export function checkFilter(filter: unknown): asserts filter is string {
  checkText(filter);
  const levels = filter.split("/");
  const wrong = levels.some(
    (level, i) => level !== "+" && (level !== "#" || i < levels.length - 1) && /[+#]/.test(level),
  );
  if (wrong) throw invalid(`a wildcard is a level of its own, and # the last one: ${filter}`);
}

function checkText(topic: unknown): asserts topic is string {
  if (typeof topic !== "string" || topic === "" || topic.includes("\0"))
    throw invalid("a topic is text, and not empty");
}

/** The name that `text` begins with. */
function queueOf(text: string): string {
  const slash = text.indexOf("/", text.startsWith(DEAD_LETTERS) ? DEAD_LETTERS.length : 0);
  return slash < 0 ? text : text.slice(0, slash);
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_TOPIC", what);
}
