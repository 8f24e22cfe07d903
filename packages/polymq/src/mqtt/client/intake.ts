import { raceAbort } from "../../base/abort.ts";
import { deferred } from "../../base/deferred.ts";
import type { Emitter } from "../../base/emitter.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Tracer } from "../../base/tracer.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { checkTopic } from "../codec/arguments.ts";
import { REQUEST_CODEC, type RequestCodec } from "../codec/request-codec.ts";
import { topicMatches } from "../codec/topic.ts";
import { TopicDecoder } from "../codec/topic-decoder.ts";
import { parseSharedFilter, validateTopicFilter } from "../codec/topic-filter.ts";
import { InboundFlow } from "../engine/inbound-flow.ts";
import type { OutboundFlow } from "../engine/outbound-flow.ts";
import { Receiver } from "../engine/receiver.ts";
import type { Receiving, Reception } from "../engine/reception.ts";
import type { Availability } from "./admission.ts";
import { checkUsable } from "./check-usable.ts";
import type { Connection } from "./connection.ts";
import type { DropReason, MqttClientEvent } from "./events.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import type { MqttMessage } from "./message.ts";
import type { Settings } from "./options.ts";
import type { ClientItem } from "./pending.ts";
import { Pressure } from "./pressure.ts";
import { checkSubscribe, type SubscribeInput, type SubscribeOptions } from "./subscribe-options.ts";
import { MqttSubscription } from "./subscription.ts";
import { type Route, type Subscriber, Subscriptions, type SubscriptionsOwner } from "./subscriptions.ts";

/** What the receiving side needs from its client. */
export interface IntakeOwner {
  readonly canReject: boolean;
  readonly events: Emitter<MqttClientEvent>;
  availability(): Availability;
  dropped(message: MqttMessage, reason: DropReason): void;
  storeFailed(error: MessagingError): void;
}

/** What an {@link Intake} is made of. */
export interface IntakeParts {
  readonly settings: Settings;
  readonly text: TextCodec;
  /** The session's. */
  readonly outbound: OutboundFlow<ClientItem>;
  readonly tracer: Tracer;
}

/** The receiving side of a client: its subscriptions, and the messages that come in for them. A page loads it when it is needed. */
export class Intake implements SubscriptionsOwner, InboxOwner {
  readonly subscriptions: Subscriptions;
  readonly inbox: Inbox;
  readonly inbound: InboundFlow = new InboundFlow();
  readonly requests: RequestCodec = REQUEST_CODEC;
  readonly #owner: IntakeOwner;
  readonly #outbound: OutboundFlow<ClientItem>;
  readonly #topics: TopicDecoder<Route>;

  /** The last that was open. */
  #connection: Connection | null = null;
  #pressure: Pressure = Pressure.None;

  constructor(owner: IntakeOwner, { settings, text, outbound, tracer }: IntakeParts) {
    this.#owner = owner;
    this.#outbound = outbound;
    this.#topics = new TopicDecoder(text);
    this.subscriptions = new Subscriptions(this, outbound, settings.ackTimeoutMs);
    this.inbox = new Inbox(this, this.inbound, this.subscriptions, { onMessage: settings.onMessage, tracer });
  }

  /** See `MqttClientBase.subscribe`. */
  async subscribe(filters: SubscribeInput, options: SubscribeOptions): Promise<MqttSubscription> {
    const call = checkSubscribe(filters, options);
    checkUsable(this.#owner, options.signal);
    const names = call.filters.map((each) => each.filter);
    const subscription = new MqttSubscription(this.inbox, names, call.consume);
    const done = this.subscriptions.add(subscription, subscription, call, options.signal);
    const patterns = names.map((filter) => parseSharedFilter(filter)?.filter ?? filter);
    this.inbox.claim((message) => {
      if (!patterns.some((pattern) => topicMatches(pattern, message.topic))) return false;
      subscription.deliver(message);
      return true;
    });
    await done;
    return subscription;
  }

  /** See `MqttClientBase.unsubscribe`. */
  async unsubscribeFilters(
    filters: string | readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<readonly number[]> {
    const list = typeof filters === "string" ? [filters] : Array.isArray(filters) ? [...filters] : [];
    if (list.length === 0) throw new MessagingError("ERR_INVALID_TOPIC", "at least one topic filter is needed");
    for (const filter of list) checkTopic(validateTopicFilter(filter));
    checkUsable(this.#owner, signal);
    return await raceAbort(this.subscriptions.removeFilters(list), signal);
  }

  /** What receives the messages of a new connection. */
  receiver(reception: Reception<Route>): Receiving {
    return new Receiver(reception, { handler: this.inbox, inbound: this.inbound, topics: this.#topics });
  }

  /** A connection is open. */
  open(connection: Connection, sessionPresent: boolean): void {
    this.#connection = connection;
    this.inbox.open(sessionPresent);
    // A listener of the new state may have ended the connection again.
    if (connection.engine.over) return;
    this.subscriptions.open(connection, sessionPresent);
    connection.receive();
    this.#reconsiderReading();
  }

  /** Nothing is sent on the connection any more. May be told repeatedly. */
  over(): void {
    this.subscriptions.close();
    this.inbox.queues?.over();
  }

  /** There will be no connection for now. */
  fail(error: MessagingError): void {
    this.subscriptions.fail(error);
  }

  /** Resolves when all handlers are done. */
  async drained(): Promise<void> {
    await Promise.all(this.inbox.all().map((each) => each.drained()));
  }

  /** The client ends. */
  end(): void {
    this.subscriptions.endAll();
    this.inbox.end();
  }

  // Subscriptions and inbox

  get canReject(): boolean {
    return this.#owner.canReject;
  }

  /** An acknowledgement or answer of the server is awaited now, or none any more. */
  awaitingChanged(): void {
    if (this.#pressure !== Pressure.None) this.#reconsiderReading();
  }

  dropped(message: MqttMessage, reason: DropReason): void {
    this.#owner.dropped(message, reason);
  }

  pressure(pressure: Pressure): void {
    this.#pressure = pressure;
    this.#reconsiderReading();
  }

  storeFailed(error: MessagingError): void {
    this.#owner.storeFailed(error);
  }

  lost(filter: string, error: MessagingError): void {
    this.#owner.events.emit({ type: "subscriptionLost", filter, error });
  }

  handlerFailed(message: MqttMessage, error: unknown): void {
    this.#owner.events.emit({ type: "handlerError", message, error });
  }

  async unsubscribe(subscription: Subscriber): Promise<void> {
    const availability = this.#owner.availability();
    if (availability !== "online" && availability !== "offline") return subscription.end();
    const lost = deferred<void>();
    const stop = this.#owner.events.once("connectionLost", () => lost.resolve());
    // Nobody knows when there is a connection again: what the server is to be told then keeps no caller.
    if (availability === "offline") lost.resolve();
    await Promise.race([this.subscriptions.remove(subscription), lost.promise]).finally(stop);
  }

  /** Reading stops while a subscription's buffer is full; answers that are awaited must be read all the same, within limits. */
  #reconsiderReading(): void {
    const outbound = this.#outbound;
    const awaiting = outbound.inflight > 0 || outbound.requests > 0;
    const stop = this.#pressure === Pressure.Hard || (this.#pressure === Pressure.Soft && !awaiting);
    this.#connection?.setReading(!stop);
  }
}
