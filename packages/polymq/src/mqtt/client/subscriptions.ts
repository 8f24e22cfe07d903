// Hot path: `route` runs per message. No closure, iterator or regex on its usual way.
import { abortedError, onAbort } from "../../base/abort.ts";
import { asMessagingError, isMessagingError, MessagingError } from "../../base/errors.ts";
import type { Suback, SubscribeFilter, Unsuback, UserProperties } from "../codec/packets.ts";
import { topicMatches } from "../codec/topic.ts";
import type { TopicEntry } from "../codec/topic-decoder.ts";
import type { OutboundFlow } from "../engine/outbound-flow.ts";
import type { Link } from "./link.ts";
import type { ClientItem } from "./pending.ts";
import { PendingRequest, type RequestSettler, type RequestSource } from "./pending-request.ts";
import { refusedByServer } from "./refusals.ts";
import {
  checkAgainst,
  isRefusal,
  patternOf,
  type SubscribeCall,
  subscribeFailed,
  subscribePacket,
} from "./subscribe-request.ts";
import type { MqttSubscription } from "./subscription.ts";

/** The subscriptions that match a topic, kept with the topic until any subscription changes. */
export interface Route {
  readonly version: number;
  readonly targets: readonly Target[];
  /** The topic is one of queues: their subscriptions are found by what the message says. */
  readonly queue: boolean;
}

/** A subscription as the registry sees it, whatever its messages are. */
export interface Subscriber {
  granted(filters: readonly { readonly filter: string }[], reasonCodes: readonly number[]): void;
  end(): void;
  interrupt(error: MessagingError | null): void;
  drained(): Promise<void>;
}

/** One matching subscription, and the identifier by which its messages are told apart, or null. */
export interface Target {
  readonly subscription: MqttSubscription;
  readonly identifier: number | null;
}

/** One `subscribe` call that is in force or being made. */
interface Registration {
  readonly subscription: Subscriber;
  /** Where messages that match a filter go; null for a queue's. */
  readonly target: Target | null;
  readonly call: SubscribeCall;
  /** Filters in force, with what topics are matched with (without `$share/<group>/`); refused and ended ones are taken out. */
  patterns: readonly { readonly filter: string; readonly pattern: string }[];
  /** Asked for first, granted and to be restored after a reconnect, or being restored. */
  phase: "asked" | "granted" | "restoring";
}

/** What the registry tells its client. */
export interface SubscriptionsOwner {
  lost(filter: string, error: MessagingError): void;
  awaitingChanged(): void;
}

/** All subscriptions of a client: their filters, their requests, and which of them a topic goes to. */
export class Subscriptions {
  readonly #owner: SubscriptionsOwner;
  readonly #outbound: OutboundFlow<ClientItem>;
  readonly #ackTimeoutMs: number;
  readonly #registrations = new Set<Registration>();
  #version = 1;
  #link: Link | null = null;
  /** Requests that wait for a connection: at most {@link WAITING_MAX} new ones, and those that were under way when one was lost. */
  #waiting: PendingRequest[] = [];
  /** Filters of each UNSUBSCRIBE that is not answered yet: their messages may still come. */
  readonly #leaving = new Set<readonly string[]>();

  constructor(owner: SubscriptionsOwner, outbound: OutboundFlow<ClientItem>, ackTimeoutMs: number) {
    this.#owner = owner;
    this.#outbound = outbound;
    this.#ackTimeoutMs = ackTimeoutMs;
  }

