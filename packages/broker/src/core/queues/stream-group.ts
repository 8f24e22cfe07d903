// Hot path: delivering runs per message. No closure, promise, spread, iterator or regex here.
import type { Deadline } from "../schedule.ts";
import type { Group, GroupFacts, GroupHost } from "./group.ts";
import type { KeyFilter } from "./key-filter.ts";
import { type Member, Members } from "./members.ts";
import { ReadAhead } from "./queue-log.ts";
import type { QueueMessage } from "./queue-message.ts";
import type { CommitResult, SettleOutcome, SettleResult, StreamPosition } from "./queue-port.ts";

/** Messages that one run reads at most before others have their turn. */
const RUN_MAX = 4096;

/** A group whose members read a log by one position. Nothing is pending: what was read stays, and can be read again from a committed offset on. */
export class StreamGroup implements Group {
  readonly mode = "stream";
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly filter: KeyFilter;
  readonly commit: "auto" | "manual";
  readonly lifetime: "lasting" | "members";
  readonly members: Members;
  isDirty = true;
  readonly #host: GroupHost;
  readonly #ahead = new ReadAhead();
  /** The next offset to read, and the next one after a restart. */
  #cursor: number;
  #committed: number;
  #commitDeadline: Deadline | null = null;
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

  join(member: Member): void {
    if (this.members.list.length === 0) this.#cursor = this.#committed;
    this.members.add(member);
  }

  leave(member: Member): void {
    member.isGone = true;
    this.members.remove(member);
    if (this.members.list.length === 0) this.#ahead.clear();
  }

  /** Moves the whole group. */
  seek(position: StreamPosition): void {
    const to = this.#find(position);
    if (to === null) return;
    this.#cursor = to;
    this.#committed = to;
    this.#touch("soon");
  }

  pump(): void {
    if (this.#pumping !== "no") {
      this.#pumping = "again";
      return;
    }
    if (this.members.list.length === 0) return;
    do {
      this.#pumping = "yes";
      try {
        this.#run(this.#host.clock.epochMs());
      } catch (error) {
        this.#host.onError(error);
      }
    } while ((this.#pumping as string) === "again");
    this.#pumping = "no";
  }

  /** An acknowledged or rejected message counts as committed in a group that commits by itself; a manual one is told by {@link commitTo}. */
  settle(offset: number, outcome: SettleOutcome): SettleResult {
    if (offset >= this.#cursor) return "not-pending";
    const { statistics } = this.#host;
    if (outcome.is === "ack") statistics.acked++;
    else if (outcome.is === "nack") statistics.nacked++;
    else statistics.rejected++;
    if (outcome.is !== "nack" && this.commit === "auto") this.#raise(offset + 1);
    return "settled";
  }

  /** Sets the next offset to read after a restart; it may go back. */
  commitTo(offset: number): CommitResult {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.#cursor) return "invalid-offset";
    if (offset === this.#committed) return "committed";
    this.#committed = offset;
    this.#touch("soon");
    return "committed";
  }

  onRemoved(_offset: number): void {
    // Reading passes over what was removed.
  }

  onTruncated(first: number): void {
    if (this.#cursor < first) this.#cursor = first;
    if (this.#committed >= first) return;
    this.#committed = first;
    this.#touch("lazy");
  }

  /** Takes up what was stored. */
  restore(committed: number): void {
    this.#committed = committed;
    this.#cursor = committed;
  }

  close(): void {
    this.#commitDeadline?.cancel();
    this.#commitDeadline = null;
    for (const member of this.members.list) member.isGone = true;
    this.members.list.length = 0;
  }

  #run(epochMs: number): void {
    const { members } = this;
    const { log } = this.#host;
    for (let read = 0; read < RUN_MAX; read++) {
      const member = members.next();
      if (member === null) return;
      if (this.#cursor < log.first) this.#cursor = log.first;
      if (this.#cursor >= log.durableNext) return;
      const message = this.#wanted(this.#cursor, epochMs);
      this.#cursor++;
      this.#scheduleCommit();
      if (message !== null) this.#deliver(message, member);
    }
    this.#host.schedule.after(0, () => this.pump());
  }

  #wanted(offset: number, epochMs: number): QueueMessage | null {
    const { removed, log } = this.#host;
    if (removed.has(offset)) return null;
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
    const stream = { timestampMs: message.createdAtMs, work };
    member.consumer.deliver({ queue: name, group: this.id, offset, message, deliveryCount: 0, stream });
  }

  #raise(committed: number): void {
    if (committed <= this.#committed) return;
    this.#committed = committed;
    this.#touch("soon");
  }

  #scheduleCommit(): void {
    if (this.commit !== "auto" || this.#commitDeadline !== null) return;
    const { schedule, settings } = this.#host;
    if (settings.autoCommitIntervalMs === 0) {
      this.#raise(this.#cursor);
      return;
    }
    this.#commitDeadline = schedule.after(settings.autoCommitIntervalMs, () => {
      this.#commitDeadline = null;
      // Nobody is there any more: what was on its way to the last member may not have arrived.
      if (this.members.list.length > 0) this.#raise(this.#cursor);
    });
  }

  #find(position: StreamPosition): number | null {
    const { log } = this.#host;
    switch (position.at) {
      case "resume":
        return null;
      case "first":
        return log.first;
      case "last":
        return Math.max(log.first, log.next - 1);
      case "next":
        return log.next;
      case "offset":
        return Math.min(log.next, Math.max(log.first, position.offset));
      case "timestamp":
        return log.search((message) => message.createdAtMs >= position.epochMs);
    }
  }

  #touch(when: "soon" | "lazy"): void {
    this.isDirty = true;
    this.#host.touch(when);
  }
}
