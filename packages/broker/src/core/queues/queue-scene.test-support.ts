import type { MessagingError } from "polymq/internal";
import { VirtualClock } from "polymq/testing";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import type { Store } from "../../storage/store.ts";
import { Hub, type HubOptions } from "../hub.ts";
import { bytesOf, textOf } from "../session.test-support.ts";
import type { DeadLetterFacts } from "./queue-message.ts";
import type {
  CancelReason,
  EnqueueOptions,
  QueueConsumer,
  QueueDelivery,
  QueueSubscribeRequest,
  QueueSubscription,
} from "./queue-port.ts";

/** A consumer that writes down what it gets; each delivery takes one of its credit. */
export class TestConsumer implements QueueConsumer {
  readonly id: string;
  credit: number;
  readonly got: QueueDelivery[] = [];
  readonly cancelled: CancelReason[] = [];
  /** Done inside each delivery. */
  onDelivery: (delivery: QueueDelivery) => void = () => undefined;

  constructor(id: string, credit: number) {
    this.id = id;
    this.credit = credit;
  }

  deliver(delivery: QueueDelivery): void {
    this.credit--;
    this.got.push(delivery);
    this.onDelivery(delivery);
  }

  onCancelled(reason: CancelReason): void {
    this.cancelled.push(reason);
  }

  /** Offsets of what it got. */
  get offsets(): number[] {
    return this.got.map((one) => one.offset);
  }

  /** Payloads of what it got, as texts. */
  get texts(): string[] {
    return this.got.map((one) => textOf(one.message.payload));
  }

  /** `text/deliveryCount` of what it got. */
  get counted(): string[] {
    return this.got.map((one) => `${textOf(one.message.payload)}/${one.deliveryCount}`);
  }
}

/** A consumer in a group. */
export interface Consuming {
  readonly consumer: TestConsumer;
  readonly subscription: QueueSubscription;
  /** Gives more credit. */
  take(credit: number): void;
}

/** How a test publishes. */
export interface PublishMore extends EnqueueOptions {
  readonly expiresAtMs?: number;
  readonly publisherId?: string;
  readonly properties?: Uint8Array | null;
}

/** A hub with queues on a virtual clock. */
export class QueueScene {
  readonly clock: VirtualClock;
  readonly medium: MemoryMedium;
  readonly errors: unknown[] = [];
  hub: Hub;
  readonly #options: Partial<HubOptions>;

  constructor(options: Partial<HubOptions> & { readonly medium?: MemoryMedium; readonly clock?: VirtualClock } = {}) {
    const { medium = new MemoryMedium(), clock = new VirtualClock(), ...rest } = options;
    this.clock = clock;
    this.medium = medium;
    this.#options = rest;
    this.hub = this.#open();
  }

  /** Publishes to `$queue/<address>`, or to a topic that begins with "/" without it, and commits. */
  publish(address: string, text: string, more: PublishMore = {}): MessagingError | null {
    const refused = this.offer(address, text, more);
    this.run();
    return refused;
  }

  /** As {@link publish}, and the batch stays open. */
  offer(address: string, text: string, more: PublishMore = {}): MessagingError | null {
    const view = this.hub.transientMessage();
    const { priority = 0, deliverAfterMs = 0, expiresAtMs, publisherId = "", properties = null } = more;
    const topic = address.startsWith("/") ? address.slice(1) : `$queue/${address}`;
    view.begin(topic, bytesOf(text));
    view.publisherId = publisherId;
    view.properties = properties;
    if (expiresAtMs !== undefined) view.expiresAtMs = expiresAtMs;
    if (topic.startsWith("$queue/")) return this.hub.queues.publish(view, { priority, deliverAfterMs });
    this.hub.publish(view);
    return null;
  }

  /** Adds a consumer; by default it takes a thousand messages. */
  consume(
    queue: string,
    group = "g",
    more: Partial<QueueSubscribeRequest> & { readonly id?: string; readonly credit?: number } = {},
  ): Consuming {
    const { id = "c", credit = 1000, ...request } = more;
    const consumer = new TestConsumer(id, credit);
    const subscription = this.hub.queues.subscribe(queue, { consumer, group, ...request });
    subscription.wake();
    this.run();
    const take = (count: number): void => {
      consumer.credit += count;
      subscription.wake();
      this.run();
    };
    return { consumer, subscription, take };
  }

  /** Runs everything that is due now, a commit included. */
  run(): void {
    this.clock.advanceSync(0);
  }

  /** Stops the hub after storing everything, and opens another one over the same contents. */
  restart(): void {
    void this.hub.close();
    this.run();
    this.hub = this.#open();
    this.run();
  }

  /** Facts of the dead letters of a queue. */
  deadLetters(queue: string): (DeadLetterFacts | null)[] {
    const name = `$dlq/${queue}`;
    return this.hub.queues.has(name) ? this.hub.queues.peek(name, 0, 1000).map((one) => one.deadLetter) : [];
  }

  #open(): Hub {
    const store: Store | null = this.#options.store === null ? null : new MemoryStore(this.medium);
    return Hub.open({ onError: (error) => this.errors.push(error), ...this.#options, clock: this.clock, store });
  }
}
