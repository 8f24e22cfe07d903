import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { checkNoProperties, checkQoS, invalid, stringBytes } from "./arguments.ts";
import { checkPacketId, expectEnd, firstByte, PacketType, readHeader, readPacketId, writeHeader } from "./header.ts";
import type { ProtocolLevel, QoS, Subscribe, SubscribeFilter } from "./packets.ts";
import { decodeProperties, measureProperties, writeProperties } from "./properties.ts";
import { parseSharedFilter, validatePlainTopicFilter, validateTopicFilter } from "./topic.ts";

/*
 * SUBSCRIBE (MQTT 5.0 §3.8, MQTT 3.1.1 §3.8):
 *   byte    0x82 [MQTT-3.8.1-1]
 *   varint  remaining length
 *   u16     packet identifier
 *   block   properties behind their length, at level 5 only
 *   then, at least once [MQTT-3.8.3-2]:
 *   string  topic filter
 *   byte    QoS, bits 1-0; at level 5 also no local, bit 2; retain as published, bit 3; retain handling, bits 5-4
 */

const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;
const RETAIN_HANDLING_SHIFT = 4;

/**
 * Says what is wrong with a topic filter at this level, or null: shared subscriptions, and with them the rules of
 * `$share/`, exist at level 5 only (MQTT 5.0 §4.8.2).
 */
export function wrongFilter(filter: string, level: ProtocolLevel): string | null {
  if (typeof filter !== "string") return "a topic filter must be a string";
  return level === 5 ? validateTopicFilter(filter) : validatePlainTopicFilter(filter);
}

/**
 * Encodes a SUBSCRIBE. `ERR_INVALID_TOPIC`, `ERR_INVALID_QOS` and `ERR_INVALID_SUBSCRIBE_OPTION` (a retain handling that does not
 * exist, no local on a shared subscription [MQTT-3.8.3-4]), `ERR_INVALID_ARGUMENT` for everything else. At level 4 a
 * filter's options other than QoS are not sent.
 */
export function encodeSubscribe(w: ByteWriter, packet: Subscribe, level: ProtocolLevel): void {
  checkPacketId(packet.packetId);
  if (level === 4) checkNoProperties(packet.properties, "SUBSCRIBE");
  if (packet.filters.length === 0) throw invalid("SUBSCRIBE needs at least one topic filter");
  const block = measureProperties(w.text, "subscribe", packet.properties);
  let length = 2 + (level === 5 ? varintBytes(block) + block : 0);
  for (const each of packet.filters) length += measureFilter(w.text, each, level);
  writeHeader(w, firstByte(PacketType.SUBSCRIBE), length);
  w.u16(packet.packetId);
  if (level === 5) writeProperties(w, "subscribe", packet.properties, block);
  for (const each of packet.filters) {
    w.string16(each.filter);
    w.u8(level === 5 ? optionsOf(each) : each.qos);
  }
}

function measureFilter(text: TextCodec, each: SubscribeFilter, level: ProtocolLevel): number {
  checkQoS(each.qos);
  const wrong = wrongFilter(each.filter, level);
  if (wrong !== null) throw new MessagingError("ERR_INVALID_TOPIC", wrong);
  const bytes = stringBytes(text, each.filter, "a topic filter") + 1;
  if (level === 4) return bytes;
  const { retainHandling } = each;
  if (retainHandling !== 0 && retainHandling !== 1 && retainHandling !== 2) {
    throw new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", `retain handling ${String(retainHandling)}`);
  }
  if (each.noLocal && parseSharedFilter(each.filter) !== null) {
    throw new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", "no local on a shared subscription");
  }
  return bytes;
}

function optionsOf(each: SubscribeFilter): number {
  const flags = (each.noLocal ? NO_LOCAL : 0) | (each.retainAsPublished ? RETAIN_AS_PUBLISHED : 0);
  return each.qos | flags | (each.retainHandling << RETAIN_HANDLING_SHIFT);
}

/**
 * Decodes a SUBSCRIBE that fills the reader's window. `ERR_MALFORMED_PACKET` for wrong flags [MQTT-3.8.1-1], packet id 0, a filter
 * that is none (MQTT 5.0 §4.7, §4.8.2), reserved option bits [MQTT-3.8.3-5] and, at level 4, QoS 3 [MQTT3-3.8.3-4];
 * `ERR_PROTOCOL_VIOLATION` for no filter at all [MQTT-3.8.3-2] [MQTT3-3.8.3-3], QoS 3 and retain handling 3 at level 5
 * (§3.8.3.1) and no local on a shared subscription [MQTT-3.8.3-4].
 */
export function decodeSubscribe(r: ByteReader, level: ProtocolLevel): Subscribe {
  readHeader(r, PacketType.SUBSCRIBE, level);
  const packetId = readPacketId(r, PacketType.SUBSCRIBE);
  const properties = level === 5 ? decodeProperties(r, "subscribe") : null;
  const filters: SubscribeFilter[] = [];
  while (r.left > 0) {
    const filter = readFilter(r, level);
    filters.push(readOptions(r, level, filter));
  }
  if (filters.length === 0) throw violation("SUBSCRIBE without a topic filter");
  expectEnd(r, PacketType.SUBSCRIBE);
  return { type: "subscribe", packetId, filters, properties };
}

/** Reads a topic filter; one that is none at this level is `ERR_MALFORMED_PACKET` [MQTT-3.8.3-1] [MQTT-3.10.3-1]. */
export function readFilter(r: ByteReader, level: ProtocolLevel): string {
  const filter = r.string16();
  const wrong = wrongFilter(filter, level);
  if (wrong !== null) throw malformed(wrong);
  return filter;
}

function readOptions(r: ByteReader, level: ProtocolLevel, filter: string): SubscribeFilter {
  const options = r.u8();
  const qos = options & 3;
  if (level === 4) {
    if (options > 2) throw malformed(`SUBSCRIBE with requested QoS ${options}`);
    return { filter, qos: qos as QoS, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  }
  if (options > 0x3f) throw malformed("SUBSCRIBE with reserved option bits");
  if (qos === 3) throw violation("SUBSCRIBE with maximum QoS 3");
  const retainHandling = options >> RETAIN_HANDLING_SHIFT;
  if (retainHandling === 3) throw violation("SUBSCRIBE with retain handling 3");
  const noLocal = (options & NO_LOCAL) !== 0;
  if (noLocal && parseSharedFilter(filter) !== null)
    throw violation("SUBSCRIBE with no local on a shared subscription");
  const retainAsPublished = (options & RETAIN_AS_PUBLISHED) !== 0;
  return { filter, qos: qos as QoS, noLocal, retainAsPublished, retainHandling: retainHandling as 0 | 1 | 2 };
}

function violation(what: string): MessagingError {
  return new MessagingError("ERR_PROTOCOL_VIOLATION", what);
}
