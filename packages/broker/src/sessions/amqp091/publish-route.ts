/** What is known of an exchange and routing key that clients publish to, kept with the route. */
export interface PublishRoute {
  /** The topic by which access control knows it. */
  readonly topic: string;
  /** The queue whose group commits an offset by this message (`$queue/<q>/$commit`), or null. */
  readonly commits: string | null;
  /** True for what names an answer to a request over direct reply-to. */
  readonly isReply: boolean;
}

/** In front of the address of somebody who waits for answers. */
export const REPLY_PREFIX = "amq.rabbitmq.reply-to.";

const QUEUE_PREFIX = "$queue/";
const COMMIT_SUFFIX = "/$commit";

/** Looks at an exchange and routing key. */
export function publishRoute(exchange: string, key: string): PublishRoute {
  const isDefault = exchange === "" || exchange === "amq.default";
  const isReply = isDefault && key.startsWith(REPLY_PREFIX);
  const isCommit = isDefault && key.startsWith(QUEUE_PREFIX) && key.endsWith(COMMIT_SUFFIX);
  const queue = key.slice(QUEUE_PREFIX.length, -COMMIT_SUFFIX.length);
  return { topic: publishTopic(exchange, key), commits: isCommit && queue !== "" ? queue : null, isReply };
}

/**
 * The topic that stands for an exchange and routing key in permissions: a queue's address, the plain topic where there is one, else the exchange with
 * the key below it.
 */
export function publishTopic(exchange: string, key: string): string {
  if (exchange === "" || exchange === "amq.default") return key.startsWith("$") ? key : topicOf(key);
  return exchange === "amq.topic" ? topicOf(key) : `${exchange}/${topicOf(key)}`;
}

/** The topic of a routing key: what stands between dots are its levels, unless it is written as a topic already. */
export function topicOf(key: string): string {
  return key.includes("/") ? key : key.replaceAll(".", "/");
}

/** The filter of a binding's or consumer's pattern: `*` is one level, `#` any number of them. */
export function filterOf(pattern: string): string {
  if (pattern.includes("/") || pattern.includes("+")) return pattern;
  return pattern.replaceAll(".", "/").replaceAll("*", "+");
}
