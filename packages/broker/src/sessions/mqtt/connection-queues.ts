// Hot path: `room` and `send` run per delivery. No closure, promise, spread, iterator or regex in them.
import { isMessagingError, type MessagingError } from "polymq/internal";
import {
  ReasonCode,
  type Subscribe,
  type SubscribeFilter,
  type Unsubscribe,
  type UserProperties,
} from "polymq/mqtt/codec";
import { Phase } from "polymq/mqtt/engine";
import type { Hub } from "../../core/hub.ts";
import { parseQueueFilter } from "../../core/queues/queue-address.ts";
import type { GroupLifetime, QueueDelivery, SettleResult, StreamPosition } from "../../core/queues/queue-port.ts";
import { type ConsumerTerms, MqttQueueConsumer, type QueueLink } from "./mqtt-queue-consumer.ts";
import type { MqttSession } from "./mqtt-session.ts";
import type { Settlement } from "./queue-properties.ts";
import { QueuedDelivery } from "./queued-delivery.ts";

/** What queues need of a client's connection. */
export interface QueuePort {
  /** Writes a delivery; false when the client cannot take it at all. */
  sendQueued(item: QueuedDelivery, delivery: QueueDelivery): boolean;
}

/** Subscriptions to queues that one connection may have. */
const SUBSCRIPTIONS_MAX = 1_000;

/** Filters of one SUBSCRIBE that queues refuse; what follows them is refused unseen, for thousands of errors would keep everybody else waiting. */
const REFUSALS_MAX = 100;

/** Most unsettled deliveries that a client can ask for; there are no more packet identifiers. */
const PREFETCH_MAX = 65_535;

/** A client's subscriptions to queues. They end with its connection, for no session keeps them. */
export class ConnectionQueues implements QueueLink {
  readonly clientId: string;
  readonly #hub: Hub;
  readonly #session: MqttSession;
  readonly #port: QueuePort;
  readonly #level: 4 | 5;
  readonly #consumers = new Set<MqttQueueConsumer>();
  /** Those whose SUBACK is not written yet. */
  #fresh: MqttQueueConsumer[] = [];
  /** Of the SUBSCRIBE that is being carried out. */
  #refusals = 0;
  /** Why the last of its filters was refused. */
  #reason = "";

  constructor(hub: Hub, session: MqttSession, level: 4 | 5, port: QueuePort) {
    this.clientId = session.id;
    this.#hub = hub;
    this.#session = session;
    this.#level = level;
    this.#port = port;
  }

  get room(): number {
    return this.#session.room;
  }

  /** True when a client speaks of queues in this packet. */
  static concerns(packet: Subscribe | Unsubscribe): boolean {
    for (const each of packet.filters) {
      if (parseQueueFilter(typeof each === "string" ? each : each.filter) !== null) return true;
    }
    return false;
  }

  /**
   * Joins a group of a queue; returns a reason code for SUBACK, or null when the filter is none of a queue. Nothing is delivered before
   * {@link openFresh}.
   */
  subscribe(each: SubscribeFilter, packet: Subscribe): number | null {
    const asked = parseQueueFilter(each.filter);
    if (asked === null) return null;
    if (asked.is === "malformed") return ReasonCode.TopicFilterInvalid;
    const properties = packet.properties?.userProperties ?? [];
    const isStream = this.#hub.queues.get(asked.queue)?.settings.kind === "stream";
    if (lastOf(properties, "x-queue-type") === "stream" && !isStream)
      return this.#refuse(`${asked.queue} is no stream`);
    if (each.qos === 0 && !isStream) return this.#refuse("queues that are no streams need QoS 1");
    const from = startOf(lastOf(properties, "x-stream-offset"));
    if (from === null) return this.#refuse("x-stream-offset is no place in a stream");
    const named = lastOf(properties, "consumer-group");
    const terms: ConsumerTerms = {
      filter: each.filter,
      group: named ?? defaultGroup(this.clientId, this.#level, isStream),
      qos: each.qos === 0 ? 0 : 1,
      identifier: packet.properties?.subscriptionIdentifier ?? 0,
      prefetch: prefetchOf(lastOf(properties, "prefetch")),
    };
    const existing = this.#find(each.filter, terms.group);
    // Subscribed to again, it goes on as it is, unless it is to go on elsewhere.
    if (existing !== null && from.at === "resume" && existing.terms.qos === terms.qos) return terms.qos;
    if (existing !== null) this.#remove(existing);
    if (this.#consumers.size >= SUBSCRIPTIONS_MAX || this.#refusals >= REFUSALS_MAX) return ReasonCode.QuotaExceeded;
    try {
      this.#join(asked, terms, { from, lifetime: named === null ? this.#ownLifetime() : "lasting" });
      return terms.qos;
    } catch (error) {
      if (!isMessagingError(error)) throw error;
      this.#refusals++;
      return this.#refuse(error.message, subscribeCode(error));
    }
  }

  /** Why a filter was refused since the last call, for SUBACK; null when there is nothing to say. */
  takeReason(): string | null {
    const reason = this.#reason;
    this.#reason = "";
    return reason === "" ? null : reason;
  }

  #refuse(reason: string, code: number = ReasonCode.ImplementationSpecificError): number {
    this.#reason = reason;
    return code;
  }

  /** SUBACK is written: deliveries may follow it. */
  openFresh(): void {
    this.#refusals = 0;
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const consumer of fresh) consumer.open();
  }

