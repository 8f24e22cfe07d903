import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { expectEnd, PacketType, readHeader, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Connack } from "./packets.ts";
import { ConnectReturnCode, checkReason, expectReason, ReasonCode } from "./reason-codes.ts";
import { violation } from "./violation.ts";

/*
 * CONNACK (MQTT 5.0 §3.2, MQTT 3.1.1 §3.2):
 *   byte    0x20
 *   varint  remaining length
 *   byte    bit 0: session present; bits 7-1: 0 [MQTT-3.2.2-1]
 *   byte    reason code; at level 4 return code
 *   block   properties behind their length, at level 5 only
 */

/** Encodes a CONNACK; `ERR_INVALID_ARGUMENT` for what its decoder would refuse. */
export function encodeConnack(w: ByteWriter, packet: Connack, rules: LevelRules): void {
  const { sessionPresent, reasonCode, properties } = packet;
  if (sessionPresent && reasonCode !== 0) throw invalid("CONNACK with session present but no success");
  checkReason(rules, "connack", reasonCode);
  const body = new ByteWriter(w.text);
  body.u8(sessionPresent ? 1 : 0);
  body.u8(reasonCode);
  rules.putProperties(body, "connack", properties);
  writePacket(w, PacketType.CONNACK, body);
}

/**
 * Decodes a CONNACK that fills the reader's window. `ERR_MALFORMED_PACKET` for reserved flags [MQTT-3.2.2-1];
 * `ERR_PROTOCOL_VIOLATION` for a code that does not exist and session present beside a failure [MQTT-3.2.2-6] [MQTT3-3.2.2-4].
 *
 * A server that knows only 3.1.1 refuses a CONNECT of level 5 in its own form, without properties and with return code 1
 * [MQTT3-3.1.2-2]. At level 5 that one packet is decoded, too, as reason code 0x84.
 */
export function decodeConnack(r: ByteReader, rules: LevelRules): Connack {
  readHeader(r, PacketType.CONNACK);
  const flags = r.u8();
  if (flags > 1) throw malformed(`CONNACK with reserved flags ${flags}`);
  const sessionPresent = flags === 1;
  const code = r.u8();
  if (rules.level === 5 && r.left === 0 && flags === 0 && code === ConnectReturnCode.UnacceptableProtocolVersion) {
    return { type: "connack", sessionPresent, reasonCode: ReasonCode.UnsupportedProtocolVersion, properties: null };
  }
  expectReason(rules, "connack", code);
  if (sessionPresent && code !== 0) throw violation("CONNACK with session present but no success");
  const properties = rules.readProperties(r, "connack");
  expectEnd(r, PacketType.CONNACK);
  return { type: "connack", sessionPresent, reasonCode: code, properties };
}
