// Hot path: `refusal` and `enqueue` run per message. No closure, promise, spread, iterator or regex on their usual way.
import { type Clock, MessagingError } from "polymq/internal";
import type { Deadline, Schedule } from "../schedule.ts";
import { DELAYED_MAX, DelayedMessages } from "./delayed-messages.ts";
import type { Death, Group, GroupHost } from "./group.ts";
import { HeadExpiry } from "./head-expiry.ts";
import { PriorityLanes } from "./priority-lanes.ts";
import { groupIdOf, keyStartIn } from "./queue-address.ts";
import type { QueueCache } from "./queue-cache.ts";
import type { QueueLog, ReadAhead } from "./queue-log.ts";
import type { DeadLetterFacts, QueueMessage } from "./queue-message.ts";
import type { EnqueueOptions } from "./queue-port.ts";
import type { Enqueued, Placement, QueueRecordCodec } from "./queue-record.ts";
import type { QueueSettings } from "./queue-settings.ts";
import { QueueStatistics } from "./queue-statistics.ts";
import { retentionPoint } from "./retention.ts";
import { SettledPages } from "./settled-pages.ts";
import { WaitingBytes } from "./waiting-bytes.ts";
import { WorkGroup } from "./work-group.ts";

/** What a queue shares with all others. */
export interface QueueContext {
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly codec: QueueRecordCodec;
  readonly cache: QueueCache;
  readonly onError: (error: unknown) => void;
  /** Something of the queue is to be stored: with the batch that is made now, or with the next one that somebody makes. */
  readonly touch: (queue: Queue, when: "soon" | "lazy") => void;
  /** A message died in this queue. */
  readonly bury: (queue: Queue, message: QueueMessage, death: Death) => void;
}

/** Expired messages that one sweep takes out at most before others have their turn. */
const SWEPT_MAX = 1_000;

/** What may be queued: a publisher's view, or a message out of another queue. */
export type Enqueueable = Enqueued & { readonly expiresAtMs: number };

