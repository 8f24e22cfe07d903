// Hot path: `route` runs per message. No closure, iterator or regex on its usual way.
import { abortedError, onAbort } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Suback, Subscribe, SubscribeFilter, Unsuback } from "../codec/packets.ts";
import { reasonName } from "../codec/reason-codes.ts";
import { parseSharedFilter, topicMatches } from "../codec/topic.ts";
import type { TopicEntry } from "../codec/topic-decoder.ts";
import type { OutboundFlow } from "../engine/outbound-flow.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import type { Link } from "./link.ts";
import { type ClientItem, PendingRequest } from "./pending.ts";
import type { CheckedSubscribe } from "./subscribe-options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** The subscriptions that match a topic, kept with the topic until any subscription changes. */
export interface Route {
  readonly version: number;
  readonly targets: readonly Target[];
}

/** One matching subscription, and the identifier by which its messages are told apart, or null. */
export interface Target {
  readonly subscription: MqttSubscription;
  readonly identifier: number | null;
}

/** One `subscribe` call that is in force or being made. */
interface Registration {
  readonly subscription: MqttSubscription;
  readonly call: CheckedSubscribe;
  /** Filters to match topics with, without `$share/<group>/`; refused ones are taken out. */
  patterns: readonly { readonly filter: string; readonly pattern: string }[];
  /** True once the server has answered: from then on it is restored after a reconnect. */
  confirmed: boolean;
  /** True while a request to restore it is under way or waits. */
  restoring: boolean;
}

/** What the registry tells its client. */
export interface SubscriptionsOwner {
  lost(filter: string, error: MessagingError): void;
  awaitsReply(): void;
}

/** All subscriptions of a client: their filters, their requests, and which of them a topic goes to. */
export class Subscriptions {
  readonly #owner: SubscriptionsOwner;
  readonly #outbound: OutboundFlow<ClientItem>;
  readonly #ackTimeoutMs: number;
  readonly #registrations = new Set<Registration>();
  #version = 1;
  #link: Link | null = null;
  /** Requests that wait for a connection. */
  #waiting: PendingRequest[] = [];

  constructor(owner: SubscriptionsOwner, outbound: OutboundFlow<ClientItem>, ackTimeoutMs: number) {
    this.#owner = owner;
    this.#outbound = outbound;
    this.#ackTimeoutMs = ackTimeoutMs;
  }

