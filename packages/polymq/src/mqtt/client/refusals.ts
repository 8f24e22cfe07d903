import { type ErrorCode, MessagingError } from "../../base/errors.ts";
import type { ReasonProperties } from "../codec/packets.ts";
import { ReasonCode, reasonName } from "../codec/reason-codes.ts";

/** What a server's refusal says: the reason code by name, the server's own text behind it, and both as data. */
export function refusedByServer(
  code: ErrorCode,
  what: string,
  packet: { readonly reasonCode: number; readonly properties: ReasonProperties | null },
  name: string = reasonName(packet.reasonCode),
): MessagingError {
  const text = packet.properties?.reasonString ?? "";
  const message = `the server ${what}: ${name}${text === "" ? "" : `, ${text}`}`;
  return new MessagingError(code, message, { peer: { protocol: "mqtt", code: packet.reasonCode, text } });
}

/**
 * True for an end of the connection that can be the answer to a message: an orderly one, a reset (the end that a server makes which has not read
 * all of it), or a DISCONNECT whose reason is about messages.
 */
export function endedOverMessage({ code, cause, peer }: MessagingError): boolean {
  if (code === "ERR_SERVER_DISCONNECT") return ABOUT_MESSAGES.includes(Number(peer?.code));
  const system = (cause as { readonly cause?: { readonly code?: unknown } } | undefined)?.cause?.code;
  return code === "ERR_CONNECTION_LOST" && (cause === undefined || system === "ECONNRESET" || system === "EPIPE");
}

const ABOUT_MESSAGES: readonly number[] = [
  ReasonCode.TopicNameInvalid,
  ReasonCode.PacketTooLarge,
  ReasonCode.QuotaExceeded,
  ReasonCode.PayloadFormatInvalid,
];

/** The server said in CONNACK that it does not have this. */
export function missingAtServer(what: string): MessagingError {
  return new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", `the server has no ${what}`);
}

/** MQTT 3.1.1 does not have this. */
export function missingInVersion4(what: string, code: ErrorCode = "ERR_UNSUPPORTED"): MessagingError {
  return new MessagingError(code, `MQTT 3.1.1 has no ${what}`);
}
