import type { Group } from "./group.ts";
import type { Queue } from "./queue.ts";
import type { GroupLifetime, GroupMode } from "./queue-port.ts";
import type { QueueSettings } from "./queue-settings.ts";
import type { QueueStatistics } from "./queue-statistics.ts";
import { StreamGroup } from "./stream-group.ts";

/** One group in a {@link QueueInspection}. */
export interface QueueGroupInspection {
  /** The effective id. */
  readonly id: string;
  readonly mode: GroupMode;
  readonly lifetime: GroupLifetime;
  /** When it goes for want of members, in milliseconds since 1970; null while it has some, or never does. */
  readonly expiresAtMs: number | null;
  /** Consumers' ids, in the order in which they came. */
  readonly members: readonly string[];
  /** Messages that are not settled, in stream mode not committed. */
  readonly depth: number;
  /** Messages that members work on now. */
  readonly pending: number;
  /** Messages that were delivered and are to be delivered again. */
  readonly returned: number;
  /** Everything before it is settled, in stream mode committed. */
  readonly committed: number;
  /** Stream mode: the next offset to deliver; else null. */
  readonly cursor: number | null;
}

/** A picture of one queue. */
export interface QueueInspection {
  readonly name: string;
  readonly settings: QueueSettings;
  /** True when it survives a restart. */
  readonly isStored: boolean;
  /** Offset of the first message that is kept, and of the next one. */
  readonly first: number;
  readonly next: number;
  /** Bytes of the messages that are kept. */
  readonly bytes: number;
  /** Messages that not every work group has settled. */
  readonly depth: number;
  readonly delayed: number;
  readonly groups: readonly QueueGroupInspection[];
  /** Counted since the broker started. */
  readonly statistics: Readonly<QueueStatistics>;
}

/** Takes the picture; it costs time in proportion to groups and members. */
export function inspectQueue(queue: Queue): QueueInspection {
  return {
    name: queue.name,
    settings: queue.settings,
    isStored: queue.isStored,
    first: queue.log.first,
    next: queue.log.next,
    bytes: queue.log.bytes,
    depth: queue.depth,
    delayed: queue.delayed.count,
    groups: Array.from(queue.groups.values(), inspectGroup),
    statistics: { ...queue.statistics },
  };
}

function inspectGroup(group: Group): QueueGroupInspection {
  return {
    id: group.id,
    mode: group.mode,
    lifetime: group.lifetime,
    expiresAtMs: group.expiry?.atMs ?? null,
    members: group.members.list.map((member) => member.consumer.id),
    depth: group.depth,
    pending: group.pendingCount,
    returned: group.returnedCount,
    committed: group.committed,
    cursor: group instanceof StreamGroup ? group.cursor : null,
  };
}
