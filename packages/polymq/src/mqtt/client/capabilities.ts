import type { Connack, QoS, UserProperties } from "../codec/packets.ts";

/** What the server said of itself in CONNACK, with the protocol's defaults where it said nothing (MQTT 5.0 §3.2.2.3). */
export interface ServerCapabilities {
  /** Seconds that the server keeps the session; what we asked for when it did not say otherwise. */
  readonly sessionExpirySeconds: number;
  /** QoS 1 and 2 publishes that the server takes at a time. */
  readonly receiveMaximum: number;
  readonly maximumQoS: QoS;
  readonly retainAvailable: boolean;
  /** Largest packet in bytes that the server accepts; Infinity when it named none. */
  readonly maximumPacketSize: number;
  /** The client id that the server chose, or "" when it took ours. */
  readonly assignedClientId: string;
  readonly topicAliasMaximum: number;
  readonly reasonString: string;
  readonly userProperties: UserProperties;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly subscriptionIdentifiersAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
  /** Keep-alive in force, in seconds: the server's when it named one. */
  readonly keepAliveSeconds: number;
  readonly responseInformation: string;
  readonly serverReference: string;
  readonly authenticationMethod: string;
  readonly authenticationData: Uint8Array | null;
}

/** What was asked for, to fill in what the server left out. */
export interface Requested {
  readonly sessionExpirySeconds: number;
  readonly keepAliveSeconds: number;
}

/** Reads capabilities out of a CONNACK; level 4 has none and gets the defaults. */
export function serverCapabilities(connack: Connack, asked: Requested): ServerCapabilities {
  const p = connack.properties ?? {};
  return {
    sessionExpirySeconds: p.sessionExpirySeconds ?? asked.sessionExpirySeconds,
    receiveMaximum: p.receiveMaximum ?? 65_535,
    maximumQoS: p.maximumQoS ?? 2,
    retainAvailable: p.retainAvailable ?? true,
    maximumPacketSize: p.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    assignedClientId: p.assignedClientId ?? "",
    topicAliasMaximum: p.topicAliasMaximum ?? 0,
    reasonString: p.reasonString ?? "",
    userProperties: p.userProperties ?? [],
    wildcardSubscriptionAvailable: p.wildcardSubscriptionAvailable ?? true,
    subscriptionIdentifiersAvailable: p.subscriptionIdentifiersAvailable ?? true,
    sharedSubscriptionAvailable: p.sharedSubscriptionAvailable ?? true,
    keepAliveSeconds: p.serverKeepAliveSeconds ?? asked.keepAliveSeconds,
    responseInformation: p.responseInformation ?? "",
    serverReference: p.serverReference ?? "",
    authenticationMethod: p.authenticationMethod ?? "",
    authenticationData: p.authenticationData?.slice() ?? null,
  };
}