  /** The subscriptions that a message on this topic goes to. */
  route(topic: TopicEntry<Route>): Route {
    const known = topic.value;
    if (known !== undefined && known.version === this.#version) return known;
    const queue = topic.topic.startsWith("$queue/");
    const route = { version: this.#version, targets: this.#match(topic.topic), queue };
    topic.value = route;
    return route;
  }

  /** All subscriptions that have not ended. */
  all(): Subscriber[] {
    return [...this.#registrations].map((registration) => registration.subscription);
  }

  /** True when a message on this topic is the rest of a subscription that is being ended. */
  isLeaving(topic: string): boolean {
    for (const patterns of this.#leaving) if (patterns.some((each) => topicMatches(each, topic))) return true;
    return false;
  }

  /** Registers a subscription, so that messages on its filters go to `to` (if any) from now on, and asks the server for it. */
  add(
    subscription: Subscriber,
    to: MqttSubscription | null,
    call: SubscribeCall,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const patterns = call.filters.map(({ filter }) => ({ filter, pattern: patternOf(filter) }));
    const target = to === null ? null : { subscription: to, identifier: call.identifier };
    const registration: Registration = { subscription, target, call, patterns, phase: "asked" };
    this.#registrations.add(registration);
    this.#version++;
    return new Promise((resolve, reject) => {
      let release = ignore;
      let waiting = true;
      const failed = (error: Error): void => {
        release();
        waiting = false;
        this.#remove(registration);
        reject(error);
      };
      const answered = (packet: Suback | Unsuback): void => {
        // Nobody waits for it any more: the server must not keep it.
        if (!waiting) return this.#takeBack(call, call.filters, packet.reasonCodes);
        release();
        const error = this.#onSuback(registration, call.filters, packet);
        if (error === null) resolve();
        else failed(error);
      };
      const request = this.#pending(subscribePacket(call, call.filters, "first"), { answered, failed });
      release = onAbort(signal, () => {
        request.abandoned = true;
        failed(signal === undefined ? new Error("unreachable") : abortedError(signal));
      });
      this.#request(request);
    });
  }

  /** Ends a subscription; filters that no other subscription uses are unsubscribed. */
  async remove(subscription: Subscriber): Promise<void> {
    const registration = [...this.#registrations].find((each) => each.subscription === subscription);
    if (registration === undefined) return;
    this.#remove(registration);
    await this.#unsubscribe(
      registration.call,
      registration.patterns.map((each) => each.filter),
    );
  }

  /** Ends every subscription that has one of these filters, and unsubscribes all of them. */
  async removeFilters(filters: readonly string[]): Promise<readonly number[]> {
    for (const registration of [...this.#registrations]) {
      registration.patterns = registration.patterns.filter((each) => !filters.includes(each.filter));
      if (registration.patterns.length === 0) this.#remove(registration);
    }
    this.#version++;
    return this.#unsubscribePacket(filters);
  }

  /** A connection is open: makes requests that wait, and restores subscriptions unless the server kept them. */
  open(link: Link, sessionPresent: boolean): void {
    this.#link = link;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const registration of [...this.#registrations]) {
      if (!sessionPresent || registration.call.queueProperties !== null) this.#restore(registration);
    }
    for (const request of waiting) this.#request(request);
  }

  /** The connection is gone: requests under way are made again on the next one. */
  close(): void {
    this.#link = null;
    for (const id of this.#outbound.requestIds()) {
      const item = this.#outbound.item(id);
      this.#outbound.finish(id, this.#outbound.phase(id));
      if (item instanceof PendingRequest && !item.abandoned) this.#afterLoss(item);
    }
  }

  /** Some servers end the connection over a request they do not like: it must not go round for ever. */
  #afterLoss(request: PendingRequest): void {
    if (request.survivesLoss()) {
      this.#waiting.push(request);
      return;
    }
    const text = `the connection was lost ${LOSSES_MAX} times before the server answered`;
    request.settle.failed(new MessagingError("ERR_CONNECTION_LOST", text));
  }

  /** Fails requests that wait, for there will be no connection. */
  fail(error: MessagingError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const request of waiting) request.settle.failed(error);
  }

  /** Reading rejects with `error` until there is hope of a connection again, which null says. */
  interrupt(error: MessagingError | null): void {
    for (const { subscription } of this.#registrations) subscription.interrupt(error);
  }

  /** Ends all subscriptions without a word to the server. */
  endAll(): void {
    for (const registration of [...this.#registrations]) this.#remove(registration);
  }

  /** Fails requests whose answer is overdue; see `Publisher.expire`. */
  expire(nowMs: number, flowingSinceMs: number): void {
    if (this.#ackTimeoutMs === 0) return;
    for (const id of this.#outbound.requestIds()) {
      const item = this.#outbound.item(id);
      if (!(item instanceof PendingRequest) || item.abandoned) continue;
      if (nowMs - Math.max(item.sentAtMs, flowingSinceMs) < this.#ackTimeoutMs) continue;
      // The id stays taken until the answer comes or the connection ends.
      item.abandoned = true;
      item.settle.failed(new MessagingError("ERR_TIMEOUT", `no answer within ${this.#ackTimeoutMs} ms`));
    }
  }

  #match(topic: string): Target[] {
    const targets: Target[] = [];
    for (const { target, patterns } of this.#registrations) {
      if (target !== null && patterns.some((each) => topicMatches(each.pattern, topic))) targets.push(target);
    }
    return targets;
  }

  #remove(registration: Registration): void {
    if (!this.#registrations.delete(registration)) return;
    this.#version++;
    registration.subscription.end();
  }

  #pending(packet: RequestSource, settle: RequestSettler, lossesMax = LOSSES_MAX): PendingRequest {
    const answered = (answer: Suback | Unsuback): void => {
      settle.answered(answer);
      this.#owner.awaitingChanged();
    };
    return new PendingRequest(packet, { answered, failed: settle.failed }, lossesMax);
  }

  /** Sends a request now or on the next connection; what the server or the protocol lacks is refused before. */
  #request(request: PendingRequest): void {
    const link = this.#link;
    if (request.abandoned) return;
    if (link === null) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(request);
      else request.settle.failed(new MessagingError("ERR_OFFLINE_FULL", "too many requests wait for a connection"));
      return;
    }
    try {
      const packet = typeof request.packet === "function" ? request.packet(link) : request.packet;
      if (packet.type === "subscribe") checkAgainst(packet, link);
      link.engine.request(request, packet);
      request.sentAtMs = link.nowMs();
      this.#owner.awaitingChanged();
    } catch (error) {
      request.settle.failed(asMessagingError(error, "ERR_SUBSCRIBE_FAILED"));
    }
  }

  /** Takes the server's answer to `asked`; returns why the call failed, or null. */
  #onSuback(
    registration: Registration,
    asked: readonly SubscribeFilter[],
    packet: Suback | Unsuback,
  ): MessagingError | null {
    const { reasonCodes } = packet;
    if (reasonCodes.length !== asked.length) return this.#miscounted("SUBACK");
    registration.phase = "granted";
    registration.subscription.granted(asked, reasonCodes);
    const refused = asked.filter((_, i) => isRefusal(reasonCodes[i]));
    if (refused.length === 0) return null;
    this.#drop(registration, refused);
    if (registration.call.partial === "allow" && registration.patterns.length > 0) return null;
    const granted = registration.patterns.map((each) => each.filter);
    registration.patterns = [];
    this.#unsubscribe(registration.call, granted).catch(ignore);
    return subscribeFailed(refused, packet);
  }

  /** Asks anew for what of a subscription was granted before; filters that are refused now are lost. */
  #restore(registration: Registration): void {
    const { call } = registration;
    if (registration.phase !== "granted") return;
    const asked = call.filters.filter((each) => registration.patterns.some((known) => known.filter === each.filter));
    const answered = (packet: Suback | Unsuback): void => {
      const { reasonCodes } = packet;
      if (!this.#registrations.has(registration)) return this.#takeBack(call, asked, reasonCodes);
      registration.phase = "granted";
      if (reasonCodes.length !== asked.length) return void this.#miscounted("SUBACK");
      registration.subscription.granted(asked, reasonCodes);
      const refused = asked.filter((_, i) => isRefusal(reasonCodes[i]));
      if (refused.length === 0) return;
      this.#onLost(registration, refused, subscribeFailed(refused, packet));
    };
    const failed = (error: Error): void => {
      registration.phase = "granted";
      // The client was disconnected meanwhile, and its next connection restores it; or the answer is late and may still come.
      if (this.#link === null || (isMessagingError(error) && error.code === "ERR_TIMEOUT")) return;
      this.#onLost(registration, asked, asMessagingError(error, "ERR_SUBSCRIBE_FAILED"));
    };
    registration.phase = "restoring";
    // What was granted is asked for until it is there again.
    const never = Number.POSITIVE_INFINITY;
    this.#request(this.#pending(subscribePacket(call, asked, "again"), { answered, failed }, never));
  }

  #onLost(registration: Registration, filters: readonly SubscribeFilter[], error: MessagingError): void {
    if (!this.#registrations.has(registration)) return;
    this.#drop(registration, filters);
    if (registration.patterns.length === 0) this.#remove(registration);
    for (const { filter } of filters) this.#owner.lost(filter, error);
  }

  #drop(registration: Registration, filters: readonly SubscribeFilter[]): void {
    registration.patterns = registration.patterns.filter(
      (each) => !filters.some((gone) => gone.filter === each.filter),
    );
    this.#version++;
  }

  /** Ends on the server what was granted too late. */
  #takeBack(call: SubscribeCall, asked: readonly SubscribeFilter[], reasonCodes: readonly number[]): void {
    const granted = asked.filter((_, i) => !isRefusal(reasonCodes[i]));
    this.#unsubscribe(
      call,
      granted.map((each) => each.filter),
    ).catch(ignore);
  }

