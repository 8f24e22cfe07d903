// Hot path: delivering and settling run per message. No closure, promise, spread, iterator or regex here, except at the ends of a group's life.
import type { Deadline } from "../schedule.ts";
import type { Group, GroupFacts, GroupHost } from "./group.ts";
import type { KeyFilter } from "./key-filter.ts";
import { type Member, Members } from "./members.ts";
import { OffsetTable } from "./offset-table.ts";
import { Pending, PendingList } from "./pending.ts";
import { FreshCursor } from "./priority-lanes.ts";
import { ReadAhead } from "./queue-log.ts";
import type { QueueMessage } from "./queue-message.ts";
import type { CommitMode, GroupLifetime, SettleOutcome, SettleResult } from "./queue-port.ts";
import { retryDelayMs } from "./queue-settings.ts";
import { ReadyLine, WaitingLine } from "./returned-lines.ts";
import { SettledPages } from "./settled-pages.ts";

/** Messages that one run delivers, or passes over, at most before others have their turn. */
const RUN_MAX = 4096;

/**
 * A group whose members share the work: each message is delivered to one of them until it is settled. First deliveries follow the log
 * within a priority; what comes back stands in its old place again, or waits out of line when it is to be delayed.
 */
export class WorkGroup implements Group {
  readonly mode = "work";
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly filter: KeyFilter;
  readonly commit: CommitMode;
  lifetime: GroupLifetime;
  expiry: Deadline | null = null;
  readonly members: Members;
  readonly settled: SettledPages;
  readonly fresh: FreshCursor;
  isDirty = true;
  /** Entries whose stored count is not what it should be; taken by whoever stores them. */
  countChanges: Pending[] = [];
  readonly #host: GroupHost;
  /** Delivered and unsettled, by offset. */
  readonly #entries = new OffsetTable<Pending>();
  readonly #pending = new PendingList();
  readonly #ready = new ReadyLine();
  readonly #waiting = new WaitingLine();
  readonly #ahead = new ReadAhead();
  #deadline: Deadline | null = null;
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** True when more could be delivered but for the limit of unsettled messages. */
  #isFull = false;
  #pumping: "no" | "yes" | "again" = "no";
  #isClosed = false;
  /** Of the latest delivery. */
  #ticket = 0;
  /** Of the current run. */
  #nowMs = 0;
  #epochMs = 0;
  #message: QueueMessage | null = null;

  constructor(host: GroupHost, facts: GroupFacts, from: number) {
    this.#host = host;
    this.number = facts.number;
    this.id = facts.id;
    this.name = facts.name;
    this.filter = facts.filter;
    this.commit = facts.commit;
    this.lifetime = facts.lifetime;
    this.members = new Members(host.settings.singleActiveConsumer ? "single-active" : "round-robin");
    this.settled = new SettledPages(from);
    this.fresh = new FreshCursor(host.lanes, from);
  }

  get kept(): this {
    return this;
  }

