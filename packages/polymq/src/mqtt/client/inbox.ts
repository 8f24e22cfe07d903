// Hot path: `onPublish` runs per message. No closure, promise, iterator or regex on its usual way.
import { Deque } from "../../base/deque.ts";
import type { Tracer } from "../../base/tracer.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import type { TopicEntry } from "../codec/topic-decoder.ts";
import type { InboundFlow } from "../engine/inbound-flow.ts";
import type { ReceiverHandler } from "../engine/receiver.ts";
import type { DropReason } from "./events.ts";
import { MqttMessage, type Settler } from "./message.ts";
import { Pressure } from "./pressure.ts";
import type { StoreWriter } from "./store-writer.ts";
import { type ConsumeSettings, type MessageHandler, MqttSubscription, type SubscriptionOwner } from "./subscription.ts";
import type { Route, Subscriber, Subscriptions, Target } from "./subscriptions.ts";

/** Messages kept for a subscription that may come: a resumed session sends before the application subscribes. */
const UNCLAIMED_MAX = 1_000;

/** Bytes of their payloads; a larger one is kept only alone. */
const UNCLAIMED_BYTES_MAX = 16_777_216;

/** What an inbox needs from its client. */
export interface InboxOwner {
  readonly canReject: boolean;
  handlerFailed(message: MqttMessage, error: unknown): void;
  dropped(message: MqttMessage, reason: DropReason): void;
  /** How full the fullest buffer of a subscription is. */
  pressure(pressure: Pressure): void;
  unsubscribe(subscription: Subscriber): Promise<void>;
  storeFailed(error: Error): void;
}

/** Takes what comes on topics of queues. */
export interface QueueSink {
  /**
   * Takes a delivery of a queue; false leaves the message to others.
   * @param wanted true when somebody else takes it, should no subscription to its queue do
   */
  deliver(message: MqttMessage, wanted: boolean): boolean;
  /** Nothing is sent on the connection any more. May be told repeatedly. */
  over(): void;
  drained(): Promise<void>;
}

/**
 * The receiving side of a client: makes messages, hands them to the subscriptions that match, and sends acknowledgements
 * when these are done, with a store after the packet id of a QoS 2 message is stored.
 */
export class Inbox implements Settler, SubscriptionOwner, ReceiverHandler<Route> {
  readonly #owner: InboxOwner;
  readonly #inbound: InboundFlow;
  readonly #subscriptions: Subscriptions;
  /** With a store; set before the first connection. */
  store: StoreWriter | null = null;
  readonly #tracer: Tracer;
  /** Takes what no subscription matches, where the application wants it. */
  readonly #fallback: MqttSubscription | null;
  /** Set once by the client's queue side, which may be loaded late. */
  queues: QueueSink | null = null;
  readonly #full = new Map<object, Pressure>();
  readonly #unclaimed = new Deque<MqttMessage>();
  #unclaimedBytes = 0;
  /** Tickets whose acknowledgement waits for the store. */
  readonly #storing = new Set<number>();
  /** Messages that the store failed to note; tried again on the next connection. */
  #unstored: MqttMessage[] = [];
  /** The chunk that the last payload is a view of, with its memory: asking a chunk for that costs as much as making the view. */
  #chunk: Uint8Array = NO_BYTES;
  #memory: ArrayBufferLike = NO_BYTES.buffer;
  #memoryStart = 0;
  /** True when the server went on with a session: it may send what nobody has subscribed to yet in this process. */
  #resumed = false;

  constructor(
    owner: InboxOwner,
    inbound: InboundFlow,
    subscriptions: Subscriptions,
    options: {
      readonly onMessage: MessageHandler | null;
      readonly tracer: Tracer;
    },
  ) {
    this.#owner = owner;
    this.#inbound = inbound;
    this.#subscriptions = subscriptions;
    this.#tracer = options.tracer;
    this.#fallback =
      options.onMessage === null ? null : new MqttSubscription(this, [], { ...FALLBACK, handler: options.onMessage });
  }

  get canReject(): boolean {
    return this.#owner.canReject;
  }