  /** The subscriptions that a message on this topic goes to. */
  route(topic: TopicEntry<Route>): Route {
    const known = topic.value;
    if (known !== undefined && known.version === this.#version) return known;
    const route = { version: this.#version, targets: this.#match(topic.topic) };
    topic.value = route;
    return route;
  }

  /** All subscriptions that have not ended. */
  all(): MqttSubscription[] {
    return [...this.#registrations].map((registration) => registration.subscription);
  }

  /** Registers a subscription, so that its messages find it from now on, and asks the server for it. */
  add(subscription: MqttSubscription, call: CheckedSubscribe, signal: AbortSignal | undefined): Promise<void> {
    if (this.#link !== null) checkAgainst(call, this.#link.capabilities, this.#link.engine.protocolLevel);
    const patterns = call.filters.map(({ filter }) => ({
      filter,
      pattern: parseSharedFilter(filter)?.filter ?? filter,
    }));
    const registration: Registration = { subscription, call, patterns, confirmed: false, restoring: false };
    this.#registrations.add(registration);
    this.#version++;
    return new Promise((resolve, reject) => {
      const release = onAbort(signal, () => {
        this.#remove(registration);
        reject(signal === undefined ? new Error("unreachable") : abortedError(signal));
      });
      const failed = (error: Error): void => {
        release();
        this.#remove(registration);
        reject(error);
      };
      const answered = (packet: Suback | Unsuback): void => {
        release();
        const error = this.#onSuback(registration, packet.reasonCodes, packet.properties?.reasonString ?? "");
        if (error === null) resolve();
        else failed(error);
      };
      this.#request(new PendingRequest(subscribePacket(call), { answered, failed }));
    });
  }

  /** Ends a subscription; filters that no other subscription uses are unsubscribed. */
  async remove(subscription: MqttSubscription): Promise<void> {
    const registration = [...this.#registrations].find((each) => each.subscription === subscription);
    if (registration === undefined) return;
    this.#remove(registration);
    await this.#unsubscribe(registration.patterns.map((each) => each.filter));
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
    if (!sessionPresent) for (const registration of this.#registrations) this.#restore(registration);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const request of waiting) this.#request(request);
  }

  /** The connection is gone: requests under way are made again on the next one. */
  close(): void {
    this.#link = null;
    for (const id of this.#outbound.requestIds()) {
      const item = this.#outbound.item(id);
      this.#outbound.finish(id, this.#outbound.phase(id));
      if (item instanceof PendingRequest) this.#waiting.push(item);
    }
  }

  /** Fails requests that wait, for there will be no connection. */
  fail(error: MessagingError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const request of waiting) request.settle.failed(error);
  }

  /** Ends all subscriptions without a word to the server. */
  endAll(): void {
    for (const registration of [...this.#registrations]) this.#remove(registration);
  }

  /** Fails requests whose answer is overdue. */
  expire(nowMs: number): void {
    if (this.#ackTimeoutMs === 0) return;
    for (const id of this.#outbound.requestIds()) {
      const item = this.#outbound.item(id);
      if (!(item instanceof PendingRequest) || nowMs - item.sentAtMs < this.#ackTimeoutMs) continue;
      // The id stays taken until the answer comes or the connection ends.
      item.sentAtMs = Number.POSITIVE_INFINITY;
      item.settle.failed(new MessagingError("ERR_TIMEOUT", `no answer within ${this.#ackTimeoutMs} ms`));
    }
  }

  #match(topic: string): Target[] {
    const targets: Target[] = [];
    for (const { subscription, call, patterns } of this.#registrations) {
      if (patterns.some((each) => topicMatches(each.pattern, topic))) {
        targets.push({ subscription, identifier: call.identifier });
      }
    }
    return targets;
  }

  #remove(registration: Registration): void {
    if (!this.#registrations.delete(registration)) return;
    this.#version++;
    registration.subscription.end();
  }

  #request(request: PendingRequest): void {
    const link = this.#link;
    if (link === null) {
      this.#waiting.push(request);
      return;
    }
    try {
      link.engine.request(request, request.packet);
      request.sentAtMs = link.nowMs();
      this.#owner.awaitsReply();
    } catch (error) {
      request.settle.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Takes the server's answer; returns why the call failed, or null. */
  #onSuback(registration: Registration, reasonCodes: readonly number[], text: string): MessagingError | null {
    const { call, subscription } = registration;
    if (reasonCodes.length !== call.filters.length) {
      const error = new MessagingError("ERR_PROTOCOL_VIOLATION", "SUBACK with a wrong number of reason codes");
      this.#link?.fail(error);
      return error;
    }
    subscription.granted(reasonCodes);
    const refused = call.filters.filter((_, i) => (reasonCodes[i] ?? 0x80) >= 0x80);
    registration.confirmed = true;
    if (refused.length === 0) return null;
    registration.patterns = registration.patterns.filter((each) => !refused.some((f) => f.filter === each.filter));
    this.#version++;
    if (call.partial === "allow" && registration.patterns.length > 0) return null;
    const granted = registration.patterns.map((each) => each.filter);
    if (granted.length > 0) this.#unsubscribe(granted).catch(ignore);
    return subscribeFailed(refused, reasonCodes, text);
  }

  #restore(registration: Registration): void {
    if (!registration.confirmed || registration.restoring) return;
    const failed = (error: Error): void => this.#onLost(registration, asMessagingError(error));
    const answered = (packet: Suback | Unsuback): void => {
      registration.restoring = false;
      const error = this.#onSuback(registration, packet.reasonCodes, packet.properties?.reasonString ?? "");
      if (error !== null) failed(error);
    };
    const link = this.#link;
    try {
      if (link !== null) checkAgainst(registration.call, link.capabilities, link.engine.protocolLevel);
    } catch (error) {
      return failed(asMessagingError(error));
    }
    registration.restoring = true;
    this.#request(new PendingRequest(subscribePacket(registration.call), { answered, failed }));
  }

  #onLost(registration: Registration, error: MessagingError): void {
    if (!this.#registrations.has(registration)) return;
    this.#remove(registration);
    for (const { filter } of registration.call.filters) this.#owner.lost(filter, error);
  }

  async #unsubscribe(filters: readonly string[]): Promise<void> {
    const unused = filters.filter((filter) => !this.#isUsed(filter));
    if (unused.length > 0) await this.#unsubscribePacket(unused);
  }

  #isUsed(filter: string): boolean {
    for (const { patterns } of this.#registrations) if (patterns.some((each) => each.filter === filter)) return true;
    return false;
  }

  #unsubscribePacket(filters: readonly string[]): Promise<readonly number[]> {
    // Without a connection there is nothing to take back: the subscription is not restored on the next one, unless
    // the server keeps the session; then the request waits for it.
    return new Promise((resolve, reject) => {
      const answered = (packet: Suback | Unsuback): void => {
        const refused = packet.reasonCodes.find((code) => code >= 0x80);
        if (refused === undefined) return resolve(packet.reasonCodes);
        const text = packet.properties?.reasonString ?? "";
        const peer = { protocol: "mqtt", code: refused, text } as const;
        reject(new MessagingError("ERR_UNSUBSCRIBE_FAILED", `the server refused: ${reasonName(refused)}`, { peer }));
      };
      this.#request(
        new PendingRequest({ type: "unsubscribe", filters, properties: null }, { answered, failed: reject }),
      );
    });
  }
}

function subscribePacket(call: CheckedSubscribe): Omit<Subscribe, "packetId"> {
  const properties =
    call.identifier === null && call.userProperties === null
      ? null
      : {
          ...(call.identifier === null ? {} : { subscriptionIdentifier: call.identifier }),
          ...(call.userProperties === null ? {} : { userProperties: call.userProperties }),
        };
  return { type: "subscribe", filters: call.filters, properties };
}

/** Refuses what the server said it cannot do, before it is asked (MQTT 5.0 §3.2.2.3.11 to §3.2.2.3.13). */
function checkAgainst(call: CheckedSubscribe, server: ServerCapabilities, level: 4 | 5): void {
  if (call.needsV5 && level === 4) {
    throw new MessagingError(
      "ERR_UNSUPPORTED",
      "MQTT 3.1.1 has no subscription options, identifiers and user properties",
    );
  }
  const missing = missingFeature(call, server);
  if (missing !== null) throw new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", `the server has no ${missing}`);
}

function missingFeature(call: CheckedSubscribe, server: ServerCapabilities): string | null {
  if (call.identifier !== null && !server.subscriptionIdentifiersAvailable) return "subscription identifiers";
  for (const { filter } of call.filters) {
    const shared = parseSharedFilter(filter);
    if (shared !== null && !server.sharedSubscriptionAvailable) return "shared subscriptions";
    const pattern = shared?.filter ?? filter;
    const wildcard = pattern.includes("+") || pattern.includes("#");
    if (wildcard && !server.wildcardSubscriptionAvailable) return "wildcard subscriptions";
  }
  return null;
}

function subscribeFailed(
  refused: readonly SubscribeFilter[],
  reasonCodes: readonly number[],
  text: string,
): MessagingError {
  const code = reasonCodes.find((each) => each >= 0x80) ?? 0x80;
  const names = refused.map((each) => each.filter).join(", ");
  const message = `the server refused ${names}: ${reasonName(code)}${text === "" ? "" : `, ${text}`}`;
  return new MessagingError("ERR_SUBSCRIBE_FAILED", message, { peer: { protocol: "mqtt", code, text } });
}

function asMessagingError(error: unknown): MessagingError {
  return error instanceof MessagingError
    ? error
    : new MessagingError("ERR_SUBSCRIBE_FAILED", String(error), { cause: error });
}

function ignore(): void {
  // The call has failed already; that its granted filters could not be taken back either changes nothing for it.
}
