import { isMessagingError } from "polymq/internal";
import {
  parseSharedFilter,
  ReasonCode,
  type Subscribe,
  type SubscribeFilter,
  type Unsubscribe,
} from "polymq/mqtt/codec";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { Guarantee } from "../../core/message.ts";
import type { MqttContext } from "./mqtt-context.ts";
import type { MqttSession } from "./mqtt-session.ts";

/** Who subscribes. */
export interface Subscriber {
  readonly session: MqttSession;
  readonly access: ConnectionAccess;
  readonly level: 4 | 5;
}

/** Carries out a SUBSCRIBE; returns its reason codes. A promise only where an application's hook is asynchronous. */
export function subscribe(packet: Subscribe, by: Subscriber, context: MqttContext): number[] | Promise<number[]> {
  const decisions = packet.filters.map((each) => decide(each, by, context));
  const finish = (allowed: readonly boolean[]): number[] =>
    packet.filters.map((each, i) =>
      allowed[i] === true ? subscribeOne(each, packet, by, context) : refusal(by.level, ReasonCode.NotAuthorized),
    );
  if (decisions.every((each) => typeof each === "boolean")) return finish(decisions);
  return Promise.all(decisions).then(finish);
}

/** Carries out an UNSUBSCRIBE; returns its reason codes (MQTT 5.0 §3.11.3). */
export function unsubscribe(packet: Unsubscribe, session: MqttSession, context: MqttContext): number[] {
  return packet.filters.map((name) => {
    const shared = parseSharedFilter(name);
    const removed = context.hub.unsubscribe(session, shared?.filter ?? name, shared?.group ?? null);
    return removed === null ? ReasonCode.NoSubscriptionExisted : ReasonCode.Success;
  });
}

function decide(each: SubscribeFilter, by: Subscriber, _context: MqttContext): boolean | Promise<boolean> {
  const shared = parseSharedFilter(each.filter);
  return by.access.maySubscribe(shared?.filter ?? each.filter, shared?.group ?? null);
}

function subscribeOne(each: SubscribeFilter, packet: Subscribe, by: Subscriber, context: MqttContext): number {
  const { hub, mqtt } = context;
  const { session, level } = by;
  const shared = parseSharedFilter(each.filter);
  const filter = shared?.filter ?? each.filter;
  const identifier = packet.properties?.subscriptionIdentifier ?? 0;
  const missing = missingFeature({ filter, shared: shared !== null, identifier }, context);
  if (missing !== null) return refusal(level, missing);
  const guaranteeMax: Guarantee = each.qos < mqtt.maximumQoS ? each.qos : mqtt.maximumQoS;
  try {
    const subscribed = hub.subscribe(session, {
      filter,
      guaranteeMax,
      noLocal: each.noLocal,
      retainAsPublished: each.retainAsPublished,
      identifier,
      group: shared?.group ?? null,
    });
    // Shared subscriptions get no retained messages (MQTT 5.0 §4.8.2).
    const wanted = each.retainHandling === 0 || (each.retainHandling === 1 && subscribed.is === "added");
    if (shared === null && wanted) session.replay(hub.replay(filter), subscribed.subscription);
    context.metrics.subscriptionsAccepted++;
    return guaranteeMax;
  } catch (error) {
    context.metrics.subscriptionsRefused++;
    if (!isMessagingError(error)) throw error;
    return refusal(
      level,
      error.code === "ERR_INVALID_TOPIC" ? ReasonCode.TopicFilterInvalid : ReasonCode.QuotaExceeded,
    );
  }
}

interface Asked {
  readonly filter: string;
  readonly shared: boolean;
  readonly identifier: number;
}

function missingFeature(asked: Asked, context: MqttContext): number | null {
  const { mqtt } = context;
  if (asked.shared && !mqtt.sharedSubscriptionAvailable) return ReasonCode.SharedSubscriptionsNotSupported;
  if (asked.identifier !== 0 && !mqtt.subscriptionIdentifiersAvailable)
    return ReasonCode.SubscriptionIdentifiersNotSupported;
  const wildcard = asked.filter.includes("+") || asked.filter.includes("#");
  if (wildcard && !mqtt.wildcardSubscriptionAvailable) return ReasonCode.WildcardSubscriptionsNotSupported;
  if (asked.filter.split("/").length > mqtt.topicLevelsMax) return ReasonCode.TopicFilterInvalid;
  return null;
}

/** A 3.1.1 client knows one refusal only (3.1.1 §3.9.3). */
function refusal(level: 4 | 5, reasonCode: number): number {
  return level === 5 ? reasonCode : 0x80;
}