  positions(): readonly number[] {
    return this.fresh.positions(this.#host.log.next);
  }

  /** Everything before it is settled. */
  get committed(): number {
    return this.settled.base;
  }

  /** Messages that are not settled. */
  get depth(): number {
    const { log } = this.#host;
    return Math.max(0, log.next - this.settled.base - this.settled.countAbove);
  }

  /** Messages that members work on now. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Messages that were delivered and are to be delivered again. */
  get returnedCount(): number {
    return this.#entries.size - this.#pending.length;
  }

  join(member: Member): void {
    this.members.add(member);
  }

  /** What the member has not settled goes back into its old places; the deliveries count. */
  leave(member: Member): void {
    member.isGone = true;
    this.members.remove(member);
    if (member.pendingCount > 0) this.#giveBackAll(member);
    if (this.members.list.length === 0) this.#ahead.clear();
    this.pump();
  }

  pump(): void {
    if (this.#pumping !== "no") {
      this.#pumping = "again";
      return;
    }
    if (this.members.list.length === 0) return;
    const { clock } = this.#host;
    let left = RUN_MAX;
    do {
      this.#pumping = "yes";
      this.#nowMs = clock.nowMs();
      this.#epochMs = clock.epochMs();
      try {
        this.#takeBackDue(this.#nowMs);
        left = this.#run(left);
      } catch (error) {
        this.#host.onError(error);
      }
      // Without `left`, a consumer that returns every message inside its delivery would never let go.
    } while ((this.#pumping as string) === "again" && left > 0);
    this.#pumping = "no";
    this.#message = null;
  }

  /** Delivers the next message to a member that asks for one and has not joined; false when there is none. */
  deliverTo(member: Member): boolean {
    if (this.#isClosed || !this.hold()) return false;
    const { clock } = this.#host;
    this.#nowMs = clock.nowMs();
    this.#epochMs = clock.epochMs();
    try {
      this.#takeBackDue(this.#nowMs);
      this.#pumping = "yes";
      const entry = this.#take();
      if (entry !== null) this.#deliver(entry, member);
      return entry !== null;
    } catch (error) {
      this.#host.onError(error);
      return false;
    } finally {
      this.#message = null;
      this.#pumping = "again";
      this.release();
    }
  }

  /** Takes back all that a member has not settled; it may get it again. */
  giveBack(member: Member): void {
    if (member.pendingCount === 0) return;
    this.#giveBackAll(member);
    this.pump();
  }

  /** Delivers nothing until {@link release}; false when it is delivering already, and would not begin anew before it is done. */
  hold(): boolean {
    if (this.#pumping !== "no") return false;
    this.#pumping = "yes";
    return true;
  }

  /** Delivers what there has come to be room for since {@link hold}. */
  release(): void {
    const hasRoom = (this.#pumping as string) === "again";
    this.#pumping = "no";
    if (hasRoom) this.pump();
  }

  settle(offset: number, outcome: SettleOutcome): SettleResult {
    const entry = this.#entries.get(offset);
    if (entry === undefined || this.#isClosed) return "not-pending";
    const { statistics } = this.#host;
    switch (outcome.is) {
      case "ack":
        statistics.acked++;
        this.#finish(entry);
        return "settled";
      case "nack":
        if (entry.state !== "pending") return "not-pending";
        statistics.nacked++;
        if (outcome.note !== undefined) entry.note = outcome.note;
        if (outcome.counts === "no") this.#uncount(entry);
        this.#giveBack(
          entry,
          outcome.delayMs ?? (outcome.counts === "no" ? 0 : retryDelayMs(this.#host.settings, entry.count)),
        );
        this.pump();
        return "settled";
      case "reject": {
        statistics.rejected++;
        const message = this.#host.readSafely(offset, this.#ahead);
        this.#finish(entry);
        if (message !== null) this.#bury(message, "rejected", entry.count, outcome.detail ?? "");
        return "settled";
      }
    }
  }

  holds(member: Member, offset: number, ticket?: number): boolean {
    const entry = this.#entries.get(offset);
    return !this.#isClosed && entry?.member === member && (ticket ?? entry.ticket) === entry.ticket;
  }

  onRemoved(offset: number): void {
    const isHeld = this.hold();
    this.#takeBackDue(this.#host.clock.nowMs());
    this.#remove(offset);
    if (isHeld) this.release();
  }

  #remove(offset: number): void {
    const entry = this.#entries.get(offset);
    if (entry === undefined) {
      if (this.settled.add(offset)) this.#touch("soon");
    } else if (entry.state !== "pending") this.#finish(entry);
  }

  onTruncated(first: number): void {
    if (first <= this.settled.base) return;
    for (const entry of this.#entries.values()) if (entry.offset < first) this.#finish(entry);
    this.settled.raise(first);
    this.#touch("soon");
  }

  /** The queue's visibility timeout is another one: it begins anew for everything that is out, so that deadlines keep their order. */
  restartTimeouts(): void {
    const dueMs = this.#dueMs(this.#host.clock.nowMs());
    for (let entry = this.#pending.oldest; entry !== null; entry = entry.after) entry.dueMs = dueMs;
    if (this.#pending.length > 0) this.#arm(dueMs);
  }

  /** True when a member works on the message. */
  isPending(offset: number): boolean {
    return this.#entries.get(offset)?.state === "pending";
  }

  /** Entries that are delivered and unsettled, by rising offsets. */
  entries(): IterableIterator<Pending> {
    return this.#entries.values();
  }

  /** Takes up a message that was delivered before a restart and was not settled: it is to be delivered again. */
  restore(offset: number, priority: number, count: number): void {
    const entry = new Pending(offset, priority, count);
    entry.isCountStored = count !== 1;
    this.#entries.add(offset, entry);
    this.#ready.push(entry);
  }

  close(): void {
    this.expiry?.cancel();
    this.#isClosed = true;
    this.#deadline?.cancel();
    this.#deadline = null;
    for (const member of this.members.list) member.isGone = true;
    this.members.list.length = 0;
  }

  /** Delivers up to `max` messages and returns how many more it may; at 0 the rest has its turn later. */
  #run(max: number): number {
    const { members } = this;
    for (let left = max; left > 0; left--) {
      const member = members.next();
      if (member === null) return left;
      const entry = this.#take();
      if (entry === null) return left;
      this.members.took();
      this.#deliver(entry, member);
    }
    this.#goOnLater();
    return 0;
  }

  #goOnLater(): void {
    this.#host.schedule.after(0, () => this.pump());
  }

  /** The next message to deliver as an entry, its body in `#message`; null when there is none. */
  #take(): Pending | null {
    const { log, settings, lanes } = this.#host;
    for (let passed = 0; passed < RUN_MAX; passed++) {
      const ready = this.#ready.peek();
      const offset = this.fresh.peek(log.durableNext, this.settled.base);
      const isFull = this.#entries.size >= settings.pendingMax;
      if (ready !== null && (offset < 0 || isFull || lanes === null || ready.priority >= this.fresh.priority)) {
        this.#ready.pop();
        if (this.#isWanted(ready.offset) && !this.#hasHadItsChances(ready)) return ready;
        if (ready.state !== "done") this.#finish(ready);
        continue;
      }
      if (offset < 0) return null;
      if (isFull) {
        this.#isFull = true;
        return null;
      }
      this.fresh.take();
      if (this.settled.has(offset)) continue;
      if (!this.#isWanted(offset)) {
        this.settled.add(offset);
        this.#touch("lazy");
        continue;
      }
      const entry = new Pending(offset, this.fresh.priority, 0);
      this.#entries.add(offset, entry);
      return entry;
    }
    this.#goOnLater();
    return null;
  }

  /** Reads a message into `#message`; false when it is gone, not for this group, or has expired, which ends it for all groups. */
  #isWanted(offset: number): boolean {
    const { removed, log } = this.#host;
    if (removed.has(offset)) return false;
    const message = log.read(offset, this.#ahead);
    if (message === null) return false;
    this.#message = message;
    if (!this.filter.matchesAll && !this.filter.matches(message.key)) return false;
    if (message.expiresAtMs > this.#epochMs) return true;
    this.#host.expire(message);
    return false;
  }

  /** A restart can bring back a message that was out for the last time; it is buried now, and not delivered once more. */
  #hasHadItsChances(entry: Pending): boolean {
    const limit = this.#host.settings.deliveryLimit;
    if (limit === 0 || entry.count < limit) return false;
    const message = this.#message;
    this.#finish(entry);
    if (message !== null) this.#bury(message, "delivery-limit", entry.count, "");
    return true;
  }

  #deliver(entry: Pending, member: Member): void {
    const { statistics, name } = this.#host;
    const message = this.#message;
    if (message === null) return;
    const deliveryCount = entry.count;
    entry.count++;
    if (entry.count > 1) statistics.redelivered++;
    if (entry.count > 1 || entry.isCountStored) this.#listCount(entry);
    entry.state = "pending";
    entry.member = member;
    entry.ticket = ++this.#ticket;
    member.pendingCount++;
    entry.dueMs = this.#dueMs(this.#nowMs);
    this.#pending.push(entry);
    this.#arm(entry.dueMs);
    statistics.delivered++;
    this.#touch("lazy");
    const { offset } = entry;
    member.consumer.deliver({
      queue: name,
      group: this.id,
      offset,
      message,
      ticket: entry.ticket,
      deliveryCount,
      stream: null,
      note: entry.note,
    });
  }

  /** When a delivery made now is to be made again. */
  #dueMs(nowMs: number): number {
    const timeoutMs = this.#host.settings.visibilityTimeoutMs;
    return timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutMs;
  }

  /** The entry is settled for good. */
  #finish(entry: Pending): void {
    this.#detach(entry);
    entry.state = "done";
    this.#entries.remove(entry.offset);
    this.settled.add(entry.offset);
    if (entry.isCountStored) this.#listCount(entry);
    this.#touch("soon");
    if (!this.#isFull) return;
    this.#isFull = false;
    this.pump();
  }

  /** All that a member has goes back before anything is delivered: what comes back stands before anything later. */
  #giveBackAll(member: Member): void {
    const pumping = this.#pumping;
    this.#pumping = "yes";
    let entry = this.#pending.oldest;
    while (entry !== null) {
      const after: Pending | null = entry.after;
      if (entry.member === member) this.#giveBack(entry, 0);
      entry = after;
    }
    this.#pumping = pumping;
  }

  /** The entry was not settled: it is delivered again, now or later, or it has had its chances. */
  #giveBack(entry: Pending, delayMs: number): void {
    this.#detach(entry);
    const { clock, removed } = this.#host;
    if (removed.has(entry.offset)) {
      this.#finish(entry);
      return;
    }
    const limit = this.#host.settings.deliveryLimit;
    if (limit > 0 && entry.count >= limit) {
      const message = this.#host.readSafely(entry.offset, this.#ahead);
      this.#finish(entry);
      if (message !== null) this.#bury(message, "delivery-limit", entry.count, "");
      return;
    }
    this.#host.onReturned(entry.offset);
    if (delayMs <= 0) {
      this.#ready.push(entry);
      return;
    }
    entry.dueMs = clock.nowMs() + delayMs;
    this.#waiting.push(entry);
    this.#arm(entry.dueMs);
  }

  /** Takes a pending entry from its member; whoever calls says what becomes of it. */
  #detach(entry: Pending): void {
    if (entry.state !== "pending") return;
    entry.state = "done";
    this.#pending.remove(entry);
    if (entry.member !== null) entry.member.pendingCount--;
    entry.member = null;
  }

  #bury(message: QueueMessage, reason: "rejected" | "delivery-limit", count: number, detail: string): void {
    this.#host.bury(message, { reason, group: this.id, count, detail });
  }

  /** The last delivery was none that counts. */
  #uncount(entry: Pending): void {
    entry.count--;
    this.#listCount(entry);
  }

  #listCount(entry: Pending): void {
    if (entry.isCountListed) return;
    entry.isCountListed = true;
    this.countChanges.push(entry);
  }

