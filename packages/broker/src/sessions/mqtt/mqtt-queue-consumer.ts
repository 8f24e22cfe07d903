// Hot path: `credit`, `deliver` and `onDone` run per message. No closure, promise, spread, iterator or regex here.
import { OffsetTable } from "../../core/queues/offset-table.ts";
import type {
  QueueConsumer,
  QueueDelivery,
  QueueSubscription,
  SettleOutcome,
  SettleResult,
} from "../../core/queues/queue-port.ts";
import { QueuedDelivery } from "./queued-delivery.ts";

/** The connection of a consumer. */
export interface QueueLink {
  readonly clientId: string;
  /** Messages that the client takes now: what is left of its receive maximum, 0 while too much is unsent or other messages wait. */
  readonly room: number;
  /** Writes a delivery under a packet id of its own; false when the client cannot take it at all. */
  send(item: QueuedDelivery, delivery: QueueDelivery): boolean;
  /** The queue or group is gone, and the subscription with it. */
  onCancelled(consumer: MqttQueueConsumer): void;
}

/** What a client asked for. */
export interface ConsumerTerms {
  /** The filter of the SUBSCRIBE as it came. */
  readonly filter: string;
  readonly group: string;
  readonly qos: 0 | 1;
  /** The subscription identifier, or 0. */
  readonly identifier: number;
  /** Most unsettled deliveries; Infinity for no limit besides the receive maximum. */
  readonly prefetch: number;
}

/** One subscription of a connection to a queue. It lasts as long as the connection: what is not settled then goes back to the group at once. */
export class MqttQueueConsumer implements QueueConsumer {
  readonly id: string;
  readonly terms: ConsumerTerms;
  readonly #link: QueueLink;
  #subscription: QueueSubscription | null = null;
  /** Unsettled deliveries. */
  readonly #open = new OffsetTable<QueuedDelivery>();
  /** Deliveries that came back here before their PUBACK: the client holds them as well as the newer ones. */
  #superseded = 0;
  /** True when it was asked for credit and had none: it has to say when it has again. */
  #isStarved = false;

  constructor(link: QueueLink, terms: ConsumerTerms) {
    this.id = link.clientId;
    this.#link = link;
    this.terms = terms;
  }

  /** Set once, when the group is joined. */
  start(subscription: QueueSubscription): void {
    this.#subscription = subscription;
  }

  get queue(): string {
    return this.#subscription?.queue ?? "";
  }

  get groupId(): string {
    return this.#subscription?.groupId ?? "";
  }

  get credit(): number {
    const room = Math.min(this.#link.room, this.terms.prefetch - this.#open.size - this.#superseded);
    if (room <= 0) this.#isStarved = true;
    return room;
  }

  deliver(delivery: QueueDelivery): void {
    const earlier = this.#open.get(delivery.offset);
    if (earlier !== undefined) {
      this.#close(earlier);
      earlier.isSuperseded = true;
      this.#superseded++;
    }
    const item = new QueuedDelivery(this, delivery, this.terms.qos);
    const isStream = this.#subscription?.mode === "stream";
    if (item.qos === 1) this.#open.add(item.offset, item);
    if (!this.#link.send(item, delivery)) {
      // A stream goes on without it; of a queue somebody else may take it, until it has been tried often enough: where there is no limit, now and then.
      this.#close(item);
      if (isStream) this.#subscription?.settle(item.offset, ACK);
      else this.#subscription?.settle(item.offset, delivery.deliveryCount < PROMPT_TRIES ? NACK : NACK_LATER);
    } else if (item.qos === 0) this.onDone(item, 0);
  }

  /** PUBACK came: unless it was settled before, the message is acknowledged, or with a reason code of 0x80 or above rejected. */
  onDone(item: QueuedDelivery, reasonCode: number): void {
    if (item.isSuperseded) this.#superseded--;
    if (!item.isOpen) return;
    this.#close(item);
    this.#subscription?.settle(item.offset, reasonCode < 0x80 ? ACK : refused(reasonCode));
  }

  /** Settles a delivery in flight by the message's id: its PUBACK says nothing any more. Null when there is none, or, to be given back, none with this count. */
  settleById(offset: number, outcome: SettleOutcome, deliveryCount: number | null): SettleResult | null {
    const item = this.#open.get(offset);
    if (item === undefined || this.#subscription === null) return null;
    // An earlier delivery that the client still had in hand: its time is over, and the one that followed is another.
    if (outcome.is === "nack" && (deliveryCount ?? item.deliveryCount) !== item.deliveryCount) return null;
    // First: a message that is given back may come here again within the call, and then it is another delivery.
    this.#close(item);
    return this.#subscription.settle(offset, outcome);
  }

  /** There may be credit again. */
  wake(): void {
    if (!this.#isStarved) return;
    this.#isStarved = false;
    this.#subscription?.wake();
  }

  /** Delivers from now on. */
  open(): void {
    this.#subscription?.wake();
  }

  /** Leaves the group; deliveries in flight are the group's again, their PUBACKs only give their places back. */
  end(): void {
    for (const item of this.#open.values()) item.isOpen = false;
    this.#subscription?.close();
    this.#subscription = null;
  }

  onCancelled(): void {
    for (const item of this.#open.values()) item.isOpen = false;
    this.#subscription = null;
    this.#link.onCancelled(this);
  }

  #close(item: QueuedDelivery): void {
    item.isOpen = false;
    this.#open.remove(item.offset);
  }
}

const ACK: SettleOutcome = Object.freeze({ is: "ack" });
const NACK: SettleOutcome = Object.freeze({ is: "nack" });
const NACK_LATER: SettleOutcome = Object.freeze({ is: "nack", delayMs: 1_000 });

/** Deliveries of a message that nobody can take which follow each other at once. */
const PROMPT_TRIES = 5;

function refused(reasonCode: number): SettleOutcome {
  return { is: "reject", detail: `the client refused it with 0x${reasonCode.toString(16)}` };
}
