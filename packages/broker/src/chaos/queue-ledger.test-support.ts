/** What the books of a queue say; all lists empty is what has to be. */
export interface QueueVerdict {
  readonly published: number;
  readonly confirmed: number;
  readonly deliveries: number;
  readonly redeliveries: number;
  readonly acknowledged: number;
  /** Confirmed to their publisher, and never delivered to a group. */
  readonly lost: readonly string[];
  /** Offsets that two messages had. */
  readonly reused: readonly string[];
  /** Offsets below the highest that a group never got. */
  readonly gaps: readonly string[];
  /** Delivered again after the broker had confirmed the acknowledgement. */
  readonly repeated: readonly string[];
}

/** Entries of a list that are kept; the rest would tell nothing more. */
const LISTED_MAX = 20;

/** Confirmed to publishers, delivered to groups, acknowledged by them: the account of one queue, kept outside of the broker. */
export class QueueLedger {
  readonly #groups: ReadonlyMap<string, GroupAccount>;
  readonly #ids = new Map<number, string>();
  readonly #confirmed = new Set<string>();
  readonly #reused: string[] = [];
  #published = 0;
  #deliveries = 0;

  constructor(groups: readonly string[]) {
    this.#groups = new Map(groups.map((group) => [group, new GroupAccount(group)]));
  }

  /** Deliveries so far. */
  get deliveries(): number {
    return this.#deliveries;
  }

  published(): void {
    this.#published++;
  }

  confirmed(id: string): void {
    this.#confirmed.add(id);
  }

  /** @param life the number of the broker that the delivering connection was made to */
  delivered(group: string, offset: number, id: string, life: number): void {
    this.#deliveries++;
    const known = this.#ids.get(offset);
    if (known === undefined) this.#ids.set(offset, id);
    else if (known !== id) this.#reused.push(`${offset}: ${known} and ${id}`);
    this.#groups.get(group)?.delivered(offset, life);
  }

  /** @param life the number of the broker that confirmed it */
  acknowledged(group: string, offset: number, life: number): void {
    this.#groups.get(group)?.acknowledged(offset, life);
  }

  /** True when nothing more is to come: each group has had every offset, and every confirmed message is among them. */
  get isComplete(): boolean {
    const ids = new Set(this.#ids.values());
    for (const id of this.#confirmed) if (!ids.has(id)) return false;
    return [...this.#groups.values()].every((group) => group.seenCount === this.#ids.size);
  }

  verdict(): QueueVerdict {
    const groups = [...this.#groups.values()];
    const highest = Math.max(-1, ...this.#ids.keys());
    const sum = (of: (group: GroupAccount) => number): number => groups.reduce((so, group) => so + of(group), 0);
    return {
      published: this.#published,
      confirmed: this.#confirmed.size,
      deliveries: this.#deliveries,
      redeliveries: this.#deliveries - sum((group) => group.seenCount),
      acknowledged: sum((group) => group.acknowledgedCount),
      lost: groups.flatMap((group) => this.#lost(group)).slice(0, LISTED_MAX),
      reused: this.#reused.slice(0, LISTED_MAX),
      gaps: groups.flatMap((group) => group.gaps(highest)).slice(0, LISTED_MAX),
      repeated: groups.flatMap((group) => group.repeated).slice(0, LISTED_MAX),
    };
  }

  #lost(group: GroupAccount): string[] {
    const got = new Set<string>();
    for (const [offset, id] of this.#ids) if (group.saw(offset)) got.add(id);
    return [...this.#confirmed].filter((id) => !got.has(id)).map((id) => `${group.name}: ${id}`);
  }
}

class GroupAccount {
  readonly name: string;
  readonly repeated: string[] = [];
  readonly #seen = new Set<number>();
  /** The broker's number at the confirmation, by offset. */
  readonly #acknowledged = new Map<number, number>();

  constructor(name: string) {
    this.name = name;
  }

  get seenCount(): number {
    return this.#seen.size;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  saw(offset: number): boolean {
    return this.#seen.has(offset);
  }

  delivered(offset: number, life: number): void {
    this.#seen.add(offset);
    const settledIn = this.#acknowledged.get(offset);
    // What an earlier broker sent may still lie in a socket's buffer; what a later one sends, it must not send.
    if (settledIn !== undefined && settledIn <= life)
      this.repeated.push(`${this.name}: ${offset}, confirmed by broker ${settledIn}, sent by ${life}`);
  }

  acknowledged(offset: number, life: number): void {
    this.#acknowledged.set(offset, life);
  }

  gaps(highest: number): string[] {
    const missing: string[] = [];
    for (let offset = 0; offset <= highest; offset++)
      if (!this.#seen.has(offset)) missing.push(`${this.name}: ${offset}`);
    return missing;
  }
}
