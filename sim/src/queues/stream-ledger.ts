import { halves, overtaken } from "./published-checks.ts";
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
  /** What the queue was asked last to go on with. */
  #asked = 0;
  readonly #everAsked = new Set<number>();
  /** Offsets that readers have acknowledged, where they are asked. */
  readonly #ackSaid = new Set<number>();

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

  /** A reader acknowledges. */
  ackSaid(offset: number): void {
    this.#ackSaid.add(offset);
  }

  /** The queue took an acknowledgement from somewhere else than the simulation. */
  ackedOverWire(offset: number): void {
    if (!this.#ackSaid.has(offset))
      this.#wrong.push(`${this.name} has an acknowledgement of ${offset} that nobody said`);
    this.acked(offset);
  }

  /** What the group was given at an offset. */
  idAt(offset: number): string | undefined {
    return this.#at.get(offset);
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

  /** The queue took a commit, which may be a late one of a lost connection that goes back. */
  asked(committed: number): void {
    this.#asked = committed;
    this.#everAsked.add(committed);
    this.#durable = Math.min(this.#durable, committed);
  }

  /** A reader was told that a commit is stored: that holds, unless another one came. */
  promised(committed: number): void {
    if (!this.#everAsked.has(committed)) this.#wrong.push(`${this.name} never took the commit of ${committed}`);
    if (this.#asked === committed) this.durable(committed);
  }

  /** All that is wrong, once the group has read everything; `messages` is what was published to its queue. */
  check(messages: readonly Queued[]): string[] {
    const seen = new Map<string, number>();
    for (const id of this.#at.values()) seen.set(id, (seen.get(id) ?? 0) + 1);
    const lost = messages.filter(({ id, state }) => state === "confirmed" && !seen.has(id));
    const undone = [...this.#at].filter(([offset]) => this.commit === "settled" && !this.#everAcked.has(offset));
    const known = new Map(messages.map((queued) => [queued.id, queued]));
    const twice = [...seen].filter(([id, offsets]) => offsets > 1 && known.get(id)?.guarantee !== "at least");
    const refused = messages.filter(({ id, state }) => state === "refused" && seen.has(id));
    return [
      ...this.#wrong,
      ...lost.map(({ id }) => `${this.name} never got ${id}`),
      ...undone.map(([offset, id]) => `${this.name} never acknowledged ${id} at ${offset}`),
      ...refused.map(({ id }) => `${this.name} got ${id}, which it should not`),
      ...overtaken(this.queue, this.#at, (id) => known.get(id)),
      ...halves(messages, new Set(seen.keys())),
      ...twice.map(([id, offsets]) => `${id} is in ${this.queue} ${offsets} times`),
    ];
  }
}