  /** Everything that messages go to, for draining. */
  all(): { drained(): Promise<void> }[] {
    const all: { drained(): Promise<void> }[] = this.#subscriptions.all();
    for (const each of [this.#fallback, this.queues]) if (each !== null) all.push(each);
    return all;
  }

  /** A connection is open. */
  open(sessionPresent: boolean): void {
    this.#resumed = sessionPresent;
    const unstored = this.#unstored;
    this.#unstored = [];
    for (const message of unstored) this.settle(message, 0);
  }

  /** Nothing is delivered any more. */
  end(): void {
    this.#fallback?.end();
    this.#unclaimed.clear();
    this.#unclaimedBytes = 0;
  }

  /** One message came in; its properties are decoded already. */
  onPublish(topic: TopicEntry<Route>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    if (buffer !== this.#chunk) this.#enter(buffer);
    const start = head.payloadStart;
    // Not `subarray`, which looks for the species of its array each time: receiving at QoS 1 costs 7 % less in all.
    const payload = new Uint8Array(this.#memory, this.#memoryStart + start, head.payloadEnd - start);
    const message = new MqttMessage(topic.topic, payload, head, head.properties, ticket, this);
    if (this.#tracer.deliver.hasSubscribers) this.#tracer.delivered(topic.topic, payload.length, head.packetId);
    const { targets, queue } = this.#subscriptions.route(topic);
    if (queue && this.#queued(message, targets)) return;
    const first = targets[0];
    if (targets.length === 1 && first !== undefined && first.identifier === null) first.subscription.deliver(message);
    else this.#deliverTo(targets, message);
  }

  /** All of a chunk was read: it is not kept for those that may come. */
  chunkEnded(): void {
    this.#enter(NO_BYTES);
  }

  /** A subscription was added: hands it what came before it and nobody took. */
  claim(take: (message: MqttMessage) => boolean): void {
    for (let left = this.#unclaimed.length; left > 0; left--) {
      const message = this.#unclaimed.shift();
      if (message === undefined) return;
      if (take(message)) this.#unclaimedBytes -= message.payload.length;
      else this.#unclaimed.push(message);
    }
  }

  /** As {@link InboundFlow.settle}. */
  settle(message: MqttMessage, reasonCode: number, lasting = true): boolean {
    const inbound = this.#inbound;
    const store = this.store;
    if (store === null || message.qos !== 2 || reasonCode >= 0x80) {
      const settled = inbound.settle(message.ticket, reasonCode, lasting);
      if (settled && this.#tracer.settle.hasSubscribers) this.#traceSettled(message, reasonCode);
      return settled;
    }
    const ticket = message.ticket;
    if (this.#storing.has(ticket) || !inbound.isOpen(ticket)) return false;
    this.#storing.add(ticket);
    store.write({ op: "putReceived", packetId: message.packetId }, (error) => {
      this.#storing.delete(ticket);
      if (error === null) {
        if (inbound.settle(ticket, reasonCode) && this.#tracer.settle.hasSubscribers) {
          this.#traceSettled(message, reasonCode);
        }
        return;
      }
      // Not acknowledged before it is stored. The server repeats it on the next connection: by then it must be noted.
      this.#unstored.push(message);
      this.#owner.storeFailed(error);
    });
    return true;
  }

  done(message: MqttMessage): void {
    if (message.ticket < 0) return;
    if (--message.holders === 0) this.settle(message, 0);
  }

  withhold(message: MqttMessage): boolean {
    const withheld = message.ticket >= 0 && this.#inbound.withhold(message.ticket);
    if (withheld && this.#tracer.settle.hasSubscribers) {
      this.#tracer.settled("in", message.packetId, "released", null);
    }
    return withheld;
  }

  refuse(message: MqttMessage): void {
    if (message.ticket < 0) return;
    if (this.#owner.canReject) this.settle(message, 0x80);
    else this.withhold(message);
  }

  handlerFailed(message: MqttMessage, error: unknown): void {
    this.#owner.handlerFailed(message, error);
  }

  dropped(message: MqttMessage, reason: DropReason): void {
    this.#owner.dropped(message, reason);
  }

  pressure(subscription: object, pressure: Pressure): void {
    if (pressure === Pressure.None) this.#full.delete(subscription);
    else this.#full.set(subscription, pressure);
    let most: Pressure = Pressure.None;
    for (const each of this.#full.values()) if (each > most) most = each;
    this.#owner.pressure(most);
  }

  unsubscribe(subscription: MqttSubscription): Promise<void> {
    return this.#owner.unsubscribe(subscription);
  }

  #enter(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#memory = chunk.buffer;
    this.#memoryStart = chunk.byteOffset;
  }

  #queued(message: MqttMessage, targets: readonly Target[]): boolean {
    const wanted = targets.length > 0 || this.#fallback !== null || this.#resumed;
    if (this.queues !== null) return this.queues.deliver(message, wanted);
    // Nothing was subscribed to: PUBACK would acknowledge what nobody handled.
    if (!wanted) this.withhold(message);
    return !wanted;
  }

  #traceSettled(message: MqttMessage, reasonCode: number): void {
    this.#tracer.settled("in", message.packetId, reasonCode < 0x80 ? "accepted" : "rejected", null);
  }

  #deliverTo(targets: readonly Target[], message: MqttMessage): void {
    const chosen = selectTargets(targets, message.subscriptionIdentifiers);
    if (chosen.length === 0) return this.#unmatched(message);
    message.holders = chosen.length;
    for (const { subscription } of chosen) subscription.deliver(message);
  }

  #unmatched(message: MqttMessage): void {
    if (this.#fallback !== null) return this.#fallback.deliver(message);
    const comesLate = this.#subscriptions.isLeaving(message.topic);
    if (this.#resumed && !comesLate) {
      const bytes = this.#unclaimedBytes + message.payload.length;
      const fits = this.#unclaimed.length < UNCLAIMED_MAX && bytes <= UNCLAIMED_BYTES_MAX;
      if (fits || this.#unclaimed.length === 0) {
        this.#unclaimedBytes = bytes;
        return this.#unclaimed.push(message);
      }
      // The server keeps what is above QoS 0 for a connection on which somebody takes it.
      this.withhold(message);
      return this.#owner.dropped(message, "unclaimed");
    }
    // Nobody will ask for it: it must not take a place of the server's window for good [MQTT-4.5.0-2].
    this.#owner.dropped(message, "unclaimed");
    if (message.ticket >= 0) this.settle(message, 0);
  }
}

/** How messages without a subscription are consumed; the handler is added. */
const FALLBACK: Omit<ConsumeSettings, "handler"> = {
  concurrency: 1,
  highWaterMark: 256,
  highWaterMarkBytes: 16_777_216,
  overflow: "pause",
  ack: "auto",
  whenHandlerFails: "withhold",
};

/**
 * Subscriptions with an identifier get a message only when it carries theirs, where it carries any; the others get what
 * matches their filter.
 */
function selectTargets(targets: readonly Target[], identifiers: readonly number[]): readonly Target[] {
  if (identifiers.length === 0) return targets;
  return targets.filter(({ identifier }) => identifier === null || identifiers.includes(identifier));
}
