import { isMessagingError } from "polymq/internal";
import {
  parseSharedFilter,
  ReasonCode,
  type Subscribe,
  type SubscribeFilter,
  type Unsubscribe,
} from "polymq/mqtt/codec";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { Decision } from "../../auth/decision-cache.ts";
import type { Guarantee } from "../../core/message.ts";
import type { ConnectionQueues } from "./connection-queues.ts";
import type { MqttContext } from "./mqtt-context.ts";
import type { MqttSession } from "./mqtt-session.ts";

/** Who subscribes. */
export interface Subscriber {
  readonly session: MqttSession;
  readonly queues: ConnectionQueues;
  readonly access: ConnectionAccess;
  readonly level: 4 | 5;
}

/** Which filters of a SUBSCRIBE are allowed; a promise only where an application's hook is asynchronous. */
export function authorizeSubscribe(packet: Subscribe, by: Subscriber): readonly boolean[] | Promise<boolean[]> {
  const decisions = packet.filters.map((each) => decide(each, by));
  return decisions.every((each) => typeof each === "boolean") ? decisions : Promise.all(decisions);
}

/** Carries out a SUBSCRIBE; returns its reason codes, one per filter (MQTT 5.0 §3.9.3). */
export function subscribe(
  packet: Subscribe,
  allowed: readonly boolean[],
  by: Subscriber,
  context: MqttContext,
): number[] {
  const { metrics } = context;
  const request: Request = { packet, by, room: "yes" };
  return packet.filters.map((each, i) => {
    const code = allowed[i] === true ? subscribeOne(each, request, context) : ReasonCode.NotAuthorized;
    if (code < 0x80) {
      metrics.subscriptionsAccepted++;
      return code;
    }
    if (code === ReasonCode.QuotaExceeded) request.room = "no";
    metrics.subscriptionsRefused++;
    // A 3.1.1 client knows one refusal only [MQTT3-3.9.3-2].
    return by.level === 5 ? code : ReasonCode.UnspecifiedError;
  });
}

/** A SUBSCRIBE that is being carried out. */
interface Request {
  readonly packet: Subscribe;
  readonly by: Subscriber;
  /** `no` once the session turned out to be full. */
  room: "yes" | "no";
}

/** Carries out an UNSUBSCRIBE; returns its reason codes (MQTT 5.0 §3.11.3). */
export function unsubscribe(packet: Unsubscribe, by: Subscriber, context: MqttContext): number[] {
  const { session, queues } = by;
  return packet.filters.map((name) => {
    const left = queues.unsubscribe(name, packet);
    if (left !== null) return left ? ReasonCode.Success : ReasonCode.NoSubscriptionExisted;
    const shared = parseSharedFilter(name);
    const removed = context.hub.unsubscribe(session, shared?.filter ?? name, shared?.group ?? null);
    if (removed === null) return ReasonCode.NoSubscriptionExisted;
    session.onUnsubscribed(removed);
    return ReasonCode.Success;
  });
}

function decide(each: SubscribeFilter, by: Subscriber): Decision {
  const shared = parseSharedFilter(each.filter);
  return by.access.maySubscribe(shared?.filter ?? each.filter, shared?.group ?? null);
}

function subscribeOne(each: SubscribeFilter, request: Request, context: MqttContext): number {
  const { hub, mqtt } = context;
  const { session } = request.by;
  const shared = parseSharedFilter(each.filter);
  const filter = shared?.filter ?? each.filter;
  const identifier = request.packet.properties?.subscriptionIdentifier ?? 0;
  const missing = missingFeature({ filter, shared: shared !== null, identifier }, context);
  if (missing !== null) return missing;
  const joined = request.by.queues.subscribe(each, request.packet);
  if (joined !== null) return joined;
  const guaranteeMax: Guarantee = each.qos < mqtt.maximumQoS ? each.qos : mqtt.maximumQoS;
  const { noLocal, retainAsPublished } = each;
  const terms = { filter, guaranteeMax, noLocal, retainAsPublished, identifier, group: shared?.group ?? null };
  // An error for each of a hundred thousand filters too many would keep everybody else waiting.
  if (request.room === "no" && !hub.router.mayAdd(session, terms, 0, 0)) return ReasonCode.QuotaExceeded;
  try {
    const subscribed = hub.subscribe(session, terms);
    // Shared subscriptions get no retained messages (MQTT 5.0 §4.8.2).
    const wanted = each.retainHandling === 0 || (each.retainHandling === 1 && subscribed.is === "added");
    if (shared === null && wanted) session.replay(subscribed.subscription);
    return guaranteeMax;
  } catch (error) {
    if (!isMessagingError(error)) throw error;
    return error.code === "ERR_INVALID_TOPIC" ? ReasonCode.TopicFilterInvalid : ReasonCode.QuotaExceeded;
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
  if (asked.filter.split("/", mqtt.topicLevelsMax + 1).length > mqtt.topicLevelsMax)
    return ReasonCode.TopicFilterInvalid;
  return null;
}