  /** Leaves groups; true when there were any. Without a group in the packet all with this filter are meant. Null when the filter is none of a queue. */
  unsubscribe(filter: string, packet: Unsubscribe): boolean | null {
    if (parseQueueFilter(filter) === null) return null;
    const group = lastOf(packet.properties?.userProperties ?? [], "consumer-group");
    let found = false;
    for (const consumer of this.#consumers) {
      if (consumer.terms.filter !== filter || (group !== null && consumer.terms.group !== group)) continue;
      this.#remove(consumer);
      found = true;
    }
    return found;
  }

  /**
   * Settles a message by its id. A delivery of it in flight here is settled with that; what is with somebody else by now cannot be given back by it, nor
   * by a member of the group that has no delivery of it.
   */
  settle(queue: string, { group, offset, outcome, deliveryCount }: Settlement): SettleResult {
    let isMember = false;
    for (const consumer of this.#consumers) {
      if (consumer.queue !== queue || consumer.groupId !== group) continue;
      const result = consumer.settleById(offset, outcome, deliveryCount);
      if (result !== null) return result;
      isMember = true;
    }
    if (isMember && outcome.is === "nack") return "not-pending";
    return this.#hub.queues.settle(queue, group, offset, outcome);
  }

  /** There may be room again. */
  wake(): void {
    if (this.#consumers.size > 0) this.#wakeAll();
  }

  /** The connection is gone: everything in flight goes back to the groups, and its packet identifiers are free. */
  close(): void {
    if (this.#consumers.size > 0) this.#forgetAll();
    for (const consumer of [...this.#consumers]) this.#remove(consumer);
  }

  send(item: QueuedDelivery, delivery: QueueDelivery): boolean {
    if (item.qos === 0) return this.#port.sendQueued(item, delivery);
    const { outbound } = this.#session.state;
    item.packetId = outbound.beginPublish(item, Phase.AtLeastOnce);
    if (item.packetId === 0) return false;
    if (this.#port.sendQueued(item, delivery)) return true;
    outbound.finish(item.packetId, Phase.AtLeastOnce);
    return false;
  }

  onCancelled(consumer: MqttQueueConsumer): void {
    this.#consumers.delete(consumer);
  }

  /** A client whose session ends with its connection leaves nothing that is to wait for it. */
  #ownLifetime(): GroupLifetime {
    return this.#hub.sessions.of(this.#session)?.expiryMs === 0 ? "passing" : "lasting";
  }

  #join(
    to: { readonly queue: string; readonly filter: string },
    terms: ConsumerTerms,
    how: { readonly from: StreamPosition; readonly lifetime: GroupLifetime },
  ): void {
    const consumer = new MqttQueueConsumer(this, terms);
    const subscription = this.#hub.queues.subscribe(to.queue, {
      consumer,
      group: terms.group,
      filter: to.filter,
      ...how,
      // A client cannot commit by itself; what it has is done when it says so, by PUBACK or by id.
      commit: "settled",
    });
    consumer.start(subscription);
    this.#consumers.add(consumer);
    this.#fresh.push(consumer);
  }

  #find(filter: string, group: string): MqttQueueConsumer | null {
    for (const consumer of this.#consumers) {
      if (consumer.terms.filter === filter && consumer.terms.group === group) return consumer;
    }
    return null;
  }

  #remove(consumer: MqttQueueConsumer): void {
    this.#consumers.delete(consumer);
    this.#fresh = this.#fresh.filter((each) => each !== consumer);
    consumer.end();
  }

  #wakeAll(): void {
    for (const consumer of this.#consumers) consumer.wake();
  }

  /** Also what was settled by id and not answered yet. */
  #forgetAll(): void {
    const { outbound } = this.#session.state;
    for (const id of outbound.publishIds()) {
      if (outbound.item(id) instanceof QueuedDelivery) outbound.finish(id, Phase.AtLeastOnce);
    }
  }
}

/** The group of a client that names none: with MQTT 5.0 one of its own, with 3.1.1 shared by all whose id begins alike, up to the first "-". */
function defaultGroup(clientId: string, level: 4 | 5, isStream: boolean): string {
  const dash = clientId.indexOf("-");
  return level === 5 || isStream || dash <= 0 ? clientId : clientId.slice(0, dash);
}

function prefetchOf(text: string | null): number {
  if (text === null || !/^[1-9]\d{0,4}$/.test(text)) return Number.POSITIVE_INFINITY;
  return Math.min(PREFETCH_MAX, Number(text));
}

/** Reads `first`, `last`, `next`, `offset=<n>`, `timestamp=<ms>`; null for anything else. */
function startOf(text: string | null): StreamPosition | null {
  switch (text) {
    case null:
      return { at: "resume" };
    case "first":
    case "last":
    case "next":
      return { at: text };
    default: {
      const [, word, digits] = /^(offset|timestamp)=(\d{1,16})$/.exec(text) ?? [];
      if (word === "offset") return { at: "offset", offset: Number(digits) };
      return word === "timestamp" ? { at: "timestamp", epochMs: Number(digits) } : null;
    }
  }
}

function lastOf(pairs: UserProperties, name: string): string | null {
  let found: string | null = null;
  for (const [key, value] of pairs) if (key === name) found = value;
  return found;
}

function subscribeCode(error: MessagingError): number {
  switch (error.code) {
    case "ERR_INVALID_TOPIC":
      return ReasonCode.TopicFilterInvalid;
    case "ERR_QUEUE_LIMIT":
      return ReasonCode.QuotaExceeded;
    default:
      return ReasonCode.ImplementationSpecificError;
  }
}
