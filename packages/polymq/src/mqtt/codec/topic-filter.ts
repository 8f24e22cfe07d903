/** Topic filters (MQTT 5.0 §4.7 and §4.8.2, MQTT 3.1.1 §4.7). */

import { WILDCARD, wrongText } from "./topic.ts";

/** What a shared subscription's filter begins with (MQTT 5.0 §4.8.2). */
export const SHARE_PREFIX = "$share/";

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

function wrongWildcards(filter: string): string | null {
  const levels = filter.split("/");
  if (levels.some((level) => level.length > 1 && WILDCARD.test(level))) {
    return "a wildcard must fill a whole level of the topic filter";
  }
  return levels.slice(0, -1).includes("#") ? "# must be the last character of the topic filter" : null;
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
