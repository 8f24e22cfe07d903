/** Topic names, and how filters match them (MQTT 5.0 §4.7, MQTT 3.1.1 §4.7). Nothing here normalizes [MQTT-4.7.3-4]. */

import { utf8Length } from "../../bytes/text.ts";

const DOLLAR = 0x24;
const HASH = 0x23;
const PLUS = 0x2b;
const SLASH = 0x2f;

/** Longest topic name or filter in UTF-8 bytes [MQTT-4.7.3-3]. */
export const TOPIC_BYTES_MAX = 65_535;

/** What a topic name may not hold. */
export const WILDCARD: RegExp = /[+#]/;

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

/** Says what is wrong with a text that is a `what`, name or filter, or null. */
export function wrongText(text: string, what: string): string | null {
  if (typeof text !== "string") return `a ${what} must be a string`;
  if (text === "") return `a ${what} needs at least one character`;
  if (text.includes("\0")) return `a ${what} must not contain U+0000`;
  if (!text.isWellFormed()) return `a ${what} must not contain a lone surrogate`;
  const bytes = utf8Length(text);
  return bytes > TOPIC_BYTES_MAX ? `a ${what} of ${bytes} bytes, the limit is ${TOPIC_BYTES_MAX}` : null;
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
