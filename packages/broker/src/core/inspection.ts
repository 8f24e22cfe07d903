import type { Hub } from "./hub.ts";
import type { QueueInspection } from "./queues/queue-inspection.ts";

/** One session in a {@link HubInspection}. */
export interface SessionInspection {
  readonly id: string;
  readonly state: "attached" | "detached";
  /** When it ends without a connection, in milliseconds since 1970; Infinity for never, null while it has one. */
  readonly endsAtMs: number | null;
  readonly expiryMs: number;
  /** True when it survives a restart. */
  readonly isStored: boolean;
  /** Deliveries in the store: waiting or in flight. */
  readonly storedDeliveries: number;
  /** Filters; those of groups as `group: filter`. */
  readonly subscriptions: readonly string[];
}

/** A picture of a hub at one moment. */
export interface HubInspection {
  readonly sessions: readonly SessionInspection[];
  readonly sessionCount: number;
  readonly attachedCount: number;
  readonly subscriptionCount: number;
  readonly sharedSubscriptionCount: number;
  readonly groupCount: number;
  readonly retainedCount: number;
  readonly retainedBytes: number;
  readonly retainedRefusedCount: number;
  /** Bytes of all messages that sessions and retained topics hold together, about. */
  readonly heldBytes: number;
  /** Deliveries, and messages to retain, that were refused because of the limit on them. */
  readonly heldRefusedCount: number;
  readonly delayedCount: number;
  readonly queues: readonly QueueInspection[];
  readonly durability: "none" | "fsync" | "buffered" | "memory";
  readonly commits: number;
  readonly storeFailure: string | null;
  readonly statistics: Readonly<Record<string, number>>;
}

/** Takes the picture; it costs time in proportion to the sessions. */
export function inspectHub(hub: Hub): HubInspection {
  return {
    sessions: hub.sessions.list().map((entry) => ({
      id: entry.session.id,
      state: entry.state.is === "attached" ? "attached" : "detached",
      endsAtMs: entry.state.is === "detached" ? entry.state.endsAtMs : null,
      expiryMs: entry.expiryMs,
      isStored: entry.stored !== null,
      storedDeliveries: entry.stored?.deliveries.size ?? 0,
      subscriptions: hub.router
        .subscriptionsOf(entry.session)
        .map(({ group, filter }) => (group === null ? filter : `${group}: ${filter}`)),
    })),
    sessionCount: hub.sessions.count,
    attachedCount: hub.sessions.attachedCount,
    subscriptionCount: hub.router.subscriptionCount,
    sharedSubscriptionCount: hub.router.sharedSubscriptionCount,
    groupCount: hub.router.groupCount,
    retainedCount: hub.retained.count,
    retainedBytes: hub.retained.bytes,
    retainedRefusedCount: hub.retained.refusedCount,
    heldBytes: hub.held.bytes,
    heldRefusedCount: hub.held.refusedCount,
    delayedCount: hub.delayed.count,
    queues: hub.queues.list(),
    durability: hub.durability,
    commits: hub.committer.commits,
    storeFailure: hub.committer.failure?.message ?? null,
    statistics: { ...hub.statistics },
  };
}
