import { HeldMessages } from "./held-messages.ts";
import { halves, overtaken } from "./published-checks.ts";
import { routingKeyMatches } from "./routing-key.ts";

/** A message as its publisher knows it. */
export interface Queued {
  readonly id: string;
  readonly queue: string;
  readonly key: string;
  /** `exactly`: once in the queue at most; `at least`: what was not confirmed was published again under the same id. */
  readonly guarantee: "exactly" | "at least";
  /** Names a row of numbered messages whose order holds in each queue, or null. */
  readonly from: string | null;
  readonly number: number;
  /** Names the messages that count with it or not at all. */
  readonly together?: string;
  state: "open" | "confirmed" | "refused" | "unknown";
}

/** A dead letter as it lies in a dead-letter queue. */
export interface DeadLetter {
  readonly id: string;
  readonly queue: string;
  readonly group: string;
  readonly offset: number;
  readonly reason: string;
}

/** What a group's members were given at one offset, and what they said about it. */
interface Entry {
  readonly id: string;
  deliveries: number;
  /** `durable` since the broker said so. */
  ack: "none" | "said" | "durable";
  reject: "none" | "said" | "durable";
}

/** What is known of a group beforehand. */
export interface GroupFacts {
  readonly queue: string;
  /** The effective id. */
  readonly group: string;
  readonly filter: string;
  readonly deliveryLimit: number;
  /** Reasons for which its queue buries messages whatever the groups do. */
  readonly reasons: readonly string[];
  /** After which a message that nobody settled goes to another member; 0: never. */
  readonly visibilityTimeoutMs: number;
}

/** What a delivery says besides. */
export interface DeliveryFacts {
  readonly deliveryCount: number;
  readonly priority: number;
}

/** A consumer group in work mode that the ledger watches. */
export class GroupLedger {
  readonly queue: string;
  /** The effective id. */
  readonly group: string;
  readonly filter: string;
  readonly deliveryLimit: number;
  readonly reasons: readonly string[];
  readonly entries: Map<number, Entry> = new Map();
  readonly held: HeldMessages;
  readonly #wrong: string[] = [];
  /** The highest offset that was delivered, by priority. */
  readonly #highest = new Map<number, number>();

  constructor(facts: GroupFacts) {
    this.queue = facts.queue;
    this.group = facts.group;
    this.filter = facts.filter;
    this.deliveryLimit = facts.deliveryLimit;
    this.reasons = facts.reasons;
    this.held = new HeldMessages(facts.visibilityTimeoutMs);
  }

  get name(): string {
    return `${this.queue}/${this.group}`;
  }

  /** What was seen to be wrong as it happened. */
  get wrong(): readonly string[] {
    return this.#wrong;
  }

  delivered(offset: number, id: string, { deliveryCount, priority }: DeliveryFacts): void {
    const entry = this.entries.get(offset);
    if (entry === undefined) {
      const highest = this.#highest.get(priority) ?? -1;
      // What a queue itself has buried comes back when a crash overtakes the burial, behind what was delivered meanwhile.
      const isOrdered = this.reasons.length === 0;
      if (isOrdered && offset < highest) this.#wrong.push(`${this.name} got ${id} at ${offset} first after ${highest}`);
      this.#highest.set(priority, Math.max(highest, offset));
      this.entries.set(offset, { id, deliveries: 1, ack: "none", reject: "none" });
      if (deliveryCount > 0) this.#wrong.push(`${this.name} got ${id} first with delivery count ${deliveryCount}`);
      return;
    }
    if (entry.id !== id) this.#wrong.push(`${this.name} got ${id} at ${offset}, where ${entry.id} was`);
    if (entry.ack === "durable")
      this.#wrong.push(`${this.name} got ${id} at ${offset} after its acknowledgement was durable`);
    if (entry.reject === "durable")
      this.#wrong.push(`${this.name} got ${id} at ${offset} after its rejection was durable`);
    if (deliveryCount > entry.deliveries) {
      this.#wrong.push(
        `${this.name} got ${id} with delivery count ${deliveryCount} after ${entry.deliveries} deliveries`,
      );
    }
    entry.deliveries++;
  }

  /** A member has it in hand from now on. */
  given(offset: number, member: object, nowMs: number): void {
    if (!this.held.given(offset, { member, sinceMs: nowMs }))
      this.#wrong.push(`${this.name} gave offset ${offset} to a member while another one had it`);
  }

  said(offset: number, what: "ack" | "reject"): void {
    const entry = this.entries.get(offset);
    if (entry !== undefined && entry[what] === "none") entry[what] = "said";
  }

  durable(offset: number, what: "ack" | "reject"): void {
    const entry = this.entries.get(offset);
    if (entry === undefined) return;
    if (entry[what] === "none") this.#wrong.push(`${this.name} has a durable ${what} of ${entry.id} that nobody said`);
    entry[what] = "durable";
  }

  /** True when the group sees messages of this key. */
  sees(key: string): boolean {
    return this.filter === "" || routingKeyMatches(this.filter, key);
  }
}

/** What was queued, what was promised, who got what, and what died. */
export class QueueLedger {
  readonly #messages = new Map<string, Queued>();
  readonly #groups: GroupLedger[] = [];
  #deadLetters: readonly DeadLetter[] = [];

  get groups(): readonly GroupLedger[] {
    return this.#groups;
  }

  publish(facts: Omit<Queued, "state">): Queued {
    const queued: Queued = { ...facts, state: "open" };
    this.#messages.set(queued.id, queued);
    return queued;
  }

