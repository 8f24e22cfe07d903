import { checksum, type Flight, fateOf, publisherOf, qosOf, sequenceOf } from "./data-set.ts";
import type { DeliveryReport, HoldReport, LetterReport } from "./messages.ts";

/** What the ledger says in the end. Each list holds names of records. */
export interface Verdict {
  readonly records: number;
  /** Records whose publish promise resolved. */
  readonly published: number;
  /** Records that a worker has done. */
  readonly done: number;
  /** Deliveries that workers gave back to be tried again. */
  readonly nacked: number;
  /** Deliveries that were not the first of their message. */
  readonly redelivered: number;
  /** Dead letters by their reason, as read from the dead-letter queue. */
  readonly deadLetters: ReadonlyMap<string, number>;
  /** Records of QoS 1 that are in the queue more than once, which QoS 1 allows. */
  readonly duplicatesQoS1: number;
  /** The same for QoS 2, where each one is a fault. */
  readonly duplicatesQoS2: readonly string[];
  /** Acknowledged to the publisher, and neither done nor among the dead letters. */
  readonly lost: readonly string[];
  /** Neither acknowledged nor refused. */
  readonly unsettled: readonly string[];
  /** Refused, with the error's code. */
  readonly refused: readonly string[];
  /** Seen with another content than published, or not part of the data set. */
  readonly altered: readonly string[];
  /** Dead letters with another reason than they should have, or that should be none. */
  readonly misburied: readonly string[];
  /** Times for which a message was provably one worker's. */
  readonly holds: number;
  /** Offsets of messages that two workers had at the same time. */
  readonly shared: readonly string[];
  /** Half of the first deliveries took no longer. */
  readonly p50Ms: number;
  /** 99 of 100 took no longer. */
  readonly p99Ms: number;
}

/** A time for which a worker had a message. */
interface Hold {
  readonly by: object;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** How far the clocks of two processes may be apart. */
const CLOCK_MS = 2;

/** Compares what the publishers' promises said with what workers and undertaker saw; it talks to processes only, never to the broker. */
export class Ledger {
  readonly #flights: readonly Flight[];
  readonly #acknowledged: Uint8Array;
  readonly #done: Uint8Array;
  readonly #dead: Uint8Array;
  /** Each record's places in the queue. */
  readonly #offsets: (number | Set<number>)[] = [];
  readonly #latencies: Float64Array;
  readonly #refused = new Map<number, string>();
  readonly #letters = new Map<string, number>();
  /** Who had a message when, by its offset. */
  readonly #holds = new Map<number, Hold[]>();
  readonly #shared = new Set<number>();
  readonly #altered: string[] = [];
  readonly #misburied: string[] = [];
  #published = 0;
  #ended = 0;
  #nacked = 0;
  #heldCount = 0;
  #redelivered = 0;

  constructor(flights: readonly Flight[]) {
    this.#flights = flights;
    this.#acknowledged = new Uint8Array(flights.length);
    this.#done = new Uint8Array(flights.length);
    this.#dead = new Uint8Array(flights.length);
    this.#latencies = new Float64Array(flights.length).fill(-1);
  }

  get published(): number {
    return this.#published;
  }

  /** Records that are done or dead letters. */
  get ended(): number {
    return this.#ended;
  }

  get redelivered(): number {
    return this.#redelivered;
  }

