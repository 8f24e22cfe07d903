// Hot path: delivering runs per message. No closure, promise, spread, iterator or regex here.
import type { Deadline } from "../schedule.ts";
import type { Group, GroupFacts, GroupHost } from "./group.ts";
import type { KeyFilter } from "./key-filter.ts";
import { type Member, Members } from "./members.ts";
import type { Pending } from "./pending.ts";
import { ReadAhead } from "./queue-log.ts";
import type { QueueMessage } from "./queue-message.ts";
import type {
  CommitMode,
  CommitResult,
  GroupLifetime,
  SettleOutcome,
  SettleResult,
  StreamPosition,
} from "./queue-port.ts";
import { retryDelayMs } from "./queue-settings.ts";
import { StreamDeliveries } from "./stream-deliveries.ts";
import { findPosition } from "./stream-position.ts";

/** Messages that one run reads at most before others have their turn. */
const RUN_MAX = 4096;

/**
 * A group whose members read a log by one position. What was read stays, and can be read again from a committed offset on. Only a group that
 * commits what is settled knows what its members have in hand: it delivers that again when they leave, and commits nothing beyond it.
 */
export class StreamGroup implements Group {
  readonly mode = "stream";
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly filter: KeyFilter;
  readonly commit: CommitMode;
  lifetime: GroupLifetime;
  expiry: Deadline | null = null;
  readonly members: Members;
  isDirty = true;
  readonly #host: GroupHost;
  readonly #ahead = new ReadAhead();
  /** The next offset to read, and the next one after a restart. */
  #cursor: number;
  #committed: number;
  /** What lies between was delivered to this group, or passed over. */
  #deliveredFrom: number;
  #deliveredTo: number;
  /** Null unless the group commits what is settled. */
  readonly #deliveries: StreamDeliveries | null;
  #commitDeadline: Deadline | null = null;
  #retryDeadline: Deadline | null = null;
  #pumping: "no" | "yes" | "again" = "no";

  constructor(host: GroupHost, facts: GroupFacts, from: number) {
    this.#host = host;
    this.number = facts.number;
    this.id = facts.id;
    this.name = facts.name;
    this.filter = facts.filter;
    this.commit = facts.commit;
    this.lifetime = facts.lifetime;
    this.members = new Members(host.settings.singleActiveConsumer ? "single-active" : "round-robin");
    this.#cursor = from;
    this.#committed = from;
    this.#deliveredFrom = from;
    this.#deliveredTo = from;
    this.#deliveries = facts.commit === "settled" ? new StreamDeliveries(from) : null;
  }

  get kept(): StreamDeliveries | null {
    return this.#deliveries;
  }

  positions(): readonly number[] {
    return this.#deliveries === null ? [] : [this.#deliveredTo];
  }

  /** The next offset that a restart, or a group that was left by all, goes on with. */
  get committed(): number {
    return this.#committed;
  }

