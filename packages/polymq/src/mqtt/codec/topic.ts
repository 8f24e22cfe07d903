/** Topic names, topic filters and how they match (MQTT 5.0 §4.7 and §4.8.2, MQTT 3.1.1 §4.7). Nothing here normalizes [MQTT-4.7.3-4]. */

import { utf8Length } from "../../bytes/text.ts";

const DOLLAR = 0x24;
const HASH = 0x23;
const PLUS = 0x2b;
const SLASH = 0x2f;

/** Longest topic name or filter in UTF-8 bytes [MQTT-4.7.3-3]. */
export const TOPIC_BYTES_MAX = 65_535;

/** What a shared subscription's filter begins with (MQTT 5.0 §4.8.2). */
export const SHARE_PREFIX = "$share/";

const WILDCARD = /[+#]/;

/**
 * Says what is wrong with a topic name, or null when nothing is: it needs a character [MQTT-4.7.3-1], no U+0000
 * [MQTT-4.7.3-2], no wildcard [MQTT-3.3.2-2] [MQTT-4.7.0-1], no lone surrogate [MQTT-1.5.4-1] and at most 65,535 bytes
 * [MQTT-4.7.3-3].
 */
export function validateTopicName(topic: string): string | null {
  const wrong = wrongText(topic, "topic name");
  if (wrong !== null) return wrong;
  return WILDCARD.test(topic) ? "a topic name must not contain the wildcards + and #" : null;
}

/**
 * Says what is wrong with a topic filter, shared subscriptions included, or null: {@link validatePlainTopicFilter} and, for
 * `$share/<group>/<filter>`, a group of at least one character [MQTT-4.8.2-1] without `/`, `+` and `#`, and a filter
 * behind it [MQTT-4.8.2-2].
 */
export function validateTopicFilter(filter: string): string | null {
  const wrong = wrongText(filter, "topic filter");
  if (wrong !== null) return wrong;
  if (!filter.startsWith(SHARE_PREFIX)) return wrongWildcards(filter);
  const [, group = "", ...levels] = filter.split("/");
  if (WILDCARD.test(group)) return "the group of a shared subscription must not contain + and #";
  const pattern = levels.join("/");
  if (group === "" || pattern === "")
    return "a shared subscription needs a group and a filter: $share/<group>/<filter>";
  return wrongWildcards(pattern);
}

/**
 * Says what is wrong with a topic filter as MQTT 3.1.1 has it (no shared subscriptions), or null: the rules of a topic
 * name, but `+` may fill a level [MQTT-4.7.1-2] and `#` the last one [MQTT-4.7.1-1].
 */
export function validatePlainTopicFilter(filter: string): string | null {
  return wrongText(filter, "topic filter") ?? wrongWildcards(filter);
}

/** What holds for names and filters alike. */
function wrongText(text: string, what: string): string | null {
  if (typeof text !== "string") return `a ${what} must be a string`;
  if (text === "") return `a ${what} needs at least one character`;
  if (text.includes("\0")) return `a ${what} must not contain U+0000`;
  if (!text.isWellFormed()) return `a ${what} must not contain a lone surrogate`;
  const bytes = utf8Length(text);
  return bytes > TOPIC_BYTES_MAX ? `a ${what} of ${bytes} bytes, the limit is ${TOPIC_BYTES_MAX}` : null;
}

function wrongWildcards(filter: string): string | null {
  const levels = filter.split("/");
  if (levels.some((level) => level.length > 1 && WILDCARD.test(level))) {
    return "a wildcard must fill a whole level of the topic filter";
  }
  return levels.slice(0, -1).includes("#") ? "# must be the last character of the topic filter" : null;
}

/**
 * True when the topic name matches the filter (MQTT 5.0 §4.7.1). Both must be valid, and the filter without
 * `$share/<group>/`. A filter that starts with a wildcard matches no topic that starts with `$` [MQTT-4.7.2-1].
 */
export function topicMatches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0);
  if (topic.charCodeAt(0) === DOLLAR && (first === HASH || first === PLUS)) return false;
  let t = 0;
  for (let f = 0; f < filter.length; f++) {
    const unit = filter.charCodeAt(f);
    if (unit === HASH) return true;
    if (unit === PLUS) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++;
    } else if (t < topic.length && unit === topic.charCodeAt(t)) {
      t++;
    } else {
      // `a/#` matches `a`, too: only `/#` is left of the filter and nothing of the topic.
      return t === topic.length && f === filter.length - 2 && unit === SLASH && filter.charCodeAt(f + 1) === HASH;
    }
  }
  return t === topic.length;
}

/** A shared subscription's parts. */
export interface SharedFilter {
  /** The ShareName. */
  readonly group: string;
  /** The filter that topics are matched with. */
  readonly filter: string;
}

/** Takes `$share/<group>/<filter>` apart; null when the filter is not a shared subscription's, or not a valid one (MQTT 5.0 §4.8.2). */
export function parseSharedFilter(filter: string): SharedFilter | null {
  if (!filter.startsWith(SHARE_PREFIX) || validateTopicFilter(filter) !== null) return null;
  const slash = filter.indexOf("/", SHARE_PREFIX.length);
  return { group: filter.slice(SHARE_PREFIX.length, slash), filter: filter.slice(slash + 1) };
}
