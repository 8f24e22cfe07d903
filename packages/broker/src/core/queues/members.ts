// Hot path: `next` runs per delivery. No closure, promise, spread, iterator or regex here.
import type { QueueConsumer } from "./queue-port.ts";

/** A consumer in a group. */
export class Member {
  readonly consumer: QueueConsumer;
  /** Messages that it got and has not settled. */
  pendingCount = 0;
  isGone = false;
  /** False until the consumer is ready for its first delivery. */
  isAwake = false;
  readonly priority: number;
  /** Rises with every message that a member of the group takes; only kept up where members have priorities. */
  tookAt = 0;

  constructor(consumer: QueueConsumer, priority = 0) {
    this.consumer = consumer;
    this.priority = priority;
  }
}

/**
 * The members of a group: each message goes to one that takes it, in turn, higher priorities first; with one active member only to the oldest of
 * the highest priority.
 */
export class Members {
  readonly list: Member[] = [];
  distribution: "round-robin" | "single-active";
  /** True while a member has a priority. */
  #hasPriorities = false;
  #took = 0;
  /** Where the next search begins, and what the last one found. */
  #turn = 0;
  #found = 0;

  constructor(distribution: "round-robin" | "single-active") {
    this.distribution = distribution;
  }

  add(member: Member): void {
    let at = this.list.length;
    while (at > 0 && (this.list[at - 1] as Member).priority < member.priority) at--;
    this.list.splice(at, 0, member);
    if (at < this.#turn) this.#turn++;
    if (member.priority !== 0) this.#hasPriorities = true;
  }

  remove(member: Member): void {
    const at = this.list.indexOf(member);
    if (at < 0) return;
    this.list.splice(at, 1);
    if (at < this.#turn) this.#turn--;
  }

  /** The member whose turn it is among those that are awake and have credit, or null. The turn passes on when {@link took} is called. */
  next(): Member | null {
    const { list } = this;
    const count = this.distribution === "single-active" ? Math.min(1, list.length) : list.length;
    if (this.#hasPriorities) return this.#nextByPriority(count);
    for (let i = 0; i < count; i++) {
      let at = this.#turn + i;
      if (at >= count) at %= count;
      const member = list[at] as Member;
      if (member.isAwake && member.consumer.credit > 0) {
        this.#found = at;
        return member;
      }
    }
    return null;
  }

  /** The member of the last {@link next} took something: it is the turn of the one behind it. */
  took(): void {
    (this.list[this.#found] as Member).tookAt = ++this.#took;
    this.#turn = this.#found + 1;
    if (this.#turn >= this.list.length) this.#turn = 0;
  }

  /** Of those with the highest priority that take one, the member whose last message is longest ago. */
  #nextByPriority(count: number): Member | null {
    const { list } = this;
    let found: Member | null = null;
    for (let at = 0; at < count; at++) {
      const member = list[at] as Member;
      if (found !== null && member.priority < found.priority) return found;
      if (!member.isAwake || member.consumer.credit <= 0) continue;
      if (found !== null && member.tookAt >= found.tookAt) continue;
      this.#found = at;
      found = member;
    }
    return found;
  }
}
