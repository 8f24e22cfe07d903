import { MessagingError } from "../../base/errors.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import { type ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { checkNoProperties, invalid } from "./arguments.ts";
import { checkPacketId, expectEnd, firstByte, PacketType, readHeader, readPacketId, writeHeader } from "./header.ts";
import type { ProtocolLevel, Unsuback } from "./packets.ts";
import { decodeProperties, measureProperties, writeProperties } from "./properties.ts";
import { checkReason, expectReason } from "./reason-codes.ts";

/*
 * UNSUBACK (MQTT 5.0 §3.11, MQTT 3.1.1 §3.11):
 *   byte    0xB0
 *   varint  remaining length
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 *   bytes   one reason code for each filter of the UNSUBSCRIBE, at level 5 only
 */

/** Encodes an UNSUBACK; `ERR_INVALID_ARGUMENT` for no code or one that it may not carry [MQTT-3.11.3-2], at level 4 for any code. */
export function encodeUnsuback(w: ByteWriter, packet: Unsuback, level: ProtocolLevel): void {
  const { packetId, reasonCodes, properties } = packet;
  checkPacketId(packetId);
  if (level === 4) {
    checkNoProperties(properties, "UNSUBACK");
    if (reasonCodes.length > 0) throw invalid("UNSUBACK has no reason codes in MQTT 3.1.1");
    writeHeader(w, firstByte(PacketType.UNSUBACK), 2);
    w.u16(packetId);
    return;
  }
  if (reasonCodes.length === 0) throw invalid("UNSUBACK needs at least one reason code");
  for (const code of reasonCodes) checkReason("unsuback", code);
  const block = measureProperties(w.text, "unsuback", properties);
  writeHeader(w, firstByte(PacketType.UNSUBACK), 2 + varintBytes(block) + block + reasonCodes.length);
  w.u16(packetId);
  writeProperties(w, "unsuback", properties, block);
  for (const code of reasonCodes) w.u8(code);
}

/**
 * Decodes an UNSUBACK that fills the reader's window; the caller holds the number of codes against its UNSUBSCRIBE's filters.
 * `ERR_MALFORMED_PACKET` for packet id 0 and leftovers, `ERR_PROTOCOL_VIOLATION` for no code or one that it may not carry [MQTT-3.11.3-2].
 */
export function decodeUnsuback(r: ByteReader, level: ProtocolLevel): Unsuback {
  readHeader(r, PacketType.UNSUBACK, level);
  const packetId = readPacketId(r, PacketType.UNSUBACK);
  const properties = level === 5 ? decodeProperties(r, "unsuback") : null;
  const reasonCodes: number[] = [];
  while (level === 5 && r.left > 0) {
    const code = r.u8();
    expectReason("unsuback", code);
    reasonCodes.push(code);
  }
  if (level === 5 && reasonCodes.length === 0) {
    throw new MessagingError("ERR_PROTOCOL_VIOLATION", "UNSUBACK without a reason code");
  }
  expectEnd(r, PacketType.UNSUBACK);
  return { type: "unsuback", packetId, reasonCodes, properties };
}
