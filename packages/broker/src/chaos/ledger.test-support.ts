/** What a ledger found; all lists empty and `duplicatesQoS1` any number is what has to be. Entries name publisher, sequence and QoS. */
export interface Verdict {
  readonly published: number;
  readonly acknowledged: number;
  readonly delivered: number;
  readonly duplicatesQoS1: number;
  /** Acknowledged, and never seen. */
  readonly lost: readonly string[];
  /** Seen twice at QoS 2. */
  readonly twice: readonly string[];
  /** Seen for the first time after a later one of the same publisher. */
  readonly misordered: readonly string[];
  /** Published, and the promise has neither resolved nor rejected. */
  readonly unsettled: readonly string[];
  readonly refused: readonly string[];
  /** Seen, and never published like that. */
  readonly strange: readonly string[];
}

/** The QoS that the message with this number has. */
export function qosOf(sequence: number): 1 | 2 {
  return sequence % 2 === 0 ? 1 : 2;
}

/** Entries of a list that are kept; the rest would tell nothing more. */
const LISTED_MAX = 20;

/** One publisher's account: what it was promised against what was seen of it. */
export class Account {
  readonly name: string;
  readonly #qosOf: (sequence: number) => 1 | 2;
  readonly #promised: ("open" | "acknowledged" | "refused")[] = [];
  readonly #seen: number[] = [];
  readonly #misordered: string[] = [];
  readonly #strange: string[] = [];
  readonly #refused: string[] = [];
  #latest = -1;
  #delivered = 0;
  #acknowledged = 0;

  /** @param qos of each message; 1 at least once, 2 once */
  constructor(name: string, qos: (sequence: number) => 1 | 2 = qosOf) {
    this.name = name;
    this.#qosOf = qos;
  }

  /** Messages seen at least once. */
  get delivered(): number {
    return this.#delivered;
  }

  get published(): number {
    return this.#promised.length;
  }

  /** A publish was begun; returns its number. */
  publish(): number {
    return this.#promised.push("open") - 1;
  }

  acknowledged(sequence: number): void {
    this.#promised[sequence] = "acknowledged";
    this.#acknowledged++;
  }

  refused(sequence: number, code: string): void {
    this.#promised[sequence] = "refused";
    if (this.#refused.length < LISTED_MAX) this.#refused.push(`${this.#name(sequence)} ${code}`);
  }

  saw(sequence: number, qos: number): void {
    if (qos !== this.#qosOf(sequence) || this.#promised[sequence] === undefined) {
      if (this.#strange.length < LISTED_MAX) this.#strange.push(`${this.#name(sequence)} as qos${qos}`);
      return;
    }
    const before = this.#seen[sequence] ?? 0;
    this.#seen[sequence] = before + 1;
    if (before > 0) return;
    this.#delivered++;
    if (sequence < this.#latest && this.#misordered.length < LISTED_MAX) {
      this.#misordered.push(`${this.#name(sequence)} after ${this.#latest}`);
    }
    this.#latest = Math.max(this.#latest, sequence);
  }

  verdict(): Verdict {
    const all = [...this.#promised.keys()];
    const seen = (sequence: number): number => this.#seen[sequence] ?? 0;
    const names = (which: (sequence: number) => boolean): string[] =>
      all
        .filter(which)
        .slice(0, LISTED_MAX)
        .map((sequence) => this.#name(sequence));
    return {
      published: all.length,
      acknowledged: this.#acknowledged,
      delivered: this.#delivered,
      duplicatesQoS1: all.reduce((sum, at) => sum + (this.#qosOf(at) === 1 ? Math.max(0, seen(at) - 1) : 0), 0),
      lost: names((sequence) => this.#promised[sequence] === "acknowledged" && seen(sequence) === 0),
      twice: names((sequence) => this.#qosOf(sequence) === 2 && seen(sequence) > 1),
      misordered: this.#misordered,
      unsettled: names((sequence) => this.#promised[sequence] === "open"),
      refused: this.#refused,
      strange: this.#strange,
    };
  }

  #name(sequence: number): string {
    return `${this.name}/${sequence}/qos${this.#qosOf(sequence)}`;
  }
}

/** Several verdicts as one. */
export function total(verdicts: readonly Verdict[]): Verdict {
  const sum = (of: (verdict: Verdict) => number): number => verdicts.reduce((so, each) => so + of(each), 0);
  return {
    published: sum((each) => each.published),
    acknowledged: sum((each) => each.acknowledged),
    delivered: sum((each) => each.delivered),
    duplicatesQoS1: sum((each) => each.duplicatesQoS1),
    lost: verdicts.flatMap((each) => each.lost),
    twice: verdicts.flatMap((each) => each.twice),
    misordered: verdicts.flatMap((each) => each.misordered),
    unsettled: verdicts.flatMap((each) => each.unsettled),
    refused: verdicts.flatMap((each) => each.refused),
    strange: verdicts.flatMap((each) => each.strange),
  };
}
