import type { Message } from "./message.ts";
import type { Persistence, StoredDelayed } from "./persistence.ts";
import type { RestoredDelayed } from "./restore.ts";
import type { Deadline, Schedule } from "./schedule.ts";

interface Pending {
  readonly message: Message;
  readonly stored: StoredDelayed | null;
  readonly deadline: Deadline;
}

/** Publications that are made later unless called off, such as wills: at most one per owner. */
export class DelayedPublications {
  readonly #schedule: Schedule;
  readonly #persistence: Persistence | null;
  readonly #publish: (message: Message) => void;
  readonly #byOwner = new Map<string, Pending>();

  /** @param persistence null when nothing is stored */
  constructor(schedule: Schedule, persistence: Persistence | null, publish: (message: Message) => void) {
    this.#schedule = schedule;
    this.#persistence = persistence;
    this.#publish = publish;
  }

  get count(): number {
    return this.#byOwner.size;
  }

  /** Publishes `message` after `delayMs`, at once (inside this call) with 0. It takes the place of the owner's earlier one. */
  put(owner: string, message: Message, delayMs: number): void {
    this.cancel(owner);
    if (delayMs <= 0) {
      this.#publish(message);
      return;
    }
    const deadline = this.#schedule.after(delayMs, () => this.fire(owner));
    const stored = this.#persistence?.saveDelayed(owner, message, deadline.atMs) ?? null;
    this.#byOwner.set(owner, { message, stored, deadline });
  }

  /** Calls off the owner's publication; false when there was none. */
  cancel(owner: string): boolean {
    return this.#take(owner) !== null;
  }

  /** Makes the owner's publication now; false when there was none. */
  fire(owner: string): boolean {
    const pending = this.#take(owner);
    if (pending === null) return false;
    this.#publish(pending.message);
    return true;
  }

  /** Takes up a stored one; when it is past due, it is made at the end of this turn or soon after. */
  restore(restored: RestoredDelayed): void {
    const { owner, stored, dueAtMs } = restored;
    const deadline = this.#schedule.at(dueAtMs, () => this.fire(owner));
    this.#byOwner.set(owner, { message: stored.message, stored, deadline });
  }

  #take(owner: string): Pending | null {
    const pending = this.#byOwner.get(owner);
    if (pending === undefined) return null;
    this.#byOwner.delete(owner);
    pending.deadline.cancel();
    // Its removal and what publishing it stores go in one batch: neither lost nor made twice.
    if (pending.stored !== null) this.#persistence?.dropDelayed(pending.stored);
    return pending;
  }
}
