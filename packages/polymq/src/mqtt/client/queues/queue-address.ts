import { MessagingError } from "../../../base/errors.ts";
import { checkTopic } from "../../codec/arguments.ts";
import { validateTopicName } from "../../codec/topic.ts";
import { validateTopicFilter } from "../../codec/topic-filter.ts";

/** Where every queue address begins. */
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
  readonly topic: string;
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
  const topic = QUEUE_PREFIX + whole;
  checkTopic(kind === "name" ? validateTopicName(topic) : validateTopicFilter(topic));
  const levels = whole.split("/");
  if (queue === "" || queue === DEAD_LETTERS || /[+#]/.test(queue)) throw invalid(`"${name}" has no queue name`);
  if (levels.some((level) => VERBS.includes(level))) throw invalid(`${topic} holds a word that settles messages`);
  return { queue, rest: whole.slice(queue.length + 1), topic };
}

/** The name that `text` begins with. */
function queueOf(text: string): string {
  const slash = text.indexOf("/", text.startsWith(DEAD_LETTERS) ? DEAD_LETTERS.length : 0);
  return slash < 0 ? text : text.slice(0, slash);
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_TOPIC", what);
}
