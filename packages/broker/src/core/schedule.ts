import type { Clock, Timer } from "polymq/internal";

/** Something to do at a time; made by {@link Schedule}. */
export interface Deadline {
  /** When it is due, in milliseconds since 1970. */
  readonly atMs: number;
  /** Calls it off; harmless when it is past. */
  cancel(): void;
}

/** The longest delay that timers take. */
const TIMER_MS_MAX = 0x7fff_ffff;

/** Cancelled entries that may stay before the heap is rebuilt without them. */
const CANCELLED_MAX = 64;

class Entry implements Deadline {
  readonly atMs: number;
  /** On the clock's monotonic scale. */
  readonly dueMs: number;
  readonly order: number;
  readonly #schedule: Schedule;
  task: (() => void) | null;

  constructor(
    schedule: Schedule,
    times: { readonly atMs: number; readonly dueMs: number; readonly order: number },
    task: () => void,
  ) {
    this.#schedule = schedule;
    this.atMs = times.atMs;
    this.dueMs = times.dueMs;
    this.order = times.order;
    this.task = task;
  }

  cancel(): void {
    if (this.task === null) return;
    this.task = null;
    this.#schedule.onCancelled();
  }
}

/**
 * Deadlines over one timer: wills, session expiry, sweeps. Due tasks run in the order of their times, equal ones in the order in which they
 * were made. A step of the wall clock does not move what is already scheduled.
 */
export class Schedule {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  #heap: Entry[] = [];
  #timer: Timer | null = null;
  #timerDueMs = 0;
  #order = 0;
  #cancelled = 0;
  #state: "open" | "closed" = "open";

  /** @param onError told what a task throws; later tasks run all the same */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Deadlines not yet past or cancelled. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** Runs `task` once after `delayMs`, never inside this call. With Infinity never. */
  after(delayMs: number, task: () => void): Deadline {
    const delay = Math.max(0, delayMs);
    const times = { atMs: this.#clock.epochMs() + delay, dueMs: this.#clock.nowMs() + delay, order: this.#order++ };
    const entry = new Entry(this, times, task);
    if (this.#state === "open" && delay !== Number.POSITIVE_INFINITY) {
      this.#push(entry);
      this.#arm();
    } else entry.task = null;
    return entry;
  }

  /** Runs `task` once at `epochMs` (since 1970), at once when that is past, but never inside this call. */
  at(epochMs: number, task: () => void): Deadline {
    return this.after(epochMs - this.#clock.epochMs(), task);
  }

  /** Calls everything off, now and in future. */
  close(): void {
    this.#state = "closed";
    this.#heap = [];
    this.#cancelled = 0;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** For its deadlines alone. */
  onCancelled(): void {
    if (this.#state === "closed") return;
    this.#cancelled++;
    if (this.#cancelled > CANCELLED_MAX && this.#cancelled * 2 > this.#heap.length) this.#rebuild();
    else this.#arm();
  }

  #arm(): void {
    this.#dropCancelled();
    const next = this.#heap[0];
    if (next === undefined) {
      this.#timer?.cancel();
      this.#timer = null;
      return;
    }
    if (this.#timer !== null && this.#timerDueMs === next.dueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = next.dueMs;
    const delay = Math.min(TIMER_MS_MAX, Math.max(0, next.dueMs - this.#clock.nowMs()));
    this.#timer = this.#clock.setTimer(delay, () => this.#run());
  }

  #run(): void {
    this.#timer = null;
    const nowMs = this.#clock.nowMs();
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= nowMs; next = this.#heap[0]) {
      this.#pop();
      const task = next.task;
      if (task === null) {
        this.#cancelled--;
        continue;
      }
      next.task = null;
      try {
        task();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#arm();
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].task === null) {
      this.#pop();
      this.#cancelled--;
    }
  }

  #rebuild(): void {
    const live = this.#heap.filter((entry) => entry.task !== null);
    this.#heap = [];
    this.#cancelled = 0;
    for (const entry of live) this.#push(entry);
    this.#arm();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const takesRight = right !== undefined && isBefore(right, left);
      const smaller = takesRight ? right : left;
      if (!isBefore(smaller, last)) break;
      heap[at] = smaller;
      at = 2 * at + (takesRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
