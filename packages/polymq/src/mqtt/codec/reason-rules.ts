/** What packets may carry which reason code at level 5 (MQTT 5.0 §2.4), and what links the codes to errors and to those of MQTT 3.1.1. */
import type { ErrorCode, MessagingError } from "../../base/errors.ts";
import { ConnectReturnCode, ReasonCode, type ReasonCodePacket } from "./reason-codes.ts";

/** Who may send a reason code in a DISCONNECT or AUTH. */
export type ReasonCodeSender = "client" | "server" | "both";

const PUBLISH_ANSWER: readonly number[] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASE_ANSWER: readonly number[] = [0x00, 0x92];

/** §2.4 with §3.2.2.2, §3.4.2.1 to §3.7.2.1, §3.9.3, §3.11.3, §3.14.2.1 and §3.15.2.1. */
export const REASON_CODES: Readonly<Record<ReasonCodePacket, readonly number[]>> = {
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

/** True when a packet of this kind may carry the reason code at level 5 (§2.4). */
export function mayCarryReason(packet: ReasonCodePacket, code: number): boolean {
  return REASON_CODES[packet].includes(code);
}

/** Every reason code that a packet of this kind may carry at level 5, ascending (§2.4). */
export function reasonCodesOf(packet: ReasonCodePacket): readonly number[] {
  return REASON_CODES[packet];
}

/** Who may send this reason code in a DISCONNECT (§3.14.2.1) or an AUTH (§3.15.2.1). */
export function reasonSender(packet: "disconnect" | "auth", code: number): ReasonCodeSender {
  if (packet === "auth") {
    return code === ReasonCode.Success ? "server" : code === ReasonCode.ReAuthenticate ? "client" : "both";
  }
  if (DISCONNECT_CLIENT_ONLY.includes(code)) return "client";
  return DISCONNECT_SERVER_ONLY.includes(code) ? "server" : "both";
}

/** The code to end with: `code` where such a packet may carry it and this side may send it, else a general one (MQTT 5.0 §3.2.2.2, §3.14.2.1). */
export function sayableCode(packet: "connack" | "disconnect", code: number, side: "client" | "server"): number {
  if (packet === "connack") return mayCarryReason(packet, code) ? code : ReasonCode.UnspecifiedError;
  if (code === ReasonCode.UnsupportedProtocolVersion) return ReasonCode.ProtocolError;
  const sender = mayCarryReason(packet, code) ? reasonSender(packet, code) : "neither";
  return sender === side || sender === "both" ? code : ReasonCode.UnspecifiedError;
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
