import type { Endpoint } from "../endpoint.ts";
import { COUNT, COUNTERS, listOf, objectOf, ok, oneOf, TEXT } from "../schemas.ts";

/** What the broker is and holds, in one answer. */
export const OVERVIEW_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "getOverview",
    method: "GET",
    path: "/api/v1/overview",
    summary: "What the broker is and holds",
    tag: "broker",
    access: "token",
    responses: ok(
      "A picture of this moment",
      objectOf({
        server: TEXT,
        version: TEXT,
        startedAtMs: COUNT,
        uptimeSeconds: COUNT,
        durability: oneOf("none", "fsync", "buffered", "memory"),
        alarms: listOf(TEXT),
        connections: COUNT,
        sessions: COUNT,
        subscriptions: COUNT,
        retainedMessages: COUNT,
        queues: COUNT,
        metrics: COUNTERS,
        statistics: COUNTERS,
      }),
    ),
    handle: (_call, { hub, metrics, version, startedAtMs, connections }) => {
      const body = {
        server: "polymq",
        version,
        startedAtMs,
        uptimeSeconds: Math.max(0, Math.floor((hub.epochMs() - startedAtMs) / 1000)),
        durability: hub.durability,
        alarms: hub.topology.alarms.reasons,
        connections: connections().length,
        sessions: hub.sessions.count,
        subscriptions: hub.router.subscriptionCount,
        retainedMessages: hub.retained.count,
        queues: hub.queues.count,
        metrics: metrics.snapshot(),
        statistics: { ...hub.statistics },
      };
      return { status: 200, body };
    },
  },
];
