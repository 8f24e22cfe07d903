// Hot path: an entry comes and goes per message. No closure, promise, spread, iterator or regex here.
import type { PendingSend } from "./pending-send.ts";

/** Messages of one sender whose promises are open, in the order in which they were given; a list through the entries, for a set costs a tenth of sending. */
export class OpenSends {
  #first: PendingSend | null = null;
  #last: PendingSend | null = null;
  #size = 0;
  readonly #waiters: (() => void)[] = [];

  get size(): number {
    return this.#size;
  }

  /** The oldest one; `after` leads on. */
  get first(): PendingSend | null {
    return this.#first;
  }

  has(pending: PendingSend): boolean {
    return pending.isOpen;
  }

  add(pending: PendingSend): void {
    pending.isOpen = true;
    pending.before = this.#last;
    if (this.#last === null) this.#first = pending;
    else this.#last.after = pending;
    this.#last = pending;
    this.#size++;
  }

  /** Takes one out; false when it was not here. */
  delete(pending: PendingSend): boolean {
    if (!pending.isOpen) return false;
    const { before, after } = pending;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    pending.isOpen = false;
    pending.before = null;
    pending.after = null;
    if (--this.#size === 0 && this.#waiters.length > 0) this.#wake();
    return true;
  }

  /** Resolves once there are none. */
  whenEmpty(): Promise<void> {
    if (this.#size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** Takes the oldest one out. */
  shift(): PendingSend | undefined {
    const first = this.#first ?? undefined;
    if (first !== undefined) this.delete(first);
    return first;
  }
}