  /** A publisher's promises resolved. */
  acknowledged(ids: readonly number[]): void {
    for (const id of ids) {
      if (this.#acknowledged[id] === 0) this.#published++;
      this.#acknowledged[id] = 1;
    }
  }

  /** A publisher's promise rejected. */
  refused(id: number, code: string): void {
    this.#refused.set(id, code);
  }

  /** A worker saw messages. */
  saw(deliveries: readonly DeliveryReport[]): void {
    for (const [id, outcome, offset, deliveryCount, sum, latencyMs] of deliveries) {
      if (!this.#isWhole(id, sum)) continue;
      if (outcome === "nacked") this.#nacked++;
      if (outcome === "done") this.#end(id, this.#done);
      if (deliveryCount > 0) this.#redelivered++;
      if (this.#latencies[id] === -1) this.#latencies[id] = latencyMs;
      this.#place(id, offset);
    }
  }

  /** A worker had messages for so long; the object tells workers apart. */
  held(by: object, reports: readonly HoldReport[]): void {
    for (const [offset, fromMs, untilMs] of reports) {
      this.#heldCount++;
      const holds = this.#holds.get(offset) ?? [];
      const overlaps = (other: Hold): boolean =>
        Math.min(untilMs, other.untilMs) - Math.max(fromMs, other.fromMs) > CLOCK_MS;
      if (holds.some((other) => other.by !== by && overlaps(other))) this.#shared.add(offset);
      holds.push({ by, fromMs, untilMs });
      this.#holds.set(offset, holds);
    }
  }

  /** The undertaker read dead letters. */
  buried(letters: readonly LetterReport[]): void {
    for (const [id, reason, sum] of letters) {
      if (!this.#isWhole(id, sum)) continue;
      if (this.#dead[id] === 0) this.#letters.set(reason, (this.#letters.get(reason) ?? 0) + 1);
      this.#end(id, this.#dead);
      const flight = this.#flights[id];
      if (flight !== undefined && REASONS[fateOf(flight)] !== reason) this.#misburied.push(`${nameOf(id)} ${reason}`);
    }
  }

  verdict(): Verdict {
    const ids = [...this.#flights.keys()];
    const isAcknowledged = (id: number): boolean => this.#acknowledged[id] === 1;
    const twice = ids.filter((id) => this.#offsets[id] instanceof Set);
    const latencies = this.#latencies.filter((latencyMs) => latencyMs >= 0).sort();
    return {
      records: ids.length,
      published: this.#published,
      done: this.#done.reduce((sum, each) => sum + each, 0),
      nacked: this.#nacked,
      redelivered: this.#redelivered,
      deadLetters: this.#letters,
      duplicatesQoS1: twice.filter((id) => qosOf(id) === 1).length,
      duplicatesQoS2: twice.filter((id) => qosOf(id) === 2).map(nameOf),
      lost: ids.filter((id) => isAcknowledged(id) && !this.#hasEnded(id)).map(nameOf),
      unsettled: ids.filter((id) => !isAcknowledged(id) && !this.#refused.has(id)).map(nameOf),
      refused: [...this.#refused].map(([id, code]) => `${nameOf(id)} ${code}`),
      altered: this.#altered,
      misburied: this.#misburied,
      holds: this.#heldCount,
      shared: [...this.#shared].map((offset) => `offset ${offset}`),
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
    };
  }

  #isWhole(id: number, sum: number): boolean {
    const flight = this.#flights[id];
    if (flight !== undefined && sum === checksum(flight)) return true;
    this.#altered.push(nameOf(id));
    return false;
  }

  #hasEnded(id: number): boolean {
    return this.#done[id] === 1 || this.#dead[id] === 1;
  }

  #end(id: number, how: Uint8Array): void {
    if (!this.#hasEnded(id)) this.#ended++;
    how[id] = 1;
  }

  #place(id: number, offset: number): void {
    const known = this.#offsets[id];
    if (known === undefined) this.#offsets[id] = offset;
    else if (known instanceof Set) known.add(offset);
    else if (known !== offset) this.#offsets[id] = new Set([known, offset]);
  }
}

/** The reason that a dead letter must have, by what was to become of its record; records that can be done must be none. */
const REASONS: Readonly<Partial<Record<ReturnType<typeof fateOf>, string>>> = {
  rejected: "rejected",
  hopeless: "delivery-limit",
};

/** What is wrong with the outcome, a line each; nothing when all is well. */
export function faultsOf(verdict: Verdict): string[] {
  const faults: string[] = [];
  const name = (names: readonly string[], what: string): void => {
    if (names.length > 0) faults.push(`${names.length} ${what}: ${listed(names)}`);
  };
  name(verdict.lost, "acknowledged and lost");
  name(verdict.duplicatesQoS2, "of QoS 2 in the queue twice");
  name(verdict.unsettled, "never acknowledged");
  name(verdict.refused, "refused");
  name(verdict.altered, "altered");
  name(verdict.misburied, "wrongly dead-lettered");
  name(verdict.shared, "given to two workers at once");
  if (verdict.records === 0) faults.push("there was nothing to publish");
  return faults;
}

/** A record's name: publisher, number among its records, QoS. */
export function nameOf(id: number): string {
  return `publisher-${publisherOf(id) + 1}/${sequenceOf(id)}/qos${qosOf(id)}`;
}

const NAMES_MAX = 10;

function listed(names: readonly string[]): string {
  const rest = names.length - NAMES_MAX;
  return names.slice(0, NAMES_MAX).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
