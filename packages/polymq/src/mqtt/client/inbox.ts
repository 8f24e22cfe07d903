// Hot path: `onPublish` runs per message. No closure, promise, iterator or regex on its usual way.
import { Deque } from "../../base/deque.ts";
import type { PublishProperties } from "../codec/packets.ts";
import type { PublishHead } from "../codec/publish.ts";
import type { TopicEntry } from "../codec/topic-decoder.ts";
import type { SessionState } from "../engine/session-state.ts";
import type { DropReason } from "./events.ts";
import { MqttMessage, type Settler } from "./message.ts";
import type { ClientItem } from "./pending.ts";
import type { StoreWriter } from "./store-writer.ts";
import { type MessageHandler, type MqttSubscription, Pressure, type SubscriptionOwner } from "./subscription.ts";
import type { Route, Subscriptions, Target } from "./subscriptions.ts";

/** Messages kept for a subscription that may come: a resumed session sends before the application subscribes. */
const UNCLAIMED_MAX = 1_000;

/** What an inbox needs from its client. */
export interface InboxOwner {
  readonly canReject: boolean;
  handlerFailed(message: MqttMessage, error: unknown): void;
  dropped(message: MqttMessage, reason: DropReason): void;
  /** How full the fullest buffer of a subscription is. */
  pressure(pressure: Pressure): void;
  unsubscribe(subscription: MqttSubscription): Promise<void>;
  storeFailed(error: Error): void;
}

/**
 * The receiving side of a client: makes messages, hands them to the subscriptions that match, and sends acknowledgements
 * when these are done, with a store after the packet id of a QoS 2 message is stored.
 */
export class Inbox implements Settler, SubscriptionOwner {
  readonly #owner: InboxOwner;
  readonly #session: SessionState<ClientItem>;
  readonly #store: StoreWriter | null;
  readonly #onMessage: MessageHandler | null;
  #subscriptions: Subscriptions | null = null;
  readonly #full = new Map<MqttSubscription, Pressure>();
  readonly #unclaimed = new Deque<MqttMessage>();
  /** Tickets whose acknowledgement waits for the store. */
  readonly #storing = new Set<number>();

  constructor(
    owner: InboxOwner,
    session: SessionState<ClientItem>,
    options: { readonly store: StoreWriter | null; readonly onMessage: MessageHandler | null },
  ) {
    this.#owner = owner;
    this.#session = session;
    this.#store = options.store;
    this.#onMessage = options.onMessage;
  }

  /** Where routes come from; set once, right after construction. */
  attach(subscriptions: Subscriptions): void {
    this.#subscriptions = subscriptions;
  }

  get canReject(): boolean {
    return this.#owner.canReject;
  }

  /** One message came in; `properties` are decoded already. */
  onPublish(
    topic: TopicEntry<Route>,
    head: PublishHead,
    buffer: Uint8Array,
    ticket: number,
    properties: PublishProperties | null,
  ): void {
    const payload = buffer.subarray(head.payloadStart, head.payloadEnd);
    const message = new MqttMessage(topic.topic, payload, head, properties, ticket, this);
    const subscriptions = this.#subscriptions;
    if (subscriptions === null) return;
    const targets = subscriptions.route(topic).targets;
    const first = targets[0];
    if (targets.length === 1 && first !== undefined && first.identifier === null) first.subscription.deliver(message);
    else this.#deliverTo(targets, message);
  }

  /** A subscription was added: hands it what came before it and nobody took. */
  claim(subscription: MqttSubscription, matches: (topic: string) => boolean): void {
    for (let left = this.#unclaimed.length; left > 0; left--) {
      const message = this.#unclaimed.shift();
      if (message === undefined) return;
      if (matches(message.topic)) subscription.deliver(message);
      else this.#unclaimed.push(message);
    }
  }

  settle(message: MqttMessage, reasonCode: number): boolean {
    const inbound = this.#session.inbound;
    const store = this.#store;
    if (store === null || message.qos !== 2 || reasonCode >= 0x80) return inbound.settle(message.ticket, reasonCode);
    const ticket = message.ticket;
    if (this.#storing.has(ticket) || !inbound.isOpen(ticket)) return false;
    this.#storing.add(ticket);
    store.write({ op: "putReceived", packetId: message.packetId }, (error) => {
      this.#storing.delete(ticket);
      if (error === null) inbound.settle(ticket, reasonCode);
      else this.#owner.storeFailed(error);
    });
    return true;
  }

  done(message: MqttMessage): void {
    if (message.ticket < 0) return;
    if (--message.holders === 0) this.settle(message, 0);
  }

  withhold(message: MqttMessage): boolean {
    return message.ticket >= 0 && this.#session.inbound.withhold(message.ticket);
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

  pressure(subscription: MqttSubscription, pressure: Pressure): void {
    if (pressure === Pressure.None) this.#full.delete(subscription);
    else this.#full.set(subscription, pressure);
    let most: Pressure = Pressure.None;
    for (const each of this.#full.values()) if (each > most) most = each;
    this.#owner.pressure(most);
  }

  unsubscribe(subscription: MqttSubscription): Promise<void> {
    return this.#owner.unsubscribe(subscription);
  }

  #deliverTo(targets: readonly Target[], message: MqttMessage): void {
    const chosen = selectTargets(targets, message.subscriptionIdentifiers);
    if (chosen.length === 0) return this.#unmatched(message);
    message.holders = chosen.length;
    for (const { subscription } of chosen) subscription.deliver(message);
  }

  #unmatched(message: MqttMessage): void {
    if (this.#onMessage !== null) return this.#callFallback(message, this.#onMessage);
    if (this.#unclaimed.length < UNCLAIMED_MAX) this.#unclaimed.push(message);
    // Not acknowledged: the server keeps what is above QoS 0 for a connection on which somebody takes it.
    else this.#owner.dropped(message, "unclaimed");
  }

  #callFallback(message: MqttMessage, handler: MessageHandler): void {
    const failed = (error: unknown): void => {
      this.#owner.handlerFailed(message, error);
      this.withhold(message);
    };
    try {
      const result = handler(message);
      if (result instanceof Promise) result.then(() => this.done(message), failed);
      else this.done(message);
    } catch (error) {
      failed(error);
    }
  }
}

/**
 * Subscriptions with an identifier get a message only when it carries theirs, where it carries any; the others get what
 * matches their filter.
 */
function selectTargets(targets: readonly Target[], identifiers: readonly number[]): readonly Target[] {
  if (identifiers.length === 0) return targets;
  return targets.filter(({ identifier }) => identifier === null || identifiers.includes(identifier));
}
