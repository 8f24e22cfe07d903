/** Reason codes of MQTT 5.0 (§2.4), return codes of MQTT 3.1.1 (§3.2.2.3, §3.9.3), and their names. */
import { invalid } from "./arguments.ts";
import type { LevelRules } from "./level-rules.ts";
import { violation } from "./violation.ts";

/** Every reason code of MQTT 5.0 by name (§2.4, table 2-6). Three names share 0x00. */
export const ReasonCode = {
  Success: 0x00,
  NormalDisconnection: 0x00,
  GrantedQoS0: 0x00,
  GrantedQoS1: 0x01,
  GrantedQoS2: 0x02,
  DisconnectWithWillMessage: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QoSNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** CONNACK return codes of MQTT 3.1.1 by name (§3.2.2.3, table 3.1). */
export const ConnectReturnCode = {
  Accepted: 0,
  UnacceptableProtocolVersion: 1,
  IdentifierRejected: 2,
  ServerUnavailable: 3,
  BadUserNameOrPassword: 4,
  NotAuthorized: 5,
} as const;

/** The SUBACK return code of MQTT 3.1.1 for a subscription that failed (§3.9.3). */
export const SUBACK_FAILURE = 0x80;

/** Packets that carry a reason code at level 5. */
export type ReasonCodePacket =
  | "connack"
  | "puback"
  | "pubrec"
  | "pubrel"
  | "pubcomp"
  | "suback"
  | "unsuback"
  | "disconnect"
  | "auth";

/** The name of a 5.0 reason code as in {@link ReasonCode} (0x00 is `Success`), or its hexadecimal form when it has none. */
export function reasonName(code: number): string {
  // Where two names share a code, the first one stands.
  return Object.entries(ReasonCode).find((entry) => entry[1] === code)?.[0] ?? hex(code);
}

/** The name of a 3.1.1 CONNACK return code as in {@link ConnectReturnCode}, or its hexadecimal form when it has none. */
export function returnCodeName(code: number): string {
  return Object.keys(ConnectReturnCode)[code] ?? hex(code);
}

/** Refuses, for a decoder, a code that the packet may not carry at this level with `ERR_PROTOCOL_VIOLATION`. */
export function expectReason(rules: LevelRules, packet: ReasonCodePacket, code: number): void {
  if (!rules.reasonCodes[packet].includes(code))
    throw violation(`${packet.toUpperCase()} with reason code ${hex(code)}`);
}

/** Refuses, for an encoder, a code that the packet may not carry at this level with `ERR_INVALID_ARGUMENT`. */
export function checkReason(rules: LevelRules, packet: ReasonCodePacket, code: number): void {
  if (!rules.reasonCodes[packet].includes(code))
    throw invalid(`${packet.toUpperCase()} may not carry reason code ${hex(code)}`);
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, "0")}`;
}
