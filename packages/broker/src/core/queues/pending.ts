// Hot path: runs per delivery. No closure, promise, spread, iterator or regex here.
import type { Member } from "./members.ts";
import type { QueueDelivery } from "./queue-port.ts";

/**
 * `pending`: a member works on it; `ready`: to be delivered again; `waiting`: to be delivered again later; `done`: settled, and only found in
 * places that are cleared later.
 */
export type PendingState = "pending" | "ready" | "waiting" | "done";

/** A message that was delivered to a group and is not settled. */
export class Pending {
  readonly offset: number;
  readonly priority: number;
  /** Deliveries so far. */
  count: number;
  state: PendingState = "pending";
  member: Member | null = null;
  /** Of the latest delivery; see {@link QueueDelivery.ticket}. */
  ticket = 0;
  /** On the clock's monotonic scale: when the delivery is made again, or when it is ready. */
  dueMs = 0;
  before: Pending | null = null;
  after: Pending | null = null;
  /** What the session layer said when it was given back last, or null. */
  note: Uint8Array | null = null;
  /** True when the store has its count. */
  isCountStored = false;
  /** True while its count waits to be stored. */
  isCountListed = false;

  constructor(offset: number, priority: number, count: number) {
    this.offset = offset;
    this.priority = priority;
    this.count = count;
  }
}

/** Pending messages in the order of their deliveries, which is the order of their deadlines; each can leave at once. */
export class PendingList {
  #oldest: Pending | null = null;
  #newest: Pending | null = null;
  #length = 0;

  get oldest(): Pending | null {
    return this.#oldest;
  }

  get length(): number {
    return this.#length;
  }

  push(entry: Pending): void {
    entry.before = this.#newest;
    entry.after = null;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.after = entry;
    this.#newest = entry;
    this.#length++;
  }

  remove(entry: Pending): void {
    const { before, after } = entry;
    if (before === null) this.#oldest = after;
    else before.after = after;
    if (after === null) this.#newest = before;
    else after.before = before;
    entry.before = null;
    entry.after = null;
    this.#length--;
  }
}
