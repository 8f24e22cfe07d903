import { MessagingError } from "../../base/errors.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import { type ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { checkNoProperties, invalid, stringBytes } from "./arguments.ts";
import { checkPacketId, expectEnd, firstByte, PacketType, readHeader, readPacketId, writeHeader } from "./header.ts";
import type { ProtocolLevel, Unsubscribe } from "./packets.ts";
import { decodeProperties, measureProperties, writeProperties } from "./properties.ts";
import { readFilter, wrongFilter } from "./subscribe.ts";

/*
 * UNSUBSCRIBE (MQTT 5.0 §3.10, MQTT 3.1.1 §3.10):
 *   byte    0xA2 [MQTT-3.10.1-1]
 *   varint  remaining length
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 *   string  topic filter, at least once [MQTT-3.10.3-2]
 */

/** Encodes an UNSUBSCRIBE; `ERR_INVALID_TOPIC` for a filter that is none, `ERR_INVALID_ARGUMENT` for everything else. */
export function encodeUnsubscribe(w: ByteWriter, packet: Unsubscribe, level: ProtocolLevel): void {
  checkPacketId(packet.packetId);
  if (level === 4) checkNoProperties(packet.properties, "UNSUBSCRIBE");
  if (packet.filters.length === 0) throw invalid("UNSUBSCRIBE needs at least one topic filter");
  const block = measureProperties(w.text, "unsubscribe", packet.properties);
  let length = 2 + (level === 5 ? varintBytes(block) + block : 0);
  for (const filter of packet.filters) {
    const wrong = wrongFilter(filter, level);
    if (wrong !== null) throw new MessagingError("ERR_INVALID_TOPIC", wrong);
    length += stringBytes(w.text, filter, "a topic filter");
  }
  writeHeader(w, firstByte(PacketType.UNSUBSCRIBE), length);
  w.u16(packet.packetId);
  if (level === 5) writeProperties(w, "unsubscribe", packet.properties, block);
  for (const filter of packet.filters) w.string16(filter);
}

/**
 * Decodes an UNSUBSCRIBE that fills the reader's window. `ERR_MALFORMED_PACKET` for wrong flags [MQTT-3.10.1-1], packet id 0 and a
 * filter that is none [MQTT-3.10.3-1]; `ERR_PROTOCOL_VIOLATION` for no filter at all [MQTT-3.10.3-2] [MQTT3-3.10.3-2].
 */
export function decodeUnsubscribe(r: ByteReader, level: ProtocolLevel): Unsubscribe {
  readHeader(r, PacketType.UNSUBSCRIBE, level);
  const packetId = readPacketId(r, PacketType.UNSUBSCRIBE);
  const properties = level === 5 ? decodeProperties(r, "unsubscribe") : null;
  const filters: string[] = [];
  while (r.left > 0) filters.push(readFilter(r, level));
  if (filters.length === 0) throw new MessagingError("ERR_PROTOCOL_VIOLATION", "UNSUBSCRIBE without a topic filter");
  expectEnd(r, PacketType.UNSUBSCRIBE);
  return { type: "unsubscribe", packetId, filters, properties };
}
