// Hot path: `refusal` and `enqueue` run per message. No closure, promise, spread, iterator or regex on their usual way.
import { type Clock, MessagingError } from "polymq/internal";
import type { Deadline, Schedule } from "../schedule.ts";
import { DELAYED_MAX, DelayedMessages } from "./delayed-messages.ts";
import { Expiry } from "./expiry.ts";
import type { Death, Group, GroupHost } from "./group.ts";
import { HeadExpiry } from "./head-expiry.ts";
import { type Ahead, NOTHING_AHEAD, Overflow } from "./overflow.ts";
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
  readonly overflow: Overflow;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly onError: (error: unknown) => void;
  /** By effective id. */
  readonly groups: Map<string, Group> = new Map();
  /** True when it survives a restart. */
  readonly isStored: boolean;
  settings: QueueSettings;
  /** True when it ended: nothing happens to it any more. */
  isClosed = false;
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
  /** Everything before it may go, as far as retention is asked. */
  #retentionPoint = 0;
  /** Set when expired messages are to leave on time. */
  #headExpiry: HeadExpiry | null = null;
  readonly #expiry: Expiry;

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
    this.overflow = new Overflow(this);
    this.#expiry = new Expiry(this);
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

  /**
   * Why it does not take a message of so many payload bytes now, or null.
   * @param ahead messages that it is to take before
   */
  refusal(
    payloadBytes: number,
    options: EnqueueOptions | null = null,
    ahead: Ahead = NOTHING_AHEAD,
  ): MessagingError | null {
    const { settings } = this;
    if (payloadBytes > settings.maxMessageBytes) {
      const text = `a message of ${payloadBytes} bytes, queue ${this.name} takes ${settings.maxMessageBytes}`;
      return new MessagingError("ERR_MESSAGE_TOO_LARGE", text);
    }
    if (!this.isStored && !this.#context.cache.hasMemoryFor(payloadBytes + ahead.bytes)) {
      return new MessagingError("ERR_QUEUE_FULL", `no memory left for queue ${this.name}`);
    }
    if (options !== null && (options.deliverAfterMs ?? 0) > 0 && this.delayed.count >= DELAYED_MAX) {
      return new MessagingError("ERR_QUEUE_FULL", `queue ${this.name} has ${DELAYED_MAX} delayed messages`);
    }
    const held = this.overflow.refuses(payloadBytes, ahead);
    return held === null ? null : new MessagingError("ERR_QUEUE_FULL", `queue ${this.name} holds ${held}`);
  }

  /** Takes a message that nothing speaks against (see {@link refusal}). It is delivered once it is durable. */
  enqueue(
    message: Enqueueable,
    options: EnqueueOptions | null = null,
    deadLetter: DeadLetterFacts | null = null,
  ): void {
    const keyStart = this.#keyStartOf(message);
    const priority = Math.min(options?.priority ?? 0, this.settings.priorityMax);
    const delayMs = options?.deliverAfterMs ?? 0;
    if (delayMs > 0) {
      const dueAtMs = Math.min(this.clock.epochMs() + delayMs, Number.MAX_SAFE_INTEGER);
      this.delayed.add(message, { keyStart, priority, dueAtMs });
    } else this.append(message, keyStart, priority, deadLetter);
  }

  /** Puts a message at the end of the log; with `drop-head`, older ones leave when there are too many. */
  append(message: Enqueueable, keyStart: number, priority: number, deadLetter: DeadLetterFacts | null): void {
    this.overflow.makeRoom(message.payload.length);
    const place = this.#placeFor(message, keyStart, priority, deadLetter);
    this.log.append(message, place);
    this.lanes?.add(place.offset, priority);
    this.statistics.appended++;
    if (this.settings.kind === "classic") this.#expiry.expect(place.offset, place.expiresAtMs);
    if (place.expiresAtMs < Number.POSITIVE_INFINITY) this.#headExpiry?.expect(place.expiresAtMs);
    this.touch("soon");
  }

  /** A message as it would stand at the end of the log. @throws {MessagingError} ERR_INVALID_ARGUMENT for a text above 65,535 bytes */
  draft(message: Enqueueable, options: EnqueueOptions | null): QueueMessage {
    const priority = Math.min(options?.priority ?? 0, this.settings.priorityMax);
    const place = this.#placeFor(message, this.#keyStartOf(message), priority, null);
    const { codec } = this.#context;
    return codec.decode(place.offset, codec.encode(message, place));
  }

  /** Takes out what has expired; true when that was anything. */
  expireDue(): boolean {
    if (this.settings.kind === "stream") return false;
    this.#expiry.learn("all");
    return this.removeTogether(() => this.#expiry.expire(this.clock.epochMs())) > 0;
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
    this.overflow.afterDelivery();
    if (this.#retentionPoint > this.log.first && this.#head() > this.log.first) this.touch("lazy");
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
    this.overflow.onRemoved(offset);
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
    this.overflow.onReturned(offset);
    this.#expiry.onReturned(offset);
  }

  /** A group came or went: what was settled may wait again. */
  onRegrouped(): void {
    this.overflow.onReturned(this.log.first);
    this.#expiry.restart();
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
    this.#headExpiry?.look();
    if (this.settings.kind === "classic") {
      this.#expiry.learn("some");
      this.#sweepExpired(epochMs);
    }
    if (this.#head() > this.log.first) this.touch("soon");
  }

  /** Ends it: nothing is delivered any more, consumers are told. */
  close(reason: "queue-deleted" | null): void {
    this.isClosed = true;
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
    // What has only just come is offered to those who read before it can leave.
    const mayGo = Math.min(this.#retentionPoint, this.log.durableNext);
    const retained = hasRetention ? mayGo : kind === "classic" ? settled : 0;
    const head = settled === Number.POSITIVE_INFINITY ? (hasRetention ? retained : 0) : Math.min(settled, retained);
    return Math.min(this.log.next, Math.max(head, Math.min(settled, this.removed.base)));
  }

  #sweepExpired(epochMs: number): void {
    if (this.isClosed) return;
    const expired = this.removeTogether(() => this.#expiry.expire(epochMs));
    if (expired > 0) this.schedule.after(0, () => this.#sweepExpired(epochMs));
  }

  /** What came by an exchange has its key as its topic, unless that is the queue's own address. */
  #keyStartOf(message: Enqueueable): number {
    const isAddress = message.exchange === null || message.topic.charCodeAt(0) === DOLLAR;
    return isAddress ? keyStartIn(message.topic, this.name) : 0;
  }

  /** The next place at the end of the log; one object for all. */
  #placeFor(
    message: Enqueueable,
    keyStart: number,
    priority: number,
    deadLetter: DeadLetterFacts | null,
  ): Readonly<Placement> {
    const { settings, log } = this;
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
    return place;
  }
}

const DOLLAR = 0x24;
