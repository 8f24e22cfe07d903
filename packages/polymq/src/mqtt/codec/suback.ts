import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { expectEnd, PacketType, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import { beginBody, readBeginning } from "./packet-id.ts";
import type { Suback } from "./packets.ts";
import { checkReason, expectReason } from "./reason-codes.ts";
import { violation } from "./violation.ts";

/*
 * SUBACK (MQTT 5.0 §3.9, MQTT 3.1.1 §3.9):
 *   byte    0x90
 *   varint  remaining length
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 *   bytes   one reason code, at level 4 return code, for each filter of the SUBSCRIBE
 */

/** Encodes a SUBACK; `ERR_INVALID_ARGUMENT` for no code or one that it may not carry [MQTT-3.9.3-2] [MQTT3-3.9.3-2]. */
export function encodeSuback(w: ByteWriter, packet: Suback, rules: LevelRules): void {
  if (packet.reasonCodes.length === 0) throw invalid("SUBACK needs at least one reason code");
  for (const code of packet.reasonCodes) checkReason(rules, "suback", code);
  const body = beginBody(w, packet, rules);
  body.reserve(packet.reasonCodes.length);
  for (const code of packet.reasonCodes) body.u8(code);
  writePacket(w, PacketType.SUBACK, body);
}

/**
 * Decodes a SUBACK that fills the reader's window; the caller holds the number of codes against its SUBSCRIBE's filters.
 * `ERR_MALFORMED_PACKET` for packet id 0, `ERR_PROTOCOL_VIOLATION` for no code or one that it may not carry [MQTT-3.9.3-2] [MQTT3-3.9.3-2].
 */
export function decodeSuback(r: ByteReader, rules: LevelRules): Suback {
  const beginning = readBeginning(r, "suback", rules);
  const reasonCodes: number[] = [];
  while (r.left > 0) {
    const code = r.u8();
    expectReason(rules, "suback", code);
    reasonCodes.push(code);
  }
  if (reasonCodes.length === 0) throw violation("SUBACK without a reason code");
  expectEnd(r, PacketType.SUBACK);
  return { ...beginning, reasonCodes };
}
