import type { MessagingError } from "../../base/errors.ts";
import { given } from "../../base/option-rules.ts";
import type { Suback, Subscribe, SubscribeFilter, SubscribeProperties, Unsuback } from "../codec/packets.ts";
import { parseSharedFilter } from "../codec/topic-filter.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import type { Link } from "./link.ts";
import type { RequestSource } from "./pending-request.ts";
import { missingAtServer, missingInVersion4, refusedByServer } from "./refusals.ts";
import { type CheckedSubscribe, hasV5Options } from "./subscribe-options.ts";

/** A call, whatever its messages are. */
export type SubscribeCall = Omit<CheckedSubscribe, "consume">;

/** What topics are matched with: the filter without `$share/<group>/`. */
export function patternOf(filter: string): string {
  return parseSharedFilter(filter)?.filter ?? filter;
}

/** True for a reason code that refuses, and for one that is missing. */
export function isRefusal(reasonCode: number | undefined): boolean {
  return reasonCode === undefined || reasonCode >= 0x80;
}

/** What makes the SUBSCRIBE of a call, for the first time or again. */
export function subscribePacket(
  call: SubscribeCall,
  filters: readonly SubscribeFilter[],
  request: "first" | "again",
): RequestSource {
  const { identifier, userProperties, queueProperties } = call;
  if (queueProperties !== null) {
    return (link) => {
      const named = queueProperties(request, link);
      return { type: "subscribe", filters, properties: named.length === 0 ? null : { userProperties: named } };
    };
  }
  const properties = given<SubscribeProperties>({
    subscriptionIdentifier: identifier ?? undefined,
    userProperties: userProperties ?? undefined,
  });
  return { type: "subscribe", filters, properties };
}

/** Refuses what the protocol or the server lacks. @throws {MessagingError} ERR_UNSUPPORTED, ERR_NOT_SUPPORTED_BY_SERVER */
export function checkAgainst(packet: Omit<Subscribe, "packetId">, link: Link): void {
  if (link.engine.protocolLevel === 4 && (packet.properties !== null || packet.filters.some(hasV5Options))) {
    throw missingInVersion4("subscription options, identifiers and user properties");
  }
  const missing = missingFeature(packet, link.capabilities);
  if (missing !== null) throw missingAtServer(missing);
}

function missingFeature(packet: Omit<Subscribe, "packetId">, server: ServerCapabilities): string | null {
  const identified = packet.properties?.subscriptionIdentifier !== undefined;
  if (identified && !server.subscriptionIdentifiersAvailable) return "subscription identifiers";
  for (const { filter } of packet.filters) {
    const shared = parseSharedFilter(filter);
    if (shared !== null && !server.sharedSubscriptionAvailable) return "shared subscriptions";
    const pattern = shared?.filter ?? filter;
    const wildcard = pattern.includes("+") || pattern.includes("#");
    if (wildcard && !server.wildcardSubscriptionAvailable) return "wildcard subscriptions";
  }
  return null;
}

/** The error of a call some of whose filters were refused. */
export function subscribeFailed(refused: readonly SubscribeFilter[], packet: Suback | Unsuback): MessagingError {
  const reasonCode = packet.reasonCodes.find(isRefusal) ?? 0x80;
  const names = refused.map((each) => each.filter).join(", ");
  return refusedByServer("ERR_SUBSCRIBE_FAILED", `refused ${names}`, { ...packet, reasonCode });
}
