import type { ByteReader } from "../../bytes/reader.ts";
import { type ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { checkNoProperties, invalid } from "./arguments.ts";
import { expectEnd, firstByte, PacketType, readHeader, writeHeader } from "./header.ts";
import type { Disconnect, ProtocolLevel } from "./packets.ts";
import { decodeProperties, measureProperties, writeProperties } from "./properties.ts";
import { checkReason, expectReason } from "./reason-codes.ts";

/*
 * DISCONNECT (MQTT 5.0 §3.14, MQTT 3.1.1 §3.14):
 *   byte    0xE0 [MQTT-3.14.1-1]
 *   varint  remaining length; 0 at level 4
 *   byte    reason code, at level 5; left out together with the properties when it is 0 and there are none (§3.14.2.1)
 *   block   properties behind their length, at level 5; left out when there are none (§3.14.2.2.1)
 */

/** Encodes a DISCONNECT in its shortest form; `ERR_INVALID_ARGUMENT` for a reason code that it may not carry, at level 4 for any but 0. */
export function encodeDisconnect(w: ByteWriter, packet: Disconnect, level: ProtocolLevel): void {
  if (level === 4) {
    checkNoProperties(packet.properties, "DISCONNECT");
    if (packet.reasonCode !== 0) throw invalid("DISCONNECT has no reason code in MQTT 3.1.1");
    writeHeader(w, firstByte(PacketType.DISCONNECT), 0);
    return;
  }
  checkReason("disconnect", packet.reasonCode);
  const block = measureProperties(w.text, "disconnect", packet.properties);
  const length = block > 0 ? 1 + varintBytes(block) + block : packet.reasonCode === 0 ? 0 : 1;
  writeHeader(w, firstByte(PacketType.DISCONNECT), length);
  if (length > 0) w.u8(packet.reasonCode);
  if (block > 0) writeProperties(w, "disconnect", packet.properties, block);
}

/**
 * Decodes a DISCONNECT that fills the reader's window. `ERR_MALFORMED_PACKET` for reserved flags [MQTT-3.14.1-1]
 * [MQTT3-3.14.1-1] and leftovers, `ERR_PROTOCOL_VIOLATION` for a reason code that it may not carry. Who may send which code and
 * property is for the receiver to judge: `reasonSender`, [MQTT-3.14.2-2].
 */
export function decodeDisconnect(r: ByteReader, level: ProtocolLevel): Disconnect {
  readHeader(r, PacketType.DISCONNECT, level);
  const reasonCode = level === 5 && r.left > 0 ? r.u8() : 0;
  if (level === 5) expectReason("disconnect", reasonCode);
  const properties = level === 5 && r.left > 0 ? decodeProperties(r, "disconnect") : null;
  expectEnd(r, PacketType.DISCONNECT);
  return { type: "disconnect", reasonCode, properties };
}
