/** Reason codes of MQTT 5.0 (§2.4), return codes of MQTT 3.1.1 (§3.2.2.3, §3.9.3) and what links them to error codes. */
import { type ErrorCode, MessagingError } from "../../base/errors.ts";

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

/** Who may send a reason code in a DISCONNECT or AUTH. */
export type ReasonCodeSender = "client" | "server" | "both";

const PUBLISH_ANSWER: readonly number[] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASE_ANSWER: readonly number[] = [0x00, 0x92];

/** §2.4 with §3.2.2.2, §3.4.2.1 to §3.7.2.1, §3.9.3, §3.11.3, §3.14.2.1 and §3.15.2.1. */
const ALLOWED: Readonly<Record<ReasonCodePacket, readonly number[]>> = {
  connack: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
    0x9c, 0x9d, 0x9f,
  ],
  puback: PUBLISH_ANSWER,
  pubrec: PUBLISH_ANSWER,
  pubrel: RELEASE_ANSWER,
  pubcomp: RELEASE_ANSWER,
  suback: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  unsuback: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  disconnect: [
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  auth: [0x00, 0x18, 0x19],
};

/** §3.14.2.1, table 3-10; 0x8C stands in §2.4 only and may come from both, for both may refuse a re-authentication. */
const DISCONNECT_CLIENT_ONLY: readonly number[] = [0x00, 0x04];
const DISCONNECT_SERVER_ONLY: readonly number[] = [
  0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
];

/* Where two names share a code, the first one stands: it is set last. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ReasonCode)
    .reverse()
    .map(([name, code]) => [code, name]),
);

/** The name of a 5.0 reason code as in {@link ReasonCode} (0x00 is `Success`), or its hexadecimal form when it has none. */
export function reasonName(code: number): string {
  return NAMES.get(code) ?? hex(code);
}

/** The name of a 3.1.1 CONNACK return code as in {@link ConnectReturnCode}, or its hexadecimal form when it has none. */
export function returnCodeName(code: number): string {
  return Object.keys(ConnectReturnCode)[code] ?? hex(code);
}

/** True when a packet of this kind may carry the reason code at level 5 (§2.4). */
export function mayCarryReason(packet: ReasonCodePacket, code: number): boolean {
  return ALLOWED[packet].includes(code);
}

/** Every reason code that a packet of this kind may carry at level 5, ascending (§2.4). */
export function reasonCodesOf(packet: ReasonCodePacket): readonly number[] {
  return ALLOWED[packet];
}

/** Who may send this reason code in a DISCONNECT (§3.14.2.1) or an AUTH (§3.15.2.1). */
export function reasonSender(packet: "disconnect" | "auth", code: number): ReasonCodeSender {
  if (packet === "auth") {
    return code === ReasonCode.Success ? "server" : code === ReasonCode.ReAuthenticate ? "client" : "both";
  }
  if (DISCONNECT_CLIENT_ONLY.includes(code)) return "client";
  return DISCONNECT_SERVER_ONLY.includes(code) ? "server" : "both";
}

/** Refuses, for a decoder, a reason code that the packet may not carry with `ERR_PROTOCOL_VIOLATION`. */
export function expectReason(packet: ReasonCodePacket, code: number): void {
  if (!mayCarryReason(packet, code)) {
    throw new MessagingError("ERR_PROTOCOL_VIOLATION", `${packet.toUpperCase()} with reason code ${hex(code)}`);
  }
}

/** Refuses, for an encoder, a reason code that the packet may not carry with `ERR_INVALID_ARGUMENT`. */
export function checkReason(packet: ReasonCodePacket, code: number): void {
  if (!mayCarryReason(packet, code)) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", `${packet.toUpperCase()} may not carry reason code ${hex(code)}`);
  }
}

/** By return code. */
const OF_RETURN_CODE: readonly number[] = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
];

/** The 5.0 reason code that says what a 3.1.1 CONNACK return code says; an unknown one becomes 0x80. */
export function reasonOfReturnCode(returnCode: number): number {
  return OF_RETURN_CODE[returnCode] ?? ReasonCode.UnspecifiedError;
}

/**
 * The 3.1.1 CONNACK return code that says what a 5.0 reason code says, or null when none does: the server then closes the
 * connection without a CONNACK [MQTT3-3.2.2-6].
 */
export function returnCodeOfReason(reasonCode: number): number | null {
  switch (reasonCode) {
    case ReasonCode.Success:
      return ConnectReturnCode.Accepted;
    case ReasonCode.UnsupportedProtocolVersion:
      return ConnectReturnCode.UnacceptableProtocolVersion;
    case ReasonCode.ClientIdentifierNotValid:
      return ConnectReturnCode.IdentifierRejected;
    case ReasonCode.ServerUnavailable:
    case ReasonCode.ServerBusy:
    case ReasonCode.QuotaExceeded:
    case ReasonCode.UseAnotherServer:
    case ReasonCode.ServerMoved:
    case ReasonCode.ConnectionRateExceeded:
      return ConnectReturnCode.ServerUnavailable;
    case ReasonCode.BadUserNameOrPassword:
      return ConnectReturnCode.BadUserNameOrPassword;
    case ReasonCode.NotAuthorized:
    case ReasonCode.Banned:
      return ConnectReturnCode.NotAuthorized;
    default:
      return null;
  }
}

const OF_ERROR: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_MALFORMED_PACKET: ReasonCode.MalformedPacket,
  ERR_PROTOCOL_VIOLATION: ReasonCode.ProtocolError,
  ERR_UNEXPECTED_PACKET: ReasonCode.ProtocolError,
  ERR_INVALID_PROTOCOL: ReasonCode.UnsupportedProtocolVersion,
  ERR_PACKET_TOO_LARGE: ReasonCode.PacketTooLarge,
  ERR_TOPIC_ALIAS_INVALID: ReasonCode.TopicAliasInvalid,
  ERR_RECEIVE_MAXIMUM_EXCEEDED: ReasonCode.ReceiveMaximumExceeded,
  ERR_INVALID_TOPIC: ReasonCode.TopicNameInvalid,
  ERR_INVALID_QOS: ReasonCode.QoSNotSupported,
  ERR_NOT_SUPPORTED_BY_SERVER: ReasonCode.RetainNotSupported,
  ERR_AUTH_METHOD_MISMATCH: ReasonCode.BadAuthenticationMethod,
  ERR_PING_TIMEOUT: ReasonCode.KeepAliveTimeout,
};

/** The reason code to send in a DISCONNECT or CONNACK because of this error (MQTT 5.0 §4.13); 0x80 where none fits. */
export function reasonCodeOf(error: MessagingError): number {
  return OF_ERROR[error.code] ?? ReasonCode.UnspecifiedError;
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, "0")}`;
}
