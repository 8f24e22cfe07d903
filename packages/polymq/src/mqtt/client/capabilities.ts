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

const DEFAULTS = {
  receiveMaximum: 65_535,
  maximumQoS: 2,
  retainAvailable: true,
  maximumPacketSize: Number.POSITIVE_INFINITY,
  assignedClientId: "",
  topicAliasMaximum: 0,
  reasonString: "",
  userProperties: [],
  wildcardSubscriptionAvailable: true,
  subscriptionIdentifiersAvailable: true,
  sharedSubscriptionAvailable: true,
  responseInformation: "",
  serverReference: "",
  authenticationMethod: "",
} as const;

/** Reads capabilities out of a CONNACK; level 4 has none and gets the defaults. */
export function serverCapabilities(connack: Connack, asked: Requested): ServerCapabilities {
  const { sessionExpirySeconds, keepAliveSeconds } = asked;
  const { serverKeepAliveSeconds, authenticationData, ...said } = connack.properties ?? {};
  return {
    ...DEFAULTS,
    sessionExpirySeconds,
    ...said,
    keepAliveSeconds: serverKeepAliveSeconds ?? keepAliveSeconds,
    authenticationData: authenticationData?.slice() ?? null,
  };
}
