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

  constructor(consumer: QueueConsumer) {
    this.consumer = consumer;
  }
}

/** The members of a group: each message goes to one that takes it, in turn; with one active member only to the oldest. */
export class Members {
  readonly list: Member[] = [];
  distribution: "round-robin" | "single-active";
  /** Where the next search begins, and what the last one found. */
  #turn = 0;
  #found = 0;

  constructor(distribution: "round-robin" | "single-active") {
    this.distribution = distribution;
  }

  add(member: Member): void {
    this.list.push(member);
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
    this.#turn = this.#found + 1;
    if (this.#turn >= this.list.length) this.#turn = 0;
  }
}
