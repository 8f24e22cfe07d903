import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { expectEnd, PacketType, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import { beginBody, readBeginning } from "./packet-id.ts";
import type { Unsubscribe } from "./packets.ts";
import { putFilter, readFilter } from "./subscribe.ts";
import { violation } from "./violation.ts";

/*
 * UNSUBSCRIBE (MQTT 5.0 §3.10, MQTT 3.1.1 §3.10):
 *   byte    0xA2 [MQTT-3.10.1-1]
 *   varint  remaining length
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 *   string  topic filter, at least once [MQTT-3.10.3-2]
 */

/** Encodes an UNSUBSCRIBE; `ERR_INVALID_TOPIC` for a filter that is none, `ERR_INVALID_ARGUMENT` for everything else. */
export function encodeUnsubscribe(w: ByteWriter, packet: Unsubscribe, rules: LevelRules): void {
  if (packet.filters.length === 0) throw invalid("UNSUBSCRIBE needs at least one topic filter");
  const body = beginBody(w, packet, rules);
  for (const filter of packet.filters) putFilter(body, filter, rules);
  writePacket(w, PacketType.UNSUBSCRIBE, body);
}

/**
 * Decodes an UNSUBSCRIBE that fills the reader's window. `ERR_MALFORMED_PACKET` for wrong flags [MQTT-3.10.1-1], packet id 0 and a
 * filter that is none [MQTT-3.10.3-1]; `ERR_PROTOCOL_VIOLATION` for no filter at all [MQTT-3.10.3-2] [MQTT3-3.10.3-2].
 */
export function decodeUnsubscribe(r: ByteReader, rules: LevelRules): Unsubscribe {
  const beginning = readBeginning(r, "unsubscribe", rules);
  const filters: string[] = [];
  while (r.left > 0) filters.push(readFilter(r, rules));
  if (filters.length === 0) throw violation("UNSUBSCRIBE without a topic filter");
  expectEnd(r, PacketType.UNSUBSCRIBE);
  return { ...beginning, filters };
}