  /** The next offset to deliver. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Messages that are not committed. */
  get depth(): number {
    const { log } = this.#host;
    return log.next - Math.max(this.#committed, log.first);
  }

  /** Messages that members have in hand and have not settled; 0 unless the group commits what is settled. */
  get pendingCount(): number {
    return this.#deliveries?.pendingCount ?? 0;
  }

  /** Messages that members gave back, and that are to be delivered again. */
  get returnedCount(): number {
    return (this.#deliveries?.size ?? 0) - this.pendingCount;
  }

  join(member: Member): void {
    if (this.members.list.length === 0) {
      this.#cursor = this.#committed;
      this.#deliveries?.rewind(this.#committed);
    }
    this.members.add(member);
  }

  leave(member: Member): void {
    member.isGone = true;
    this.members.remove(member);
    if (this.#deliveries !== null) this.#giveBackAll(this.#deliveries.heldBy(member));
    if (this.members.list.length === 0) this.#ahead.clear();
    else this.pump();
  }

  /** What the member has in hand is delivered again, to it or to others. */
  giveBack(member: Member): void {
    if (this.#deliveries === null) return;
    this.#giveBackAll(this.#deliveries.heldBy(member));
    this.pump();
  }

  /** Moves the whole group. */
  seek(position: StreamPosition): void {
    const to = findPosition(this.#host.log, position);
    if (to === null) return;
    this.#cursor = to;
    this.#committed = to;
    this.#begin(to);
    this.#touch("soon");
  }

  pump(): void {
    if (this.#pumping !== "no") {
      this.#pumping = "again";
      return;
    }
    if (this.members.list.length === 0) return;
    let left = RUN_MAX;
    do {
      this.#pumping = "yes";
      try {
        this.#deliveries?.takeDue(this.#host.clock.nowMs());
        left = this.#run(this.#host.clock.epochMs(), left);
      } catch (error) {
        this.#host.onError(error);
      }
      // Without `left`, a consumer that returns every message inside its delivery would never let go.
    } while ((this.#pumping as string) === "again" && left > 0);
    this.#pumping = "no";
  }

  /** An acknowledged or rejected message counts as committed in a group that commits by itself; a manual one is told by {@link commitTo}. */
  settle(offset: number, outcome: SettleOutcome): SettleResult {
    const entry = this.#deliveries?.get(offset);
    if (this.#deliveries === null ? offset >= this.#cursor : entry === undefined) return "not-pending";
    if (entry !== undefined && outcome.is === "nack" && entry.state !== "pending") return "not-pending";
    const { statistics } = this.#host;
    if (outcome.is === "ack") statistics.acked++;
    else if (outcome.is === "nack") statistics.nacked++;
    else statistics.rejected++;
    if (entry !== undefined) this.#settleEntry(entry, outcome);
    else if (outcome.is !== "nack" && this.commit === "auto") this.#raise(offset + 1, "soon");
    return "settled";
  }

  holds(member: Member, offset: number, ticket?: number): boolean {
    if (this.#deliveries === null) return true;
    const entry = this.#deliveries.get(offset);
    return entry?.member === member && (ticket ?? entry.ticket) === entry.ticket;
  }

  /** Sets the next offset to read after a restart; it may go back. */
  commitTo(offset: number): CommitResult {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.#cursor) return "invalid-offset";
    if (offset === this.#committed) return "committed";
    this.#deliveries?.moveTo(offset);
    this.#committed = offset;
    this.#touch("soon");
    return "committed";
  }

  onRemoved(_offset: number): void {
    // Reading passes over what was removed.
  }

  onTruncated(first: number): void {
    if (this.#cursor < first) this.#cursor = first;
    this.#deliveries?.raise(first);
    this.#raise(this.#deliveries?.floor ?? first, "lazy");
  }

  /** Takes up what was stored; {@link kept} follows. */
  restore(committed: number, positions: readonly number[]): void {
    this.#committed = committed;
    this.#cursor = committed;
    this.#begin(committed);
    this.#deliveredTo = Math.max(committed, this.#deliveries === null ? 0 : (positions[0] ?? 0));
  }

  /** All of {@link kept} was taken up. */
  onRestored(): void {
    if (this.#deliveries === null) return;
    this.#committed = Math.max(this.#committed, this.#deliveries.floor);
    this.#cursor = this.#committed;
  }

  close(): void {
    this.expiry?.cancel();
    this.#commitDeadline?.cancel();
    this.#commitDeadline = null;
    this.#retryDeadline?.cancel();
    this.#retryDeadline = null;
    for (const member of this.members.list) member.isGone = true;
    this.members.list.length = 0;
  }

  /** Nothing is known of what lies behind this position. */
  #begin(at: number): void {
    this.#deliveredFrom = at;
    this.#deliveredTo = at;
    this.#deliveries?.restart(at);
  }

  /** Reads up to `max` messages and returns how many more it may; at 0 the rest has its turn later. */
  #run(epochMs: number, max: number): number {
    const { members } = this;
    for (let left = max; left > 0; left--) {
      const member = members.next();
      if (member === null) return left;
      const offset = this.#next();
      if (offset < 0) return left;
      const message = this.#wanted(offset, epochMs);
      if (message !== null) this.#deliver(message, member);
      else this.#pass(offset);
    }
    this.#host.schedule.after(0, () => this.pump());
    return 0;
  }

  /** The offset to deliver next: of what was given back, else the next one of the log; -1 when there is none. */
  #next(): number {
    const { log, settings } = this.#host;
    if (this.#deliveries !== null) {
      const ready = this.#deliveries.takeReady();
      if (ready >= 0) return ready;
      if (this.#deliveries.openCount >= settings.pendingMax) return -1;
    }
    if (this.#cursor < log.first) this.#cursor = log.first;
    if (this.#cursor >= log.durableNext) return -1;
    const offset = this.#cursor++;
    this.#scheduleCommit();
    return offset;
  }

  /** Nobody gets this one. */
  #pass(offset: number): void {
    if (this.#deliveries === null) return;
    this.#deliveries.finish(offset);
    this.#committed = Math.max(this.#committed, this.#deliveries.floor);
    this.#touch("lazy");
  }

  #wanted(offset: number, epochMs: number): QueueMessage | null {
    const { removed, log } = this.#host;
    if (removed.has(offset) || this.#deliveries?.isDone(offset) === true) return null;
    const message = log.read(offset, this.#ahead);
    if (message === null || message.expiresAtMs <= epochMs) return null;
    return this.filter.matchesAll || this.filter.matches(message.key) ? message : null;
  }

  #deliver(message: QueueMessage, member: Member): void {
    const { statistics, name } = this.#host;
    const work = this.#host.primaryProgress(this.filter.text);
    this.members.took();
    statistics.delivered++;
    const { offset } = message;
    const known = offset >= this.#deliveredFrom && offset < this.#deliveredTo ? 1 : 0;
    const deliveryCount = this.#deliveries?.deliver(offset, member, known) ?? known;
    if (offset >= this.#deliveredTo) this.#deliveredTo = offset + 1;
    if (this.#deliveries !== null) this.#touch("lazy");
    if (deliveryCount > 0) statistics.redelivered++;
    const stream = { timestampMs: message.createdAtMs, work };
    const entry = this.#deliveries?.get(offset);
    const ticket = entry?.ticket ?? 0;
    const note = entry?.note ?? null;
    member.consumer.deliver({ queue: name, group: this.id, offset, message, ticket, deliveryCount, stream, note });
  }

  #settleEntry(entry: Pending, outcome: SettleOutcome): void {
    const { offset, count } = entry;
    switch (outcome.is) {
      case "ack":
        this.#finish(offset);
        break;
      case "nack":
        if (outcome.note !== undefined) entry.note = outcome.note;
        if (outcome.counts === "no") this.#deliveries?.uncount(entry);
        this.#giveBack(
          entry,
          outcome.delayMs ?? (outcome.counts === "no" ? 0 : retryDelayMs(this.#host.settings, count)),
        );
        break;
      case "reject": {
        const message = this.#host.readSafely(offset, this.#ahead);
        this.#finish(offset);
        const detail = outcome.detail ?? "";
        if (message !== null) this.#host.bury(message, { reason: "rejected", group: this.id, count, detail });
        break;
      }
    }
    this.pump();
  }

  #finish(offset: number): void {
    if (this.#deliveries === null) return;
    this.#deliveries.finish(offset);
    this.#committed = Math.max(this.#committed, this.#deliveries.floor);
    this.#touch("soon"); // also when it is done before others are: that is stored as well
  }

  /** All of it goes back before anything is delivered. */
  #giveBackAll(held: readonly Pending[]): void {
    for (const entry of held) this.#giveBack(entry, 0);
  }

  /** It was not settled: it is delivered again, now or later, unless it is not needed any more or has had its chances. */
  #giveBack(entry: Pending, delayMs: number): void {
    const { clock, settings } = this.#host;
    const { offset, count } = entry;
    if (this.#deliveries?.isDone(offset) === true) return this.#finish(offset);
    if (settings.deliveryLimit > 0 && count >= settings.deliveryLimit) {
      const message = this.#host.readSafely(offset, this.#ahead);
      this.#finish(offset);
      if (message === null) return;
      this.#host.bury(message, { reason: "delivery-limit", group: this.id, count, detail: "" });
      return;
    }
    this.#deliveries?.giveBack(entry, delayMs > 0 ? clock.nowMs() + delayMs : null);
    if (delayMs > 0) this.#armRetry();
  }

  /** One timer serves the group, for what is due first. Without members nothing waits: the next one begins at what is committed. */
  #armRetry(): void {
    const dueMs = this.#deliveries?.dueMs ?? Number.POSITIVE_INFINITY;
    this.#retryDeadline?.cancel();
    this.#retryDeadline = null;
    if (dueMs === Number.POSITIVE_INFINITY || this.members.list.length === 0) return;
    this.#retryDeadline = this.#host.schedule.after(dueMs - this.#host.clock.nowMs(), () => {
      this.#retryDeadline = null;
      this.pump();
      this.#armRetry();
    });
  }

  #raise(committed: number, when: "soon" | "lazy"): void {
    if (committed <= this.#committed) return;
    this.#committed = committed;
    this.#touch(when);
  }

  #scheduleCommit(): void {
    if (this.commit !== "auto" || this.#commitDeadline !== null) return;
    const { schedule, settings } = this.#host;
    if (settings.autoCommitIntervalMs === 0) {
      this.#raise(this.#cursor, "soon");
      return;
    }
    this.#commitDeadline = schedule.after(settings.autoCommitIntervalMs, () => {
      this.#commitDeadline = null;
      // Nobody is there any more: what was on its way to the last member may not have arrived.
      if (this.members.list.length > 0) this.#raise(this.#cursor, "soon");
    });
  }

  #touch(when: "soon" | "lazy"): void {
    this.isDirty = true;
    this.#host.touch(when);
  }
}
