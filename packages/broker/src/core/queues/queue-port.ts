import type { QueueMessage } from "./queue-message.ts";

/** How members of a group share its messages: `work` each message is settled by one, `stream` a shared position in the log. */
export type GroupMode = "work" | "stream";

/**
 * How a stream group commits: `auto`, by and by what was delivered, or what is acknowledged at once, whoever has what lies before; `manual`, what
 * {@link QueueSubscribeRequest.commit commit} calls say; `settled`, everything before the first message that some member has in hand unsettled.
 */
export type CommitMode = "auto" | "manual" | "settled";

/**
 * How long a group lives: `lasting` for as long as its queue, or as the queue's `groupExpiresAfterMs` says; `passing` until nobody was in it for the queue's
 * `passingGroupExpiresAfterMs`; `members` until its last member leaves, and it is not stored.
 */
export type GroupLifetime = "lasting" | "passing" | "members";

/** Why a consumer gets nothing more. */
export type CancelReason = "queue-deleted" | "group-deleted";

/** Takes messages of a queue; a protocol session's consumer. */
export interface QueueConsumer {
  /** The client's identity, for inspection. */
  readonly id: string;
  /**
   * How many more messages it takes now; asked before each delivery. When it rises again, the session calls {@link QueueSubscription.wake}. It
   * is the session's own count: nobody is told that a delivery's time to settle ran out, for the client may have it still.
   */
  readonly credit: number;
  /** Takes a delivery, whose bytes may be kept. Must not throw. May settle inside this call. */
  deliver(delivery: QueueDelivery): void;
  /** The subscription has ended by itself; its unsettled deliveries cannot be settled any more. */
  onCancelled(reason: CancelReason): void;
}

/** One delivery of one message. */
export interface QueueDelivery {
  readonly queue: string;
  /** The group's effective id: `group`, or `group@filter`. Settlements name it. */
  readonly group: string;
  readonly offset: number;
  readonly message: QueueMessage;
  /** Tells this delivery from others of the message to the same group; 0 where the group does not know what members have. */
  readonly ticket: number;
  /** Earlier deliveries of it to this group: 0 the first time. In stream mode at least 1 for what the group reads again without having been moved; unless it commits what is settled, since the broker started. */
  readonly deliveryCount: number;
  /** Only of groups in stream mode. */
  readonly stream: StreamFacts | null;
  /** What came with the settlement by which the message was given back (`note`), or null. */
  readonly note: Uint8Array | null;
}

/** What a stream delivery says besides. */
export interface StreamFacts {
  /** When it was appended, in milliseconds since 1970. */
  readonly timestampMs: number;
  /** The queue's primary group, when it has one and that exists: its id, and the offset below which it has settled everything. */
  readonly work: { readonly group: string; readonly committed: number } | null;
}

/** Where a stream group goes on reading. */
export type StreamPosition =
  /** Where the group is; a group without members goes back to what it has committed. A new group starts at the first message there is. */
  | { readonly at: "resume" }
  | { readonly at: "first" }
  /** At the last message there is. */
  | { readonly at: "last" }
  /** At the next message that comes. */
  | { readonly at: "next" }
  /** An offset before the first or behind the last message means the first or the next one. */
  | { readonly at: "offset"; readonly offset: number }
  /** The first message that was appended at this time or later. */
  | { readonly at: "timestamp"; readonly epochMs: number };

/** What a consumer asks for. */
export interface QueueSubscribeRequest {
  readonly consumer: QueueConsumer;
  readonly group: string;
  /** Routing keys that the group sees, as a filter; "" (the default) for all. A filter other than "" makes a group of its own. */
  readonly filter?: string;
  /** Default: `stream` on a stream, else `work`. Fixed when the group is made. */
  readonly mode?: GroupMode;
  /** Stream mode: moves the whole group unless it is `resume`, which is the default. */
  readonly from?: StreamPosition;
  /** Stream mode; fixed when the group is made. Default `auto`. */
  readonly commit?: CommitMode;
  /** `single-active`: only the oldest member of the group gets messages. Default: as the queue says. */
  readonly distribution?: "round-robin" | "single-active";
  /** Members of a higher one get messages first, as long as they have credit. Default 0. */
  readonly priority?: number;
  /** Default `lasting`; a passing group becomes a lasting one when somebody joins it so. */
  readonly lifetime?: GroupLifetime;
}

/** A consumer's membership in a group. */
export interface QueueSubscription {
  readonly queue: string;
  readonly groupId: string;
  readonly mode: GroupMode;
  /**
   * The consumer's credit has risen: what waits is delivered, inside this call. To be called once to begin with, for nothing is
   * delivered before the first call.
   */
  wake(): void;
  /**
   * As {@link SettleResult}, without looking for queue and group. A message that is not with this consumer any more cannot be given back, nor, with
   * `ticket`, one of which it has a later delivery by now: `not-pending`.
   */
  settle(offset: number, outcome: SettleOutcome, ticket?: number): SettleResult;
  /** Leaves the group; what this consumer has not settled goes back to the others at once. Harmless when called again. */
  close(): void;
}

/** What a consumer made of a message. */
export type SettleOutcome =
  | { readonly is: "ack" }
  /**
   * Deliver it again: at once, or after a delay; without `delayMs` as the queue's `retry` says, or at once for a delivery that does not count
   * (`counts`, default `yes`) as one of those that the message may have. `note` is the session layer's: it comes with the next deliveries to the
   * group, until the broker ends or another one takes its place.
   */
  | {
      readonly is: "nack";
      readonly delayMs?: number;
      readonly counts?: "yes" | "no";
      readonly note?: Uint8Array;
    }
  /** Dead-letter it. `detail` goes with it as text, a thousand characters of it. */
  | { readonly is: "reject"; readonly detail?: string };

/**
 * `not-pending`: nothing with this offset is delivered and unsettled; nothing was changed. Only `settled` is a success, and it is durable
 * with the committer's next batch.
 */
export type SettleResult = "settled" | "not-pending" | "unknown-group" | "unknown-queue";

/** `wrong-mode`: the group is in work mode. `invalid-offset`: it was not delivered yet. */
export type CommitResult = "committed" | "invalid-offset" | "wrong-mode" | "unknown-group" | "unknown-queue";

/** How a message is enqueued. */
export interface EnqueueOptions {
  /** 0 (the default) to the queue's `priorityMax`; what is above it counts as that. */
  readonly priority?: number;
  /** The message is appended after so long; default 0. */
  readonly deliverAfterMs?: number;
}
