import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Disconnect, PublishAck } from "./packets.ts";
import { checkReason, expectReason } from "./reason-codes.ts";

/*
 * What ends the acknowledgements of a PUBLISH and is all of a DISCONNECT (MQTT 5.0 §3.4.2, §3.14.2), at level 5 only:
 *   byte    reason code; left out together with the properties when it is 0 and there are none
 *   block   properties behind their length; left out when there are none
 */

/** Writes reason code and properties in their shortest form; `ERR_INVALID_ARGUMENT` for a code that the packet may not carry, at level 4 for any but 0. */
export function putReason(body: ByteWriter, packet: PublishAck | Disconnect, rules: LevelRules): void {
  const { type, reasonCode } = packet;
  const start = body.at;
  checkReason(rules, type, reasonCode);
  body.u8(reasonCode);
  const bytes = rules.putProperties(body, type, packet.properties);
  if (bytes === 0) body.at = reasonCode === 0 ? start : start + 1;
}

/** Reads what {@link putReason} writes; `ERR_PROTOCOL_VIOLATION` for a reason code that the packet may not carry. */
export function readReason(
  r: ByteReader,
  type: (PublishAck | Disconnect)["type"],
  rules: LevelRules,
): Pick<Disconnect, "reasonCode" | "properties"> {
  if (rules.level === 4 || r.left === 0) return { reasonCode: 0, properties: null };
  const reasonCode = r.u8();
  expectReason(rules, type, reasonCode);
  return { reasonCode, properties: r.left > 0 ? rules.readProperties(r, type) : null };
}
