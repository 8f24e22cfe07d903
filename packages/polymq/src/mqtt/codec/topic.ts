/** Topic names, topic filters and how they match (MQTT 5.0 §4.7 and §4.8.2, MQTT 3.1.1 §4.7). Nothing here normalizes [MQTT-4.7.3-4]. */

const DOLLAR = 0x24;
const HASH = 0x23;
const PLUS = 0x2b;
const SLASH = 0x2f;

/** Longest topic name or filter in UTF-8 bytes [MQTT-4.7.3-3]. */
export const TOPIC_BYTES_MAX = 65_535;

const SHARE_PREFIX = "$share/";

/**
 * Says what is wrong with a topic name, or null when nothing is: it needs a character [MQTT-4.7.3-1], no U+0000
 * [MQTT-4.7.3-2], no wildcard [MQTT-3.3.2-2] [MQTT-4.7.0-1], no lone surrogate [MQTT-1.5.4-1] and at most 65,535 bytes
 * [MQTT-4.7.3-3].
 */
export function validateTopicName(topic: string): string | null {
  const wrong = wrongText(topic, "topic name");
  if (wrong !== null) return wrong;
  for (let i = 0; i < topic.length; i++) {
    const unit = topic.charCodeAt(i);
    if (unit === HASH || unit === PLUS) return "a topic name must not contain the wildcards + and #";
  }
  return null;
}

/**
 * Says what is wrong with a topic filter, shared subscriptions included, or null: {@link validatePlainTopicFilter} and, for
 * `$share/<group>/<filter>`, a group of at least one character [MQTT-4.8.2-1] without `/`, `+` and `#`, and a filter
 * behind it [MQTT-4.8.2-2].
 */
export function validateTopicFilter(filter: string): string | null {
  if (!filter.startsWith(SHARE_PREFIX)) return validatePlainTopicFilter(filter);
  const wrong = wrongText(filter, "topic filter");
  if (wrong !== null) return wrong;
  const slash = filter.indexOf("/", SHARE_PREFIX.length);
  const group = slash < 0 ? filter.slice(SHARE_PREFIX.length) : filter.slice(SHARE_PREFIX.length, slash);
  if (group === "") return "a shared subscription needs a group: $share/<group>/<filter>";
  if (group.includes("+") || group.includes("#")) return "the group of a shared subscription must not contain + and #";
  if (slash < 0 || slash === filter.length - 1) {
    return "a shared subscription needs a filter behind its group: $share/<group>/<filter>";
  }
  return wrongWildcards(filter, slash + 1);
}

/**
 * Says what is wrong with a topic filter as MQTT 3.1.1 has it (no shared subscriptions), or null: the rules of a topic
 * name, but `+` may fill a level [MQTT-4.7.1-2] and `#` the last one [MQTT-4.7.1-1].
 */
export function validatePlainTopicFilter(filter: string): string | null {
  return wrongText(filter, "topic filter") ?? wrongWildcards(filter, 0);
}

/** What holds for names and filters alike. */
function wrongText(text: string, what: string): string | null {
  if (text.length === 0) return `a ${what} needs at least one character`;
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0) return `a ${what} must not contain U+0000`;
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
    else if (unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2;
      i++;
    } else return `a ${what} must not contain a lone surrogate`;
  }
  return bytes > TOPIC_BYTES_MAX ? `a ${what} of ${bytes} bytes, the limit is ${TOPIC_BYTES_MAX}` : null;
}

function wrongWildcards(filter: string, start: number): string | null {
  for (let i = start; i < filter.length; i++) {
    const unit = filter.charCodeAt(i);
    if (unit !== HASH && unit !== PLUS) continue;
    if (i > start && filter.charCodeAt(i - 1) !== SLASH)
      return "a wildcard must fill a whole level of the topic filter";
    if (unit === HASH && i !== filter.length - 1) return "# must be the last character of the topic filter";
    if (unit === PLUS && i !== filter.length - 1 && filter.charCodeAt(i + 1) !== SLASH) {
      return "a wildcard must fill a whole level of the topic filter";
    }
  }
  return null;
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