  /** What was published to a queue. */
  messagesOf(queue: string): Queued[] {
    return [...this.#messages.values()].filter((queued) => queued.queue === queue);
  }

  watch(group: GroupLedger): GroupLedger {
    this.#groups.push(group);
    return group;
  }

  /** Sets what lies in the dead-letter queues now. */
  setDeadLetters(letters: readonly DeadLetter[]): void {
    this.#deadLetters = letters;
  }

  /** All that is wrong, once no group has anything left to settle. */
  check(): string[] {
    const ofGroups = this.#groups.flatMap((group) => [
      ...group.wrong,
      ...this.#lost(group),
      ...this.#strangers(group),
      ...this.#copies(group),
      ...this.#overtaken(group),
      ...this.#gaps(group),
      ...this.#deaths(group),
    ]);
    const seen = new Set(this.#groups.flatMap(({ entries }) => [...entries.values()].map(({ id }) => id)));
    for (const { id } of this.#deadLetters) seen.add(id);
    return [...ofGroups, ...halves(this.#messages.values(), seen)];
  }

  /** What was confirmed was delivered to the group, and acknowledged there or buried. */
  #lost(group: GroupLedger): string[] {
    const buried = new Set([...this.#deadLettersOf(group), ...this.#buriedByQueue(group)].map((letter) => letter.id));
    const acked = new Set([...group.entries.values()].filter(({ ack }) => ack !== "none").map(({ id }) => id));
    const seen = new Set([...group.entries.values()].map(({ id }) => id));
    return [...this.#messages.values()]
      .filter(({ queue, state, key }) => queue === group.queue && state === "confirmed" && group.sees(key))
      .filter(({ id }) => !buried.has(id) && !acked.has(id))
      .map(({ id }) => `${group.name} ${seen.has(id) ? "has lost" : "never got"} ${id}`);
  }

  #strangers(group: GroupLedger): string[] {
    return [...group.entries.values()]
      .filter(({ id }) => {
        const queued = this.#messages.get(id);
        return (
          queued === undefined || queued.queue !== group.queue || queued.state === "refused" || !group.sees(queued.key)
        );
      })
      .map(({ id }) => `${group.name} got ${id}, which it should not`);
  }

  /** One publish is one offset, unless it was made again. */
  #copies(group: GroupLedger): string[] {
    const at = new Map<string, number[]>();
    for (const [offset, { id }] of group.entries) at.set(id, [...(at.get(id) ?? []), offset]);
    return [...at]
      .filter(([id, offsets]) => offsets.length > 1 && this.#messages.get(id)?.guarantee === "exactly")
      .map(([id, offsets]) => `${id} is in ${group.queue} ${offsets.length} times, at ${offsets.join(", ")}`);
  }

  /** What a publisher sent first is first in the log; only the first copy of a message counts. */
  #overtaken(group: GroupLedger): string[] {
    // What the queue itself buried was never delivered: where its first copy was is not known here.
    if (group.reasons.length > 0) return [];
    const log = [...group.entries].map(([offset, { id }]) => [offset, id] as const);
    return overtaken(group.queue, log, (id) => this.#messages.get(id));
  }

  /** A group that sees everything has been given every offset up to its highest. */
  #gaps(group: GroupLedger): string[] {
    if (group.filter !== "") return [];
    const buried = this.#buriedByQueue(group).map(({ offset }) => offset);
    const offsets = [...new Set([...group.entries.keys(), ...buried])].sort((a, b) => a - b);
    const at = offsets.findIndex((offset, index) => offset !== index);
    return at < 0 ? [] : [`${group.name} was never given offset ${at}`];
  }

  #deadLettersOf(group: GroupLedger): DeadLetter[] {
    return this.#deadLetters.filter((letter) => letter.queue === group.queue && letter.group === group.group);
  }

  /** Messages that died by what the queue itself says: of age, or of others. */
  #buriedByQueue(group: GroupLedger): DeadLetter[] {
    return this.#deadLetters.filter((letter) => letter.queue === group.queue && letter.group === "");
  }

  /** Every rejection that was confirmed is a dead letter, every dead letter has its cause, and nothing dies twice or after it was acknowledged. */
  #deaths(group: GroupLedger): string[] {
    const letters = this.#deadLettersOf(group);
    const wrong = letters.flatMap((letter) => this.#fault(group, letter));
    for (const { id, offset, reason } of this.#buriedByQueue(group)) {
      if (!group.reasons.includes(reason)) wrong.push(`${group.queue} buried ${id} of offset ${offset}: ${reason}`);
    }
    const byOffset = new Map<number, number>();
    for (const { offset } of letters) byOffset.set(offset, (byOffset.get(offset) ?? 0) + 1);
    for (const [offset, count] of byOffset) {
      if (count > 1) wrong.push(`${group.name} has ${count} dead letters of offset ${offset}`);
    }
    for (const [offset, entry] of group.entries) {
      if (entry.reject === "durable" && !byOffset.has(offset)) {
        wrong.push(`${group.name} rejected ${entry.id} at ${offset}, and there is no dead letter`);
      }
    }
    return wrong;
  }

  #fault(group: GroupLedger, letter: DeadLetter): string[] {
    const { offset, id, reason } = letter;
    const entry = group.entries.get(offset);
    const what = `${group.name} has a dead letter ${id} of offset ${offset}, ${reason}`;
    if (entry === undefined) return [`${what}, which was never delivered`];
    if (entry.id !== id) return [`${what}, where ${entry.id} was`];
    if (entry.ack === "durable") return [`${what}, which was acknowledged`];
    if (reason === "rejected" && entry.reject === "none") return [`${what}, which nobody rejected`];
    if (reason === "delivery-limit" && (group.deliveryLimit === 0 || entry.deliveries < group.deliveryLimit)) {
      return [`${what}, which was delivered ${entry.deliveries} times`];
    }
    return reason === "rejected" || reason === "delivery-limit" ? [] : [`${what}, for a reason that there was not`];
  }
}