  #miscounted(packet: string): MessagingError {
    const error = new MessagingError("ERR_PROTOCOL_VIOLATION", `${packet} with a wrong number of reason codes`);
    this.#link?.fail(error);
    return error;
  }

  async #unsubscribe({ queueProperties }: SubscribeCall, filters: readonly string[]): Promise<void> {
    const unused = filters.filter((filter) => !this.#isUsed(filter));
    // A server that tells the groups of a queue apart is told which one is left.
    const named = queueProperties !== null && this.#link !== null && queueProperties("end", this.#link);
    const gone = named !== false && named.length > 0 ? filters : unused;
    if (gone.length > 0) await this.#unsubscribePacket(gone, named === false ? [] : named);
  }

  #isUsed(filter: string): boolean {
    for (const { patterns } of this.#registrations) if (patterns.some((each) => each.filter === filter)) return true;
    return false;
  }

  #unsubscribePacket(filters: readonly string[], userProperties: UserProperties = []): Promise<readonly number[]> {
    const leaving = filters.map(patternOf);
    this.#leaving.add(leaving);
    // Without a connection there is nothing to take back: the subscription is not restored on the next one, unless
    // the server keeps the session; then the request waits for it.
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => {
        this.#leaving.delete(leaving);
        reject(error);
      };
      const answered = (packet: Suback | Unsuback): void => {
        this.#leaving.delete(leaving);
        const { reasonCodes } = packet;
        // MQTT 3.1.1 has none.
        if (reasonCodes.length !== filters.length && reasonCodes.length > 0)
          return reject(this.#miscounted("UNSUBACK"));
        const refused = reasonCodes.find(isRefusal);
        if (refused === undefined) return resolve(reasonCodes);
        reject(refusedByServer("ERR_UNSUBSCRIBE_FAILED", "refused", { ...packet, reasonCode: refused }));
      };
      const properties = userProperties.length === 0 ? null : { userProperties };
      this.#request(this.#pending({ type: "unsubscribe", filters, properties }, { answered, failed }));
    });
  }
}

/** Connections on which a SUBSCRIBE or UNSUBSCRIBE may be lost without an answer before its call fails. */
const LOSSES_MAX = 5;

/** SUBSCRIBE and UNSUBSCRIBE packets that may wait for a connection. */
const WAITING_MAX = 10_000;

function ignore(): void {
  // The call has failed already; that its granted filters could not be taken back either changes nothing for it.
}
