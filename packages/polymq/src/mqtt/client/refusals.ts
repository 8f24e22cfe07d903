import { type ErrorCode, MessagingError } from "../../base/errors.ts";
import type { ReasonProperties } from "../codec/packets.ts";
import { reasonName } from "../codec/reason-codes.ts";

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

/** The server said in CONNACK that it does not have this. */
export function missingAtServer(what: string): MessagingError {
  return new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", `the server has no ${what}`);
}

/** MQTT 3.1.1 does not have this. */
export function missingInVersion4(what: string, code: ErrorCode = "ERR_UNSUPPORTED"): MessagingError {
  return new MessagingError(code, `MQTT 3.1.1 has no ${what}`);
}
