// Hot path: runs per delivery and settlement. No closure, promise, spread, iterator or regex here, except at the ends of a membership.
import type { Member } from "./members.ts";
import { OffsetTable } from "./offset-table.ts";
import { Pending } from "./pending.ts";
import { ReadyLine, WaitingLine } from "./returned-lines.ts";
import { SettledPages } from "./settled-pages.ts";

/**
 * What the members of a stream group have in hand, for a group that commits what is settled: an offset counts only when all before it are done,
 * whoever has them. What a member gives back stands before the group's position again.
 */
export class StreamDeliveries {
  /** Delivered and unsettled, by offset. */
  readonly #entries = new OffsetTable<Pending>();
  #done: SettledPages;
  #ready = new ReadyLine();
  #waiting = new WaitingLine();
  #pendingCount = 0;
  /** Offsets of entries that are kept for their counts, until the group reads them again: nobody has them, and they stand in no line. */
  readonly #left = new Set<number>();

  constructor(from: number) {
    this.#done = new SettledPages(from, false);
  }

  /** Everything before it is done with. */
  get floor(): number {
    return this.#done.base;
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

  isDone(offset: number): boolean {
    return this.#done.has(offset);
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
    }
    this.#done.add(offset);
  }

  /** Everything before `first` is done, whoever has it in hand. */
  raise(first: number): void {
    this.#done.raise(first);
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
    this.#pendingCount++;
    return entry.count++;
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
   * The group reads again from `to` on what is not done, and deliveries so far count. Where the application moved the group back, what it did
   * before counts no more.
   */
  rewind(to: number): void {
    if (to !== this.#done.base) this.#done = new SettledPages(to, false);
    this.#ready = new ReadyLine();
    this.#waiting = new WaitingLine();
    for (const entry of this.#entries.values()) {
      this.#detach(entry);
      entry.state = "done";
      if (entry.offset >= to) this.#left.add(entry.offset);
      else {
        this.#left.delete(entry.offset);
        this.#entries.remove(entry.offset);
      }
    }
  }

  #detach(entry: Pending): void {
    if (entry.state === "pending") this.#pendingCount--;
    entry.state = "done";
    entry.member = null;
  }
}
