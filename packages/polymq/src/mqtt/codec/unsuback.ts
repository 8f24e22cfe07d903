import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { expectEnd, PacketType, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import { beginBody, readBeginning } from "./packet-id.ts";
import type { Unsuback } from "./packets.ts";
import { checkReason, expectReason } from "./reason-codes.ts";
import { violation } from "./violation.ts";

/*
 * UNSUBACK (MQTT 5.0 §3.11, MQTT 3.1.1 §3.11):
 *   byte    0xB0
 *   varint  remaining length
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 *   bytes   one reason code for each filter of the UNSUBSCRIBE, at level 5 only
 */

/** Encodes an UNSUBACK; `ERR_INVALID_ARGUMENT` for no code or one that it may not carry [MQTT-3.11.3-2], at level 4 for any code. */
export function encodeUnsuback(w: ByteWriter, packet: Unsuback, rules: LevelRules): void {
  const { reasonCodes } = packet;
  if (rules.level === 4 && reasonCodes.length > 0) throw invalid("UNSUBACK has no reason codes in MQTT 3.1.1");
  if (rules.level === 5 && reasonCodes.length === 0) throw invalid("UNSUBACK needs at least one reason code");
  for (const code of reasonCodes) checkReason(rules, "unsuback", code);
  const body = beginBody(w, packet, rules);
  body.reserve(reasonCodes.length);
  for (const code of reasonCodes) body.u8(code);
  writePacket(w, PacketType.UNSUBACK, body);
}

/**
 * Decodes an UNSUBACK that fills the reader's window; the caller holds the number of codes against its UNSUBSCRIBE's filters.
 * `ERR_MALFORMED_PACKET` for packet id 0 and leftovers, `ERR_PROTOCOL_VIOLATION` for no code or one that it may not carry [MQTT-3.11.3-2].
 */
export function decodeUnsuback(r: ByteReader, rules: LevelRules): Unsuback {
  const beginning = readBeginning(r, "unsuback", rules);
  const reasonCodes: number[] = [];
  while (rules.level === 5 && r.left > 0) {
    const code = r.u8();
    expectReason(rules, "unsuback", code);
    reasonCodes.push(code);
  }
  if (rules.level === 5 && reasonCodes.length === 0) throw violation("UNSUBACK without a reason code");
  expectEnd(r, PacketType.UNSUBACK);
  return { ...beginning, reasonCodes };
}
