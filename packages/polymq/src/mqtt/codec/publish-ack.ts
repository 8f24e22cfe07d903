import type { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import type { AckType } from "./bare-ack.ts";
import { checkPacketId, expectEnd, PacketType, readHeader, readPacketId, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type { PublishAck } from "./packets.ts";
import { putReason, readReason } from "./reason.ts";

/*
 * PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5.0 §3.4 to §3.7, MQTT 3.1.1 §3.4 to §3.7):
 *   byte    0x40, 0x50, 0x62 or 0x70 [MQTT-3.6.1-1]
 *   varint  remaining length
 *   u16     packet identifier
 *   byte    reason code, at level 5; left out together with the properties when it is 0 and there are none (§3.4.2.1)
 *   block   properties behind their length, at level 5; left out when there are none (§3.4.2.2.1)
 */

const TYPES: Readonly<Record<PublishAck["type"], AckType>> = {
  puback: PacketType.PUBACK,
  pubrec: PacketType.PUBREC,
  pubrel: PacketType.PUBREL,
  pubcomp: PacketType.PUBCOMP,
};

const NAMES: Readonly<Partial<Record<number, PublishAck["type"]>>> = {
  4: "puback",
  5: "pubrec",
  6: "pubrel",
  7: "pubcomp",
};

/** Encodes any acknowledgement in its shortest form; `ERR_INVALID_ARGUMENT` for what may not be sent [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]. */
export function encodePublishAck(w: ByteWriter, packet: PublishAck, rules: LevelRules): void {
  checkPacketId(packet.packetId);
  const body = new ByteWriter(w.text);
  body.u16(packet.packetId);
  putReason(body, packet, rules);
  writePacket(w, TYPES[packet.type], body);
}

/**
 * Decodes an acknowledgement that fills the reader's window. `ERR_MALFORMED_PACKET` for wrong flags [MQTT-3.6.1-1], packet id 0
 * and leftovers; `ERR_PROTOCOL_VIOLATION` for a reason code that it may not carry.
 */
export function decodePublishAck(r: ByteReader, rules: LevelRules): PublishAck {
  const type = ((r.buffer[r.at] ?? 0) >> 4) as AckType;
  // Any other type becomes a PUBACK here and is refused by `readHeader`.
  const name = NAMES[type] ?? "puback";
  readHeader(r, TYPES[name]);
  const packetId = readPacketId(r, type);
  const reason = readReason(r, name, rules);
  expectEnd(r, type);
  return { type: name, packetId, ...reason };
}
