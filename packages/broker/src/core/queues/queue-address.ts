import { MessagingError } from "polymq/internal";

/** What a topic below `$queue/` asks for. */
export type QueueAddress =
  /** `$queue/<name>[/<key>]`: a message for a queue. The key begins at `keyStart` in the topic; there is none when that is the topic's length. */
  | { readonly is: "publish"; readonly queue: string; readonly keyStart: number }
  /** `$queue/<name>[/...]/$ack`, `$nack` or `$reject`. */
  | { readonly is: "settle"; readonly queue: string; readonly verb: "ack" | "nack" | "reject" }
  /** `$queue/<name>[/...]/$commit`. */
  | { readonly is: "commit"; readonly queue: string }
  | { readonly is: "malformed"; readonly why: string };

/** What a filter below `$queue/` asks for: a queue, and a filter for its routing keys ("" for none). */
export type QueueFilter =
  | { readonly is: "consume"; readonly queue: string; readonly filter: string }
  | { readonly is: "malformed"; readonly why: string };

/** In front of every queue address. */
export const QUEUE_PREFIX = "$queue/";

/** In front of the names of dead-letter queues; the only names with a "/". */
export const DEAD_LETTER_PREFIX = "$dlq/";

/** Characters that a queue's or group's name may have; of a dead-letter queue's, without the prefix. */
export const QUEUE_NAME_MAX = 255;

/** Takes a topic apart; null when it does not lie below `$queue/`. */
export function parseQueueAddress(topic: string): QueueAddress | null {
  if (!topic.startsWith(QUEUE_PREFIX)) return null;
  const name = nameAt(topic);
  const why = queueNameFault(name);
  if (why !== null) return { is: "malformed", why };
  const nameEnd = QUEUE_PREFIX.length + name.length;
  if (nameEnd === topic.length) return { is: "publish", queue: name, keyStart: nameEnd };
  const levels = topic.slice(nameEnd + 1).split("/");
  const last = levels.pop() ?? "";
  if (levels.some(isVerb)) return { is: "malformed", why: "a settlement verb before the last level" };
  switch (last) {
    case "$ack":
      return { is: "settle", queue: name, verb: "ack" };
    case "$nack":
      return { is: "settle", queue: name, verb: "nack" };
    case "$reject":
      return { is: "settle", queue: name, verb: "reject" };
    case "$commit":
      return { is: "commit", queue: name };
    default:
      return { is: "publish", queue: name, keyStart: nameEnd + 1 };
  }
}

/** Takes a filter apart; null when it does not lie below `$queue/`. The caller checks wildcards with `checkFilter`. */
export function parseQueueFilter(filter: string): QueueFilter | null {
  if (!filter.startsWith(QUEUE_PREFIX)) return null;
  const name = nameAt(filter);
  const why = queueNameFault(name);
  if (why !== null) return { is: "malformed", why };
  return { is: "consume", queue: name, filter: filter.slice(QUEUE_PREFIX.length + name.length + 1) };
}

/** The filter of all messages that are addressed to a queue. */
export function ownFilter(queue: string): string {
  return `${QUEUE_PREFIX}${queue}/#`;
}

/** The address of a queue; null for one that has none, for its name is not made for topics. */
export function ownAddress(queue: string): string | null {
  return queueNameFault(queue) === null ? `${QUEUE_PREFIX}${queue}` : null;
}

/** Where the routing key begins in a topic as this queue sees it: topics outside `$queue/<queue>` have none. */
export function keyStartIn(topic: string, queue: string): number {
  const end = QUEUE_PREFIX.length + queue.length;
  const isOwn = topic.startsWith(QUEUE_PREFIX) && topic.startsWith(queue, QUEUE_PREFIX.length);
  return isOwn && topic.charCodeAt(end) === SLASH ? end + 1 : topic.length;
}

/** Checks a group's name; it is part of ids such as `group@filter`. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function checkGroupName(name: string): void {
  if (name === "" || name.length > QUEUE_NAME_MAX || name.includes("\0")) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", `a group's name has 1 to ${QUEUE_NAME_MAX} characters`);
  }
}

/** The id of a group that sees only what its filter matches. */
export function groupIdOf(group: string, filter: string): string {
  return filter === "" ? group : `${group}@${filter}`;
}

/** What is wrong with a queue's name, or null. */
export function queueNameFault(name: string): string | null {
  const plain = name.startsWith(DEAD_LETTER_PREFIX) ? name.slice(DEAD_LETTER_PREFIX.length) : name;
  if (plain === "" || plain.length > QUEUE_NAME_MAX) return `a queue's name has 1 to ${QUEUE_NAME_MAX} characters`;
  if (plain.startsWith("$")) return "names that begin with $ are reserved";
  for (let i = 0; i < plain.length; i++) {
    const unit = plain.charCodeAt(i);
    if (unit === SLASH || unit === PLUS || unit === HASH || unit === 0) {
      return "a queue's name has no /, +, # or U+0000";
    }
  }
  return null;
}

/** The first level behind the prefix; two levels for dead-letter queues. */
function nameAt(topic: string): string {
  const start = QUEUE_PREFIX.length;
  const from = topic.startsWith(DEAD_LETTER_PREFIX, start) ? start + DEAD_LETTER_PREFIX.length : start;
  const end = topic.indexOf("/", from);
  return end < 0 ? topic.slice(start) : topic.slice(start, end);
}

function isVerb(level: string): boolean {
  return level === "$ack" || level === "$nack" || level === "$reject" || level === "$commit";
}

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
