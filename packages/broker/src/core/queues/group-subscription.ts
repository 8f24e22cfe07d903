import type { Group } from "./group.ts";
import type { Member } from "./members.ts";
import type { GroupMode, QueueSubscription, SettleOutcome, SettleResult } from "./queue-port.ts";

/** A member of a group, as its session holds it. */
export class GroupSubscription implements QueueSubscription {
  readonly queue: string;
  readonly groupId: string;
  readonly mode: GroupMode;
  readonly #group: Group;
  readonly #member: Member;
  readonly #onLeft: () => void;

  /** @param onLeft told once the member has left */
  constructor(queue: string, group: Group, member: Member, onLeft: () => void) {
    this.queue = queue;
    this.groupId = group.id;
    this.mode = group.mode;
    this.#group = group;
    this.#member = member;
    this.#onLeft = onLeft;
  }

  wake(): void {
    if (this.#member.isGone) return;
    this.#member.isAwake = true;
    this.#group.pump();
  }

  settle(offset: number, outcome: SettleOutcome, ticket?: number): SettleResult {
    // What its time was over for may be with somebody else, who would lose it, or here again; what was done with it is done.
    if (outcome.is === "nack" && !this.#group.holds(this.#member, offset, ticket)) return "not-pending";
    return this.#group.settle(offset, outcome);
  }

  /** Whether the member has a message in hand, and can settle it; true where the group does not know what members have. */
  holds(offset: number): boolean {
    return !this.#member.isGone && this.#group.holds(this.#member, offset);
  }

  /** Gives back all that the member has not settled; it may get it again. */
  recover(): void {
    if (!this.#member.isGone) this.#group.giveBack(this.#member);
  }

  close(): void {
    if (this.#member.isGone) return;
    this.#group.leave(this.#member);
    this.#onLeft();
  }
}
