import type { QoS } from "polymq/mqtt";
import { topicMatches } from "polymq/mqtt";

/** A message as its publisher knows it. */
export interface Sent {
  readonly id: string;
  readonly publisher: string;
  readonly topic: string;
  readonly qos: QoS;
  /** Rises with each message of the run. */
  readonly order: number;
  state: "open" | "confirmed" | "failed";
}

/** A subscription: one client's, or a group's that shares its messages. */
export interface Audience {
  readonly name: string;
  readonly filter: string;
  readonly qos: 1 | 2;
  readonly kind: "client" | "group";
  /** Messages published after this order are owed; null while not all of its members have subscribed. */
  since: number | null;
  /** Ids in the order of their first arrival. */
  readonly arrived: string[];
  /** How often each was handled to the end. */
  readonly handled: Map<string, number>;
  /** How often each arrived at all. */
  readonly seen: Map<string, number>;
}

/** What was published to plain topics, what was promised, and what arrived where. */
export class TopicLedger {
  readonly #sent = new Map<string, Sent>();
  readonly #audiences: Audience[] = [];
  #order = 0;
  /** Arrivals of messages that nobody published. */
  readonly #strangers: string[] = [];

  get sentCount(): number {
    return this.#sent.size;
  }

  publish(publisher: string, topic: string, qos: QoS): Sent {
    const order = this.#order++;
    const sent: Sent = { id: `${publisher}:${order}`, publisher, topic, qos, order, state: "open" };
    this.#sent.set(sent.id, sent);
    return sent;
  }

  audience(facts: Pick<Audience, "name" | "filter" | "qos" | "kind">): Audience {
    const audience = { ...facts, since: null, arrived: [], handled: new Map(), seen: new Map() };
    this.#audiences.push(audience);
    return audience;
  }

  /** The audience has subscribed: it is owed what is published from now on. */
  subscribed(audience: Audience): void {
    audience.since = this.#order;
  }

  arrived(audience: Audience, id: string, topic: string): void {
    if (this.#sent.get(id)?.topic !== topic) this.#strangers.push(`${audience.name} got ${id} on ${topic}`);
    const before = audience.seen.get(id) ?? 0;
    audience.seen.set(id, before + 1);
    if (before === 0) audience.arrived.push(id);
  }

  handled(audience: Audience, id: string): void {
    audience.handled.set(id, (audience.handled.get(id) ?? 0) + 1);
  }

  /** Confirmed messages that somebody has not handled yet. */
  outstanding(): string[] {
    return this.#audiences.flatMap((audience) =>
      this.#owed(audience)
        .filter((sent) => sent.state === "confirmed" && sent.qos > 0 && !audience.handled.has(sent.id))
        .map((sent) => `${audience.name} has not got ${sent.id} (QoS ${sent.qos})`),
    );
  }

  /** All that is wrong. */
  check(): string[] {
    return [
      ...this.#strangers,
      ...this.outstanding(),
      ...this.#audiences.flatMap((audience) => [...this.#twice(audience), ...this.#disorder(audience)]),
    ];
  }

  #owed(audience: Audience): Sent[] {
    const { since, filter } = audience;
    if (since === null) return [];
    return [...this.#sent.values()].filter((sent) => sent.order >= since && topicMatches(filter, sent.topic));
  }

  /** At QoS 2 on both sides a message is handled once, at QoS 0 it arrives once at most. */
  #twice(audience: Audience): string[] {
    const wrong: string[] = [];
    for (const sent of this.#sent.values()) {
      const handled = audience.handled.get(sent.id) ?? 0;
      const once = sent.qos === 0 || (sent.qos === 2 && audience.qos === 2);
      if (once && handled > 1) wrong.push(`${audience.name} handled ${sent.id} (QoS ${sent.qos}) ${handled} times`);
    }
    return wrong;
  }

  /** First arrivals from one publisher on one topic at one QoS are in the order of publishing (MQTT 5.0 §4.6). */
  #disorder(audience: Audience): string[] {
    if (audience.kind === "group") return [];
    const last = new Map<string, number>();
    const wrong: string[] = [];
    for (const id of audience.arrived) {
      const sent = this.#sent.get(id);
      // What was under way while the subscription was made may have come before it, and come again.
      if (sent === undefined || sent.order < (audience.since ?? Number.POSITIVE_INFINITY)) continue;
      const row = `${sent.publisher} ${sent.topic} ${sent.qos}`;
      if (sent.order < (last.get(row) ?? -1))
        wrong.push(`${audience.name} got ${id} after ${last.get(row)} of the same row`);
      last.set(row, Math.max(sent.order, last.get(row) ?? -1));
    }
    return wrong;
  }
}
