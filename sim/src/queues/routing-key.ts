import { topicMatches } from "polymq/mqtt";

/** True when a group's filter takes a routing key; "" is the key of a message without one. */
export function routingKeyMatches(filter: string, key: string): boolean {
  if (key === "") return filter === "#";
  return topicMatches(filter, key);
}
