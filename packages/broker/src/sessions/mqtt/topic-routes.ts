// Hot path: `topicRoute` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import { ReasonCode, type TopicEntry } from "polymq/mqtt/codec";
import type { Route, Router } from "../../core/router.ts";

/** What is known of a topic that clients publish to, kept with the topic until any subscription changes. */
export interface TopicRoute {
  readonly route: Route;
  /** 0, or the reason code with which a publish to this topic is refused. */
  readonly refusal: number;
}

/** The route of a topic. */
export function topicRoute(topic: TopicEntry<TopicRoute>, router: Router, levelsMax: number): TopicRoute {
  const known = topic.value;
  if (known !== undefined && known.route.version === router.version) return known;
  const found = { route: router.route(topic.topic), refusal: topicRefusal(topic.topic, levelsMax) };
  topic.value = found;
  return found;
}

/**
 * 0, or the reason code with which a message to this topic is refused: statistics are the broker's own to publish, and too many
 * levels are refused before they are taken apart.
 */
export function topicRefusal(topic: string, levelsMax: number): number {
  if (topic === "$SYS" || topic.startsWith("$SYS/")) return ReasonCode.NotAuthorized;
  return topic.split("/", levelsMax + 1).length > levelsMax ? ReasonCode.TopicNameInvalid : 0;
}
