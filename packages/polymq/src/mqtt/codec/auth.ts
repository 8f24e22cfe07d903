import type { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { expectEnd, PacketType, readHeader, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Auth } from "./packets.ts";
import { checkReason, expectReason } from "./reason-codes.ts";
import { violation } from "./violation.ts";

/*
 * AUTH (MQTT 5.0 §3.15); MQTT 3.1.1 has none:
 *   byte    0xF0 [MQTT-3.15.1-1]
 *   varint  remaining length
 *   byte    reason code; left out together with the properties when it is 0 and there are none (§3.15.2.1)
 *   block   properties behind their length
 */

/**
 * Encodes an AUTH. `ERR_INVALID_ARGUMENT` for a reason code that it may not carry
 * [MQTT-3.15.2-1] and for no authentication method (§3.15.2.2.2), unless it is a bare success.
 */
export function encodeAuth(w: ByteWriter, packet: Auth, rules: LevelRules): void {
  checkReason(rules, "auth", packet.reasonCode);
  const { properties, reasonCode } = packet;
  const body = new ByteWriter(w.text);
  body.u8(reasonCode);
  const bytes = rules.putProperties(body, "auth", properties);
  if (bytes === 0 && reasonCode === 0) body.at = 0;
  else if (properties?.authenticationMethod === undefined) throw invalid("AUTH needs an authentication method");
  writePacket(w, PacketType.AUTH, body);
}

/**
 * Decodes an AUTH that fills the reader's window. `ERR_MALFORMED_PACKET` for wrong flags [MQTT-3.15.1-1] and for a
 * reason code without a property length; `ERR_PROTOCOL_VIOLATION` for a reason code that it may not carry and for no
 * authentication method (§3.15.2.2.2). An AUTH without a body is a success without properties (§3.15.2.1).
 */
export function decodeAuth(r: ByteReader, rules: LevelRules): Auth {
  readHeader(r, PacketType.AUTH);
  if (r.left === 0) return { type: "auth", reasonCode: 0, properties: null };
  const reasonCode = r.u8();
  expectReason(rules, "auth", reasonCode);
  const properties = rules.readProperties(r, "auth");
  if (properties?.authenticationMethod === undefined) {
    throw violation("AUTH without an authentication method");
  }
  expectEnd(r, PacketType.AUTH);
  return { type: "auth", reasonCode, properties };
}