/** A queue: a log of messages and the groups that read it. */
export class Queue implements GroupHost {
  readonly name: string;
  /** Its number in the store, and its log's. */
  readonly number: number;
  readonly log: QueueLog;
  readonly lanes: PriorityLanes | null;
  readonly removed: SettledPages = new SettledPages(0);
  readonly statistics: QueueStatistics = new QueueStatistics();
  readonly delayed: DelayedMessages;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly onError: (error: unknown) => void;
  /** By effective id. */
  readonly groups: Map<string, Group> = new Map();
  /** True when it survives a restart. */
  readonly isStored: boolean;
  settings: QueueSettings;
  /** When it goes for want of use; for `queue-directory.ts`. */
  expiry: Deadline | null = null;
  /** True while it waits for the next batch; for `queue-persistence.ts`. */
  isDirty = false;
  /** Appended entries of the batch under way end here; for `queue-persistence.ts`. */
  flightNext = 0;
  /** The base of {@link removed} that the store has; for `queue-persistence.ts`. */
  removedBaseStored = 0;
  nextGroupNumber = 1;
  readonly #context: QueueContext;
  readonly #place: Placement = {
    offset: 0,
    startBytes: 0,
    keyStart: 0,
    priority: 0,
    createdAtMs: 0,
    expiresAtMs: 0,
    deadLetter: null,
  };
  /** Everything before it is no candidate for leaving at the head. */
  #dropFrom = 0;
  /** Everything before it may go, as far as retention is asked. */
  #retentionPoint = 0;
  /** Set when expired messages are to leave on time. */
  #headExpiry: HeadExpiry | null = null;
  #waitingBytes: WaitingBytes | null = null;

  constructor(context: QueueContext, settings: QueueSettings, log: QueueLog, isStored: boolean) {
    this.#context = context;
    this.name = settings.name;
    this.number = log.number;
    this.settings = settings;
    this.log = log;
    this.isStored = isStored;
    this.lanes = settings.priorityMax === 0 ? null : new PriorityLanes(settings.priorityMax);
    this.clock = context.clock;
    this.schedule = context.schedule;
    this.onError = context.onError;
    this.delayed = new DelayedMessages(this, context);
  }

  /** Messages that not every work group has settled; without work groups, all. */
  get depth(): number {
    let depth = -1;
    for (const group of this.groups.values()) {
      if (group instanceof WorkGroup && group.depth > depth) depth = group.depth;
    }
    if (depth >= 0) return depth;
    const { log, removed } = this;
    return Math.max(0, log.next - Math.max(log.first, removed.base) - removed.countAbove);
  }

  /** Consumers in all groups. */
  get consumerCount(): number {
    let count = 0;
    for (const group of this.groups.values()) count += group.members.list.length;
    return count;
  }

  /** True when somebody consumes from it. */
  get isUsed(): boolean {
    for (const group of this.groups.values()) if (group.members.list.length > 0) return true;
    return false;
  }

  /** Why it does not take a message of so many payload bytes now, or null. */
  refusal(payloadBytes: number, options: EnqueueOptions | null = null): MessagingError | null {
    const { settings, log } = this;
    if (payloadBytes > settings.maxMessageBytes) {
      const text = `a message of ${payloadBytes} bytes, queue ${this.name} takes ${settings.maxMessageBytes}`;
      return new MessagingError("ERR_MESSAGE_TOO_LARGE", text);
    }
    if (!this.isStored && !this.#context.cache.hasMemoryFor(payloadBytes)) {
      return new MessagingError("ERR_QUEUE_FULL", `no memory left for queue ${this.name}`);
    }
    if (options !== null && (options.deliverAfterMs ?? 0) > 0 && this.delayed.count >= DELAYED_MAX) {
      return new MessagingError("ERR_QUEUE_FULL", `queue ${this.name} has ${DELAYED_MAX} delayed messages`);
    }
    const { maxDepth: max, maxBytes } = settings;
    if (maxBytes > 0 && settings.overflow === "reject" && this.#bytesWaiting() >= maxBytes) {
      return new MessagingError("ERR_QUEUE_FULL", `queue ${this.name} holds ${maxBytes} bytes`);
    }
    // The log can be longer than the queue is deep, never shorter.
    if (max === 0 || settings.overflow !== "reject" || log.next - log.first + this.delayed.count < max) return null;
    if (this.depth + this.delayed.count < max) return null;
    return new MessagingError("ERR_QUEUE_FULL", `queue ${this.name} holds ${max} messages`);
  }

  /** Takes a message that nothing speaks against (see {@link refusal}). It is delivered once it is durable. */
  enqueue(
    message: Enqueueable,
    options: EnqueueOptions | null = null,
    deadLetter: DeadLetterFacts | null = null,
  ): void {
    // What came by an exchange has its key as its topic, unless that is the queue's own address.
    const isAddress = message.exchange === null || message.topic.charCodeAt(0) === DOLLAR;
    const keyStart = isAddress ? keyStartIn(message.topic, this.name) : 0;
    const priority = Math.min(options?.priority ?? 0, this.settings.priorityMax);
    const delayMs = options?.deliverAfterMs ?? 0;
    if (delayMs > 0) {
      const dueAtMs = this.clock.epochMs() + delayMs;
      this.delayed.add(message, { keyStart, priority, dueAtMs });
    } else this.append(message, keyStart, priority, deadLetter);
  }

  /** Puts a message at the end of the log; with `drop-head`, older ones leave when there are too many. */
  append(message: Enqueueable, keyStart: number, priority: number, deadLetter: DeadLetterFacts | null): void {
    const { settings, log } = this;
    if (settings.overflow === "drop-head") {
      if (settings.maxDepth > 0) this.#makeRoom(settings.maxDepth);
      if (settings.maxBytes > 0) this.#makeRoomForBytes(settings.maxBytes - message.payload.length);
    }
    const place = this.#place;
    const epochMs = this.clock.epochMs();
    place.offset = log.next;
    place.startBytes = log.endBytes;
    place.keyStart = keyStart;
    place.priority = priority;
    place.createdAtMs = epochMs > log.lastAtMs ? epochMs : log.lastAtMs;
    const endsAtMs = settings.ttlMs === 0 ? Number.POSITIVE_INFINITY : epochMs + settings.ttlMs;
    place.expiresAtMs = message.expiresAtMs < endsAtMs ? message.expiresAtMs : endsAtMs;
    place.deadLetter = deadLetter;
    log.append(message, place);
    this.lanes?.add(place.offset, priority);
    this.statistics.appended++;
    if (place.expiresAtMs < Number.POSITIVE_INFINITY) this.#headExpiry?.expect(place.expiresAtMs);
    this.touch("soon");
  }

  /** From now on expired messages leave when they expire, and not only when somebody comes for them. */
  expireOnTime(): void {
    if (this.settings.kind === "stream" || this.#headExpiry !== null) return;
    this.#headExpiry = new HeadExpiry(this);
    this.#headExpiry.look();
  }

  touch(when: "soon" | "lazy"): void {
    this.#context.touch(this, when);
  }

  /** What was in the batch under way is durable: it is delivered. */
  onDurable(): void {
    this.log.onDurable(this.flightNext);
    this.delayed.onDurable();
    this.pump();
  }

  /** Delivers what can be delivered. */
  pump(): void {
    for (const group of this.groups.values()) group.pump();
  }

  expire(message: QueueMessage): void {
    if (this.settings.kind === "stream") return; // there, reading passes over it and retention removes it
    if (!this.remove(message.offset)) return;
    this.statistics.expired++;
    this.bury(message, { reason: "expired", group: "", count: 0, detail: "" });
  }

  bury(message: QueueMessage, death: Death): void {
    this.#context.bury(this, message, death);
  }

  /** Takes a message out for everybody but members that work on it; false when it was out. */
  remove(offset: number): boolean {
    if (!this.removed.add(offset)) return false;
    for (const group of this.groups.values()) group.onRemoved(offset);
    this.touch("soon");
    return true;
  }

  /** Takes several messages out, and only then delivers what that has made room for: or what is to go would be delivered on the way. */
  removeTogether<T>(remove: () => T): T {
    const held: WorkGroup[] = [];
    for (const group of this.groups.values()) if (group instanceof WorkGroup && group.hold()) held.push(group);
    try {
      return remove();
    } finally {
      for (const group of held) group.release();
    }
  }

  readSafely(offset: number, ahead: ReadAhead | null): QueueMessage | null {
    try {
      return this.log.read(offset, ahead);
    } catch (error) {
      this.onError(error);
      return null;
    }
  }

  onReturned(offset: number): void {
    if (offset < this.#dropFrom) this.#dropFrom = offset;
    this.#waitingBytes?.onReturned(offset);
  }

  primaryProgress(filter: string): { readonly group: string; readonly committed: number } | null {
    const { primaryGroup } = this.settings;
    if (primaryGroup === "") return null;
    const group = this.groups.get(groupIdOf(primaryGroup, filter));
    return group === undefined ? null : { group: primaryGroup, committed: group.committed };
  }

  /** True when a member of any group works on the message. */
  isPending(offset: number): boolean {
    for (const group of this.groups.values()) {
      if (group instanceof WorkGroup && group.isPending(offset)) return true;
    }
    return false;
  }

  /** True when the message is there and some work group, or with none anybody, has not settled it. */
  isLive(offset: number): boolean {
    if (offset < this.log.first || offset >= this.log.next || this.removed.has(offset)) return false;
    let hasWorkGroup = false;
    for (const group of this.groups.values()) {
      if (!(group instanceof WorkGroup)) continue;
      hasWorkGroup = true;
      if (!group.settled.has(offset)) return true;
    }
    return !hasWorkGroup;
  }

  /** True when the message is live for somebody, and nobody of theirs works on it. */
  isWaiting(offset: number): boolean {
    if (offset < this.log.first || offset >= this.log.next || this.removed.has(offset)) return false;
    let hasWorkGroup = false;
    for (const group of this.groups.values()) {
      if (!(group instanceof WorkGroup)) continue;
      hasWorkGroup = true;
      if (!group.settled.has(offset) && !group.isPending(offset)) return true;
    }
    return !hasWorkGroup;
  }

  /** Removes what nobody needs any more at the head; once per batch. */
  trim(): void {
    const { log } = this;
    const { messages, bytes } = this.settings.retention;
    if (messages > 0 || bytes > 0) this.#raiseRetention({ ageMs: 0, messages, bytes });
    const to = this.#head();
    if (to <= log.first) return;
    log.truncate(to);
    this.removed.raise(to);
    this.lanes?.dropBefore(to);
    for (const group of this.groups.values()) group.onTruncated(to);
  }

  /** Expired messages at the head go, and what retention does not hold any more. */
  sweep(epochMs: number): void {
    this.#raiseRetention(this.settings.retention);
    if (this.#headExpiry !== null) this.#headExpiry.look();
    else if (this.settings.kind === "classic") this.removeTogether(() => this.#sweepExpired(epochMs, SWEPT_MAX));
    if (this.#head() > this.log.first) this.touch("soon");
  }

  /** Ends it: nothing is delivered any more, consumers are told. */
  close(reason: "queue-deleted" | null): void {
    this.delayed.close();
    this.expiry?.cancel();
    this.#headExpiry?.close();
    for (const group of this.groups.values()) {
      const members = group.members.list.slice();
      group.close();
      if (reason !== null) for (const member of members) member.consumer.onCancelled(reason);
    }
  }

  #raiseRetention(rules: QueueSettings["retention"]): void {
    this.#retentionPoint = Math.max(this.#retentionPoint, retentionPoint(this.log, rules, this.clock.epochMs()));
  }

  /** Where the log may begin: behind what work groups have settled, as far as retention lets go, and behind what was taken out. */
  #head(): number {
    const { retention, kind } = this.settings;
    let settled = Number.POSITIVE_INFINITY;
    for (const group of this.groups.values()) {
      if (group.mode === "work" && group.committed < settled) settled = group.committed;
    }
    const hasRetention = retention.ageMs > 0 || retention.bytes > 0 || retention.messages > 0;
    const retained = hasRetention ? this.#retentionPoint : kind === "classic" ? settled : 0;
    const head = settled === Number.POSITIVE_INFINITY ? (hasRetention ? retained : 0) : Math.min(settled, retained);
    return Math.min(this.log.next, Math.max(head, Math.min(settled, this.removed.base)));
  }

  #makeRoom(max: number): void {
    if (this.log.next - this.log.first < max) return;
    this.removeTogether(() => {
      while (this.#idle() >= max) if (!this.#dropOldest()) return;
    });
  }

  #makeRoomForBytes(max: number): void {
    if (this.#bytesWaiting() <= max) return;
    this.removeTogether(() => {
      while (this.#bytesWaiting() > max) if (!this.#dropOldest()) return;
    });
  }

  #bytesWaiting(): number {
    this.#waitingBytes ??= new WaitingBytes(this);
    return this.#waitingBytes.bytes;
  }

  /** Messages that wait for somebody to work on them, in the group that has most of them. */
  #idle(): number {
    let idle = -1;
    for (const group of this.groups.values()) {
      if (group instanceof WorkGroup) idle = Math.max(idle, group.depth - group.pendingCount);
    }
    return idle < 0 ? this.depth : idle;
  }

  /** The oldest message that nobody works on becomes a dead letter; false when there is none. */
  #dropOldest(): boolean {
    const { log } = this;
    for (let offset = Math.max(this.#dropFrom, log.first); offset < log.next; offset++) {
      this.#dropFrom = offset + 1;
      if (!this.isLive(offset) || this.isPending(offset)) continue;
      const message = this.readSafely(offset, null);
      this.remove(offset);
      this.statistics.overflowed++;
      if (message !== null) this.bury(message, { reason: "maxlen", group: "", count: 0, detail: "" });
      return true;
    }
    return false;
  }

  #sweepExpired(epochMs: number, countMax: number): void {
    const { log } = this;
    let left = countMax;
    for (let offset = log.first; offset < log.durableNext; offset++) {
      if (!this.isLive(offset)) continue;
      const message = this.readSafely(offset, null);
      if (message === null || message.expiresAtMs > epochMs) return;
      if (left-- === 0) {
        this.schedule.after(0, () => this.removeTogether(() => this.#sweepExpired(epochMs, countMax)));
        return;
      }
      this.expire(message);
    }
  }
}

const DOLLAR = 0x24;
