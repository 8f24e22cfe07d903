import type { Queued } from "./queue-ledger.ts";
import type { StreamCommit } from "./queue-plan.ts";

/** What a group in stream mode was given, and what it committed. */
export class StreamLedger {
  readonly queue: string;
  readonly group: string;
  readonly commit: StreamCommit;
  readonly #at = new Map<number, string>();
  readonly #wrong: string[] = [];
  /** Offsets that were acknowledged since the group went back last, and ever. */
  readonly #acked = new Set<number>();
  readonly #everAcked = new Set<number>();
  #highest = -1;
  #last = -1;
  #said = 0;
  #durable = 0;

  constructor(queue: string, group: string, commit: StreamCommit) {
    this.queue = queue;
    this.group = group;
    this.commit = commit;
  }

  get name(): string {
    return `${this.queue}/${this.group}`;
  }

  /** The group may go back to what it has committed: its broker starts, or a member joins one that had none. */
  mayGoBack(): void {
    this.#last = -1;
    this.#acked.clear();
  }

  /** The queue took an acknowledgement. */
  acked(offset: number): void {
    this.#acked.add(offset);
    this.#everAcked.add(offset);
  }

  delivered(offset: number, id: string): void {
    const before = this.#at.get(offset);
    if (before !== undefined && before !== id)
      this.#wrong.push(`${this.name} got ${id} at ${offset}, where ${before} was`);
    if (offset > this.#highest + 1) this.#wrong.push(`${this.name} got offset ${offset} after ${this.#highest}`);
    if (offset < this.#durable)
      this.#wrong.push(`${this.name} got offset ${offset}, and had committed ${this.#durable}`);
    if (this.#acked.has(offset)) this.#wrong.push(`${this.name} got offset ${offset} again, which it had acknowledged`);
    // What a member gave back comes again in a group that knows what its members have.
    if (this.commit !== "settled" && this.#last >= 0 && offset !== this.#last + 1) {
      this.#wrong.push(`${this.name} got offset ${offset} behind ${this.#last} without cause`);
    }
    this.#at.set(offset, id);
    this.#last = offset;
    this.#highest = Math.max(this.#highest, offset);
  }

  /** The next offset to commit when this one was worked on: never less than before. */
  commitFor(offset: number): number {
    this.#said = Math.max(this.#said, offset + 1);
    return this.#said;
  }

  durable(committed: number): void {
    this.#durable = Math.max(this.#durable, committed);
  }

  /** All that is wrong, once the group has read everything; `messages` is what was published to its queue. */
  check(messages: readonly Queued[]): string[] {
    const seen = new Map<string, number>();
    for (const id of this.#at.values()) seen.set(id, (seen.get(id) ?? 0) + 1);
    const lost = messages.filter(({ id, state }) => state === "confirmed" && !seen.has(id));
    const undone = [...this.#at].filter(([offset]) => this.commit === "settled" && !this.#everAcked.has(offset));
    const twice = [...seen].filter(([, offsets]) => offsets > 1);
    return [
      ...this.#wrong,
      ...lost.map(({ id }) => `${this.name} never got ${id}`),
      ...undone.map(([offset, id]) => `${this.name} never acknowledged ${id} at ${offset}`),
      ...twice.map(([id, offsets]) => `${id} is in ${this.queue} ${offsets} times`),
    ];
  }
}
