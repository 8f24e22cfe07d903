// Hot path: `credit`, `deliver` and settlements run per message. No closure, promise, spread, iterator or regex here.
import type { CancelReason, QueueConsumer, QueueDelivery, SettleOutcome } from "../../core/queues/queue-port.ts";
import type { HostedSubscription } from "../../core/topology/topology-port.ts";
import { TOO_LARGE } from "./channel-getters.ts";
import type { ChannelConsumer } from "./consumer.ts";
import type { Unsettled } from "./unsettled.ts";

/** The channel of a consumer. */
export interface ConsumerLink {
  /** Deliveries that the channel takes now; 0 while too much is unsent or unsettled, or the client asked for none (`channel.flow`). */
  readonly room: number;
  /**
   * Writes a delivery; false when the client cannot take it at all, for its properties fill more than a frame.
   * @param unsettled comes back when it is settled; null for a consumer that acknowledges nothing
   */
  deliver(consumer: QueueConsumerTerms, delivery: QueueDelivery, unsettled: Unsettled | null): boolean;
  /** The queue or group is gone, and the consumer with it. */
  onCancelled(consumer: ChannelConsumer): void;
  /** A consumer that was leaving is over. */
  onLeft(consumer: ChannelConsumer): void;
}

/** What a client asked for. */
export interface QueueConsumerTerms {
  readonly tag: string;
  /** The tag as a short string. */
  readonly tagBytes: Uint8Array;
  /** Deliveries count as acknowledged when they are sent. */
  readonly noAck: boolean;
  /** Most unsettled deliveries; Infinity for no limit but the channel's. */
  readonly prefetch: number;
  /** Whether deliveries carry all that the broker knows, and that under the names of `$queue/` addresses. */
  readonly isStamped: boolean;
}

const ACK: SettleOutcome = Object.freeze({ is: "ack" });
const NACK: SettleOutcome = Object.freeze({ is: "nack" });
const REJECT: SettleOutcome = Object.freeze({ is: "reject", detail: "rejected by client" });

/** A delivery of a queue to one consumer. */
class Outstanding implements Unsettled {
  readonly #consumer: AmqpQueueConsumer;
  readonly #offset: number;
  readonly #ticket: number;

  constructor(consumer: AmqpQueueConsumer, { offset, ticket }: QueueDelivery) {
    this.#consumer = consumer;
    this.#offset = offset;
    this.#ticket = ticket;
  }

  ack(): void {
    this.#consumer.settle(this.#offset, ACK, this.#ticket);
  }

  requeue(): void {
    this.#consumer.settle(this.#offset, NACK, this.#ticket);
  }

  reject(): void {
    this.#consumer.settle(this.#offset, REJECT, this.#ticket);
  }
}

/**
 * One consumer of a queue. When it is cancelled, the client may still settle what it has: the group is left with the last of these, or with
 * the channel, which gives back what is not settled.
 */
export class AmqpQueueConsumer implements QueueConsumer, ChannelConsumer {
  readonly id: string;
  readonly terms: QueueConsumerTerms;
  readonly #link: ConsumerLink;
  #subscription: HostedSubscription | null = null;
  #unsettled = 0;
  #isStarved = false;
  #isCancelled = false;
  #isStream = false;

  /** @param id the connection's */
  constructor(id: string, link: ConsumerLink, terms: QueueConsumerTerms) {
    this.id = id;
    this.#link = link;
    this.terms = terms;
  }

  get tag(): string {
    return this.terms.tag;
  }

  /** Set once, when the group is joined. */
  start(subscription: HostedSubscription): void {
    this.#subscription = subscription;
    this.#isStream = subscription.mode === "stream";
  }

  /** Delivers from now on. */
  open(): void {
    this.#subscription?.wake();
  }

  get credit(): number {
    if (this.#isCancelled) return 0;
    const room = Math.min(this.#link.room, this.terms.prefetch - this.#unsettled);
    if (room <= 0) this.#isStarved = true;
    return room;
  }

  deliver(delivery: QueueDelivery): void {
    const { offset } = delivery;
    if (this.terms.noAck) {
      if (!this.#link.deliver(this.terms, delivery, null)) this.#bury(offset);
      return;
    }
    this.#unsettled++;
    if (this.#link.deliver(this.terms, delivery, new Outstanding(this, delivery))) return;
    this.#unsettled--;
    this.#bury(offset);
  }

  /** The client settled a delivery. */
  settle(offset: number, outcome: SettleOutcome, ticket: number): void {
    this.#unsettled--;
    const subscription = this.#subscription;
    if (subscription === null) return;
    // What a stream has delivered stays there: to settle it only gives its place back.
    if (!this.#isStream) subscription.settle(offset, outcome, ticket);
    if (!this.#isCancelled) return this.wake();
    if (this.#unsettled > 0) return;
    this.end();
    this.#link.onLeft(this);
  }

  wake(): void {
    if (!this.#isStarved || this.#isCancelled) return;
    this.#isStarved = false;
    this.#subscription?.wake();
  }

  cancel(): "over" | "leaving" {
    this.#isCancelled = true;
    if (this.#unsettled > 0 && !this.#isStream) return "leaving";
    this.end();
    return "over";
  }

  end(): void {
    this.#isCancelled = true;
    this.#subscription?.close();
    this.#subscription = null;
  }

  onCancelled(_reason: CancelReason): void {
    this.#subscription = null;
    if (this.#isCancelled) return this.#link.onLeft(this);
    this.#isCancelled = true;
    this.#link.onCancelled(this);
  }

  /** Nobody gets what no client can take: it is a dead letter, and a stream goes on without it. */
  #bury(offset: number): void {
    if (!this.#isStream) this.#subscription?.settle(offset, TOO_LARGE);
  }
}
