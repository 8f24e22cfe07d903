// Hot path: runs per redelivery. No closure, promise, spread, iterator or regex here.
import { Heap } from "./heap.ts";
import type { Pending } from "./pending.ts";

/** Messages to be delivered again: highest priority first, then by offset, so that each stands in its old place. */
export class ReadyLine {
  readonly #heap = new Heap<Pending>(standsBefore);

  /** The next one, left where it is, or null. Those that were settled meanwhile go. */
  peek(): Pending | null {
    let top = this.#heap.peek();
    while (top !== undefined && top.state !== "ready") {
      this.#heap.pop();
      top = this.#heap.peek();
    }
    return top ?? null;
  }

  push(entry: Pending): void {
    entry.state = "ready";
    this.#heap.push(entry);
  }

  pop(): void {
    this.#heap.pop();
  }
}

/** Messages to be delivered again later, by the time at which they are due. */
export class WaitingLine {
  readonly #heap = new Heap<Pending>(isDueBefore);
  /** At this length the settled ones are sorted out, so that at most about half of the line is theirs. */
  #sortOutAt = LENGTH_MIN;

  /** Those that wait, and some that were settled meanwhile. */
  get length(): number {
    return this.#heap.length;
  }

  /** When the next one is due, or Infinity. */
  get dueMs(): number {
    return this.#peek()?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  push(entry: Pending): void {
    entry.state = "waiting";
    this.#heap.push(entry);
    if (this.#heap.length < this.#sortOutAt) return;
    this.#heap.keep(isWaiting);
    this.#sortOutAt = Math.max(LENGTH_MIN, 2 * this.#heap.length);
  }

  /** Takes the next one that is due, or null. */
  takeDue(nowMs: number): Pending | null {
    const top = this.#peek();
    if (top === undefined || top.dueMs > nowMs) return null;
    this.#heap.pop();
    return top;
  }

  #peek(): Pending | undefined {
    let top = this.#heap.peek();
    while (top !== undefined && top.state !== "waiting") {
      this.#heap.pop();
      top = this.#heap.peek();
    }
    return top;
  }
}

/** Shorter lines are not sorted out. */
const LENGTH_MIN = 128;

function isWaiting(entry: Pending): boolean {
  return entry.state === "waiting";
}

function standsBefore(a: Pending, b: Pending): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.offset < b.offset);
}

function isDueBefore(a: Pending, b: Pending): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.offset < b.offset);
}
