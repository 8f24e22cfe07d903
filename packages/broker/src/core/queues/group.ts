import type { Clock } from "polymq/internal";
import type { Deadline, Schedule } from "../schedule.ts";
import type { KeyFilter } from "./key-filter.ts";
import type { Member, Members } from "./members.ts";
import type { Pending } from "./pending.ts";
import type { PriorityLanes } from "./priority-lanes.ts";
import type { QueueLog, ReadAhead } from "./queue-log.ts";
import type { DeadLetterReason, QueueMessage } from "./queue-message.ts";
import type { CommitMode, GroupLifetime, GroupMode, SettleOutcome, SettleResult } from "./queue-port.ts";
import type { QueueSettings } from "./queue-settings.ts";
import type { QueueStatistics } from "./queue-statistics.ts";
import type { SettledPages } from "./settled-pages.ts";

/** Why, where and how often a message failed. */
export interface Death {
  readonly reason: DeadLetterReason;
  readonly group: string;
  readonly count: number;
  readonly detail: string;
}

/** What a group is part of; the queue is one. */
export interface GroupHost {
  readonly name: string;
  readonly settings: QueueSettings;
  readonly log: QueueLog;
  readonly lanes: PriorityLanes | null;
  /** Offsets that nobody gets any more. */
  readonly removed: SettledPages;
  readonly statistics: QueueStatistics;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly onError: (error: unknown) => void;
  /** The group's records changed: they go with the next batch. `soon` makes one; `lazy` leaves that to somebody else for a while. */
  touch(when: "soon" | "lazy"): void;
  /** The message at an offset, or null when there is none or it cannot be read, which is then reported: whoever settles is not concerned. */
  readSafely(offset: number, ahead: ReadAhead | null): QueueMessage | null;
  /** A member gave a message back: it may be the oldest one that nobody works on. */
  onReturned(offset: number): void;
  /** A message has expired: nobody gets it any more. */
  expire(message: QueueMessage): void;
  /** A message died in a group. */
  bury(message: QueueMessage, death: Death): void;
  /** How far the primary group is; null when there is none. */
  primaryProgress(filter: string): { readonly group: string; readonly committed: number } | null;
}

/** What a group was made as; stored with it. */
export interface GroupFacts {
  /** Its number among the queue's groups. */
  readonly number: number;
  /** The effective id. */
  readonly id: string;
  readonly name: string;
  readonly filter: KeyFilter;
  readonly commit: CommitMode;
  readonly lifetime: GroupLifetime;
}

/** What is stored of a group that knows what its members have done, besides how far it is. */
export interface KeptDeliveries {
  readonly settled: SettledPages;
  /** Entries whose stored count is not what it should be; taken by whoever stores them. */
  countChanges: Pending[];
  /** Entries that are delivered and unsettled, by rising offsets. */
  entries(): IterableIterator<Pending>;
}

/** A group of consumers of one queue. */
export interface Group extends Omit<GroupFacts, "lifetime"> {
  lifetime: GroupLifetime;
  /** When it goes for want of members; for `queue-directory.ts`. */
  expiry: Deadline | null;
  readonly mode: GroupMode;
  readonly members: Members;
  /** Null of a stream's group that does not commit what is settled. */
  readonly kept: KeptDeliveries | null;
  /** Where the next first delivery is, for each priority; in stream mode of a group with {@link kept}. */
  positions(): readonly number[];
  /** True while its records are not what the store has. */
  isDirty: boolean;
  /** Everything before it is done with. */
  readonly committed: number;
  /** Messages that are not settled, in stream mode not committed. */
  readonly depth: number;
  /** Messages that members work on now. */
  readonly pendingCount: number;
  /** Messages that were delivered and are to be delivered again. */
  readonly returnedCount: number;
  join(member: Member): void;
  leave(member: Member): void;
  /** What the member has and has not settled is delivered again, to it or to others; in stream mode only where the group knows what members have. */
  giveBack(member: Member): void;
  /** Delivers what can be delivered now. */
  pump(): void;
  settle(offset: number, outcome: SettleOutcome): SettleResult;
  /** Whether a member has a message, with `ticket` by this delivery, in hand, and can settle it; true where the group does not know what members have. */
  holds(member: Member, offset: number, ticket?: number): boolean;
  /** A message was taken out of the queue. */
  onRemoved(offset: number): void;
  /** The log begins at `first` now. */
  onTruncated(first: number): void;
  /** Stops timers; nothing is delivered any more. */
  close(): void;
}
