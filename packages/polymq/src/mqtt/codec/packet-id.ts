import type { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { checkPacketId, PacketType, type PacketTypeNumber, readHeader, readPacketId } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Suback, Subscribe, Unsuback, Unsubscribe } from "./packets.ts";
import type { PropertyBlocks } from "./properties.ts";

/*
 * SUBSCRIBE, UNSUBSCRIBE and their answers begin alike (MQTT 5.0 §3.8.2, §3.9.2, §3.10.2, §3.11.2):
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 */

/** A packet that begins so. */
type WithPacketId = Suback | Subscribe | Unsuback | Unsubscribe;

const TYPES: Readonly<Record<WithPacketId["type"], PacketTypeNumber>> = {
  subscribe: PacketType.SUBSCRIBE,
  suback: PacketType.SUBACK,
  unsubscribe: PacketType.UNSUBSCRIBE,
  unsuback: PacketType.UNSUBACK,
};

/** A writer that holds packet id and properties; `ERR_INVALID_ARGUMENT` for what may not be sent. */
export function beginBody(w: ByteWriter, packet: WithPacketId, rules: LevelRules): ByteWriter {
  const body = new ByteWriter(w.text);
  checkPacketId(packet.packetId);
  body.u16(packet.packetId);
  rules.putProperties(body, packet.type, packet.properties);
  return body;
}

/** Reads the header, packet id and properties. */
export function readBeginning<Type extends WithPacketId["type"]>(
  r: ByteReader,
  type: Type,
  rules: LevelRules,
): { type: Type; packetId: number; properties: PropertyBlocks[Type] | null } {
  readHeader(r, TYPES[type]);
  const packetId = readPacketId(r, TYPES[type]);
  return { type, packetId, properties: rules.readProperties(r, type) };
}
