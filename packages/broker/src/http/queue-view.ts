import type { QueueGroupInspection, QueueInspection } from "../core/queues/queue-inspection.ts";
import type { Schema } from "./endpoint.ts";
import { COUNT, COUNTERS, FLAG, listOf, MAYBE_COUNT, objectOf, oneOf, openObject, TEXT } from "./schemas.ts";

/** A consumer group in JSON. */
export const GROUP: Schema = objectOf({
  id: TEXT,
  mode: oneOf("work", "stream"),
  members: listOf(TEXT),
  depth: COUNT,
  pending: COUNT,
  returned: COUNT,
  committed: COUNT,
  cursor: MAYBE_COUNT,
});

/** A queue in JSON. */
export const QUEUE: Schema = objectOf({
  name: TEXT,
  kind: oneOf("classic", "stream"),
  isStored: FLAG,
  first: COUNT,
  next: COUNT,
  bytes: COUNT,
  depth: COUNT,
  delayed: COUNT,
  consumers: COUNT,
  settings: openObject("As `QueueSettings` in @polymq/broker"),
  groups: listOf(GROUP),
  statistics: COUNTERS,
});

export function groupView(group: QueueGroupInspection): Readonly<Record<string, unknown>> {
  const { id, mode, members, depth, pending, returned, committed, cursor } = group;
  return { id, mode, members, depth, pending, returned, committed, cursor };
}

export function queueView(queue: QueueInspection): Readonly<Record<string, unknown>> {
  const { name, settings, isStored, first, next, bytes, depth, delayed, groups, statistics } = queue;
  const consumers = groups.reduce((sum, group) => sum + group.members.length, 0);
  const kind = settings.kind;
  return {
    name,
    kind,
    isStored,
    first,
    next,
    bytes,
    depth,
    delayed,
    consumers,
    settings,
    groups: groups.map(groupView),
    statistics,
  };
}
