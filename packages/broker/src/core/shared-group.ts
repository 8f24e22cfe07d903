// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import type { Guarantee, MessageView } from "./message.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Subscriptions of several subscribers that share the messages of one filter: each message goes to one of them, in turn. Connected members
 * with room come first, then connected ones that must queue, then those that are away and queue.
 */
export class SharedGroup {
  readonly name: string;
  readonly filter: string;
  readonly members: Subscription[] = [];
  #turn = 0;

  constructor(name: string, filter: string) {
    this.name = name;
    this.filter = filter;
  }

  add(member: Subscription): void {
    this.members.push(member);
  }

  remove(member: Subscription): void {
    const at = this.members.indexOf(member);
    if (at < 0) return;
    this.members.splice(at, 1);
    if (at < this.#turn) this.#turn--;
  }

  /** Puts a changed subscription of the same subscriber into the place of its old one. */
  replace(old: Subscription, member: Subscription): void {
    const at = this.members.indexOf(old);
    if (at < 0) this.members.push(member);
    else this.members[at] = member;
  }

  /**
   * Offers a message to the members, best first, until one takes it; returns that one, or null when all dropped it. A message that is delivered at
   * most once goes to connected members only.
   */
  offer(message: MessageView): Subscription | null {
    return (
      this.#offerTo(message, "ready") ??
      this.#offerTo(message, "busy") ??
      (message.guarantee === 0 ? null : this.#offerTo(message, "away"))
    );
  }

  #offerTo(message: MessageView, availability: "ready" | "busy" | "away"): Subscription | null {
    const members = this.members;
    const count = members.length;
    for (let i = 0; i < count; i++) {
      const at = (this.#turn + i) % count;
      const member = members[at];
      if (member === undefined || member.subscriber.availability !== availability) continue;
      const guarantee = lower(message.guarantee, member.guaranteeMax);
      if (availability === "away" && guarantee === 0) continue;
      const result = member.subscriber.deliver(message, member, guarantee);
      if (result === "dropped" || result === "refused") continue;
      this.#turn = (at + 1) % Math.max(1, members.length);
      return member;
    }
    return null;
  }
}

/** The guarantee of a delivery: the lower one of publisher and subscription. */
export function lower(a: Guarantee, b: Guarantee): Guarantee {
  return a < b ? a : b;
}
