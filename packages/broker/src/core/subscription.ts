import type { Guarantee, MessageView } from "./message.ts";
import type { SharedGroup } from "./shared-group.ts";

/**
 * What became of a message that was offered: `sent` to the peer, `queued` in the subscriber's mailbox, `dropped` (no room, or
 * nobody there and nothing may be queued), or `refused`: there is no room in all (`HeldMessages`), where it is counted.
 */
export type DeliverResult = "sent" | "queued" | "dropped" | "refused";

/** `ready`: connected with room; `busy`: connected, would queue; `away`: not connected, would queue. */
export type Availability = "ready" | "busy" | "away";

/** Takes messages; a session is one. */
export interface Subscriber {
  readonly id: string;
  readonly availability: Availability;
  /**
   * Offers a message with the guarantee it is to be delivered with, the lower one of publisher and subscription. The view dies at the end of the
   * call: `message.keep()` for whoever queues it. Must not throw; a subscriber that has ended answers `dropped`.
   */
  deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee): DeliverResult;
}

/** What a subscriber asks for. */
export interface SubscriptionTerms {
  /** Without the group's name: the filter that topics are matched with. */
  readonly filter: string;
  readonly guaranteeMax: Guarantee;
  /** True: messages published by the subscriber itself are not delivered. Default false. */
  readonly noLocal?: boolean;
  /** True: the publisher's retain flag is passed on. Default false. */
  readonly retainAsPublished?: boolean;
  /** A number that comes with each delivery, or 0 for none (the default). */
  readonly identifier?: number;
  /** The name of the group that shares the messages, or null (the default). */
  readonly group?: string | null;
}

/**
 * One subscriber's subscription, or several overlapping ones of one subscriber merged for a topic: one delivery then has the highest guarantee
 * and all identifiers.
 */
export class Subscription {
  readonly subscriber: Subscriber;
  readonly filter: string;
  readonly guaranteeMax: Guarantee;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** The subscription's identifier, those of all when merged, or none. */
  readonly identifiers: readonly number[];
  readonly group: string | null;
  /** What the subscriber gets of its own messages: this, a part of the merged ones, or null for nothing. */
  readonly forOwn: Subscription | null;
  /** The group it is a member of while it is subscribed; written by the router. */
  sharedGroup: SharedGroup | null = null;

  constructor(subscriber: Subscriber, terms: SubscriptionTerms) {
    this.subscriber = subscriber;
    this.filter = terms.filter;
    this.guaranteeMax = terms.guaranteeMax;
    this.noLocal = terms.noLocal ?? false;
    this.retainAsPublished = terms.retainAsPublished ?? false;
    const identifier = terms.identifier ?? 0;
    this.identifiers = identifier === 0 ? NO_IDENTIFIERS : [identifier];
    this.group = terms.group ?? null;
    this.forOwn = this.noLocal ? null : this;
  }

  /** The single identifier of a subscription as it was made, or 0. */
  get identifier(): number {
    return this.identifiers[0] ?? 0;
  }

  /** One delivery for several subscriptions of one subscriber; there must be at least one. */
  static merge(subscriptions: readonly Subscription[]): Subscription {
    const [first] = subscriptions;
    if (first === undefined) throw new TypeError("nothing to merge");
    if (subscriptions.length === 1) return first;
    const own = subscriptions.filter((one) => !one.noLocal);
    const forOwn = own.length === 0 ? null : own.length === subscriptions.length ? "itself" : Subscription.merge(own);
    return new MergedSubscription(first, subscriptions, forOwn);
  }
}

class MergedSubscription extends Subscription {
  override readonly identifiers: readonly number[];
  override readonly forOwn: Subscription | null;

  constructor(first: Subscription, all: readonly Subscription[], forOwn: Subscription | "itself" | null) {
    super(first.subscriber, {
      filter: first.filter,
      guaranteeMax: Math.max(...all.map((one) => one.guaranteeMax)) as Guarantee,
      noLocal: forOwn !== "itself",
      retainAsPublished: all.some((one) => one.retainAsPublished),
    });
    this.identifiers = all.flatMap((one) => one.identifiers);
    this.forOwn = forOwn === "itself" ? this : forOwn;
  }
}

const NO_IDENTIFIERS: readonly number[] = Object.freeze<number[]>([]);