  /** One timer serves the whole group: for the oldest delivery, or for what waits, whichever is due first. */
  #arm(dueMs: number): void {
    if (dueMs >= this.#deadlineMs) return;
    this.#deadline?.cancel();
    this.#deadlineMs = dueMs;
    this.#deadline = this.#host.schedule.after(dueMs - this.#host.clock.nowMs(), () => this.#onDeadline());
  }

  #onDeadline(): void {
    this.#deadline = null;
    this.#deadlineMs = Number.NEGATIVE_INFINITY; // even when the timer came a little early
    this.pump();
  }

  /** What is due by now comes back before anything is delivered, also when the timer for it has not been served yet. */
  #takeBackDue(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    this.#pumping = "again";
    this.#deadline?.cancel();
    this.#deadline = null;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    for (let entry = this.#pending.oldest; entry !== null && entry.dueMs <= nowMs; entry = this.#pending.oldest) {
      this.#host.statistics.timedOut++;
      this.#giveBack(entry, 0);
    }
    for (let entry = this.#waiting.takeDue(nowMs); entry !== null; entry = this.#waiting.takeDue(nowMs)) {
      this.#ready.push(entry);
    }
    this.#arm(Math.min(this.#pending.oldest?.dueMs ?? Number.POSITIVE_INFINITY, this.#waiting.dueMs));
  }

  #touch(when: "soon" | "lazy"): void {
    this.isDirty = true;
    this.#host.touch(when);
  }
}
