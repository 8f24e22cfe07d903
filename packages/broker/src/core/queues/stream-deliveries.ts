// Hot path: runs per delivery and settlement. No closure, promise, spread, iterator or regex here, except at the ends of a membership.
import type { KeptDeliveries } from "./group.ts";
import type { Member } from "./members.ts";
import { OffsetTable } from "./offset-table.ts";
import { Pending } from "./pending.ts";
import { ReadyLine, WaitingLine } from "./returned-lines.ts";
import { SettledPages } from "./settled-pages.ts";

/**
 * What the members of a stream group have in hand, for a group that commits what is settled: an offset counts only when all before it are done,
 * whoever has them. What a member gives back stands before the group's position again.
 */
export class StreamDeliveries implements KeptDeliveries {
  /** Delivered and unsettled, by offset. */
  readonly #entries = new OffsetTable<Pending>();
  readonly settled: SettledPages;
  countChanges: Pending[] = [];
  #ready = new ReadyLine();
  #waiting = new WaitingLine();
  #pendingCount = 0;
  /** Of the latest delivery. */
  #ticket = 0;
  /** Offsets of entries that are kept for their counts, until the group reads them again: nobody has them, and they stand in no line. */
  readonly #left = new Set<number>();

  constructor(from: number) {
    this.settled = new SettledPages(from);
  }

  /** Everything before it is done with. */
  get floor(): number {
    return this.settled.base;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Messages that members have in hand, or that are to be delivered again before the group reads on. */
  get openCount(): number {
    return this.#entries.size - this.#left.size;
  }

  /** Messages that members have in hand. */
  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** When the next one of those that wait is ready, or Infinity. */
  get dueMs(): number {
    return this.#waiting.dueMs;
  }

  entries(): IterableIterator<Pending> {
    return this.#entries.values();
  }

  isDone(offset: number): boolean {
    return this.settled.has(offset);
  }

  get(offset: number): Pending | undefined {
    return this.#entries.get(offset);
  }

  /** Nobody needs the message at this offset any more. */
  finish(offset: number): void {
    const entry = this.#entries.get(offset);
    if (entry !== undefined) {
      this.#left.delete(offset);
      this.#detach(entry);
      this.#entries.remove(offset);
      if (entry.isCountStored) this.#listCount(entry);
    }
    this.settled.add(offset);
  }

  /** Everything before `first` is done, whoever has it in hand. */
  raise(first: number): void {
    this.settled.raise(first);
    for (const offset of this.#left) if (offset < first) this.finish(offset);
  }

  /** The application says that everything before `to` is done, and nothing beyond is known to be when that goes on or lies behind. */
  moveTo(to: number): void {
    if (this.settled.has(to)) this.settled.reset(to);
    else this.raise(to);
  }

  /** A member gets a message; returns how often it was delivered before, at least `known` times. */
  deliver(offset: number, member: Member, known: number): number {
    let entry = this.#entries.get(offset);
    if (entry === undefined) {
      entry = new Pending(offset, 0, known);
      this.#entries.add(offset, entry);
    }
    this.#left.delete(offset);
    entry.state = "pending";
    entry.member = member;
    entry.ticket = ++this.#ticket;
    this.#pendingCount++;
    const earlier = entry.count++;
    if (entry.count > 1 || entry.isCountStored) this.#listCount(entry);
    return earlier;
  }

  /** The last delivery was none that counts. */
  uncount(entry: Pending): void {
    entry.count--;
    this.#listCount(entry);
  }

  /** Takes up what was stored of a message that was out before a restart. */
  restoreCount(offset: number, count: number): void {
    const entry = new Pending(offset, 0, count);
    entry.isCountStored = true;
    entry.state = "ready";
    this.#entries.add(offset, entry);
    this.#left.add(offset);
    if (this.settled.has(offset)) this.finish(offset);
  }

  /** Nothing is known of what lies behind this position. */
  restart(at: number): void {
    this.rewind(Number.POSITIVE_INFINITY);
    this.settled.reset(at);
  }

  /** The entry is delivered again: at once, or when it is due. */
  giveBack(entry: Pending, dueMs: number | null): void {
    this.#detach(entry);
    if (dueMs === null) return this.#ready.push(entry);
    entry.dueMs = dueMs;
    this.#waiting.push(entry);
  }

  /** The offset that is to be delivered again first, or -1; it is taken out of the line. */
  takeReady(): number {
    const entry = this.#ready.peek();
    if (entry === null) return -1;
    this.#ready.pop();
    entry.state = "done";
    return entry.offset;
  }

  /** What waited until now is ready. */
  takeDue(nowMs: number): void {
    for (let entry = this.#waiting.takeDue(nowMs); entry !== null; entry = this.#waiting.takeDue(nowMs)) {
      this.#ready.push(entry);
    }
  }

  /** What a member has in hand, by rising offsets. */
  heldBy(member: Member): Pending[] {
    const held: Pending[] = [];
    for (const entry of this.#entries.values()) if (entry.member === member) held.push(entry);
    return held;
  }

  /**
   * The group reads again from `to` on what is not done, and deliveries so far count.
   */
  rewind(to: number): void {
    this.#ready = new ReadyLine();
    this.#waiting = new WaitingLine();
    for (const entry of this.#entries.values()) {
      this.#detach(entry);
      if (entry.offset >= to) {
        entry.state = "ready";
        this.#left.add(entry.offset);
      } else {
        this.#left.delete(entry.offset);
        this.#entries.remove(entry.offset);
        if (entry.isCountStored) this.#listCount(entry);
      }
    }
  }

  #listCount(entry: Pending): void {
    if (entry.isCountListed) return;
    entry.isCountListed = true;
    this.countChanges.push(entry);
  }

  #detach(entry: Pending): void {
    if (entry.state === "pending") this.#pendingCount--;
    entry.state = "done";
    entry.member = null;
  }
}
