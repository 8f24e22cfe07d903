/*
 * Topics have "/" between levels and the wildcards "+" and "#"; routing keys have "." between words, and patterns of them "*" and "#". The one is
 * turned into the other character by character; a topic with dots or a key with slashes does not come back as it was.
 */

/** The routing key of a topic. */
export function keyOfTopic(topic: string): string {
  return topic.includes("/") ? topic.replaceAll("/", ".") : topic;
}

/** The topic of a routing key. */
export function topicOfKey(key: string): string {
  return key.includes(".") ? key.replaceAll(".", "/") : key;
}

/** The topic filter of a pattern: `*` is one level, `#` any number. Filters have `#` only at their end: see `checkFilter`. */
export function filterOfPattern(pattern: string): string {
  return topicOfKey(pattern).replaceAll("*", "+");
}

/** True when a message may be published to it: a topic without wildcards that is neither empty nor reserved. */
export function isPlainTopic(topic: string): boolean {
  if (topic === "" || topic.charCodeAt(0) === DOLLAR) return false;
  for (let i = 0; i < topic.length; i++) {
    const unit = topic.charCodeAt(i);
    if (unit === PLUS || unit === HASH || unit === 0) return false;
  }
  return true;
}

const DOLLAR = 0x24;
const PLUS = 0x2b;
const HASH = 0x23;

/** The exchange that plain topics are, in the virtual host "/". */
export const TOPICS_EXCHANGE = "amq.topic";
