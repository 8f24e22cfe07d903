import { checksum, type Flight, publisherOf, qosOf, sequenceOf } from "./data-set.ts";
import type { DeliveryReport } from "./messages.ts";

/** What the ledger says in the end. Each list holds names of records. */
export interface Verdict {
  readonly records: number;
  /** Records whose publish promise resolved. */
  readonly published: number;
  /** Records of which at least one delivery was seen. */
  readonly delivered: number;
  /** Further deliveries of records that had been seen, which QoS 1 allows. */
  readonly duplicatesQoS1: number;
  /** The same for QoS 2, where each one is a fault. */
  readonly duplicatesQoS2: readonly string[];
  /** Acknowledged to the publisher, and seen by no worker. */
  readonly lost: readonly string[];
  /** Neither acknowledged nor refused. */
  readonly unsettled: readonly string[];
  /** Refused, with the error's code. */
  readonly refused: readonly string[];
  /** Seen with another content or QoS than published, or not part of the data set. */
  readonly altered: readonly string[];
  /** Half of the deliveries took no longer. */
  readonly p50Ms: number;
  /** 99 of 100 took no longer. */
  readonly p99Ms: number;
}

/** Compares what the publishers' promises said with what the workers saw; it talks to processes only, never to the broker. */
export class Ledger {
  readonly #flights: readonly Flight[];
  readonly #acknowledged: Uint8Array;
  readonly #seen: Uint16Array;
  readonly #latencies: Float64Array;
  readonly #refused = new Map<number, string>();
  readonly #altered: string[] = [];
  #published = 0;
  #delivered = 0;
  #duplicates = 0;

  constructor(flights: readonly Flight[]) {
    this.#flights = flights;
    this.#acknowledged = new Uint8Array(flights.length);
    this.#seen = new Uint16Array(flights.length);
    this.#latencies = new Float64Array(flights.length);
  }

  get published(): number {
    return this.#published;
  }

  get delivered(): number {
    return this.#delivered;
  }

  get duplicates(): number {
    return this.#duplicates;
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
    for (const [id, qos, sum, latencyMs] of deliveries) {
      const flight = this.#flights[id];
      if (flight === undefined || qos !== qosOf(id) || sum !== checksum(flight)) this.#altered.push(nameOf(id));
      else this.#count(id, latencyMs);
    }
  }

  verdict(): Verdict {
    const ids = [...this.#flights.keys()];
    const seen = (id: number): number => this.#seen[id] ?? 0;
    const isAcknowledged = (id: number): boolean => this.#acknowledged[id] === 1;
    const twice = ids.filter((id) => seen(id) > 1);
    const latencies = this.#latencies.filter((_, id) => seen(id) > 0).sort();
    return {
      records: ids.length,
      published: this.#published,
      delivered: this.#delivered,
      duplicatesQoS1: twice.filter((id) => qosOf(id) === 1).reduce((sum, id) => sum + seen(id) - 1, 0),
      duplicatesQoS2: twice.filter((id) => qosOf(id) === 2).map(nameOf),
      lost: ids.filter((id) => isAcknowledged(id) && seen(id) === 0).map(nameOf),
      unsettled: ids.filter((id) => !isAcknowledged(id) && !this.#refused.has(id)).map(nameOf),
      refused: [...this.#refused].map(([id, code]) => `${nameOf(id)} ${code}`),
      altered: this.#altered,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
    };
  }

  #count(id: number, latencyMs: number): void {
    const before = this.#seen[id] ?? 0;
    this.#seen[id] = before + 1;
    if (before > 0) {
      this.#duplicates++;
      return;
    }
    this.#delivered++;
    this.#latencies[id] = latencyMs;
  }
}

/** What is wrong with the outcome, a line each; nothing when all is well. */
export function faultsOf(verdict: Verdict): string[] {
  const faults: string[] = [];
  const name = (names: readonly string[], what: string): void => {
    if (names.length > 0) faults.push(`${names.length} ${what}: ${listed(names)}`);
  };
  name(verdict.lost, "acknowledged and lost");
  name(verdict.duplicatesQoS2, "of QoS 2 seen twice");
  name(verdict.unsettled, "never acknowledged");
  name(verdict.refused, "refused");
  name(verdict.altered, "altered");
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
