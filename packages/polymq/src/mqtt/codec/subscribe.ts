import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { checkQoS, checkTopic, invalid, putString } from "./arguments.ts";
import { expectEnd, PacketType, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import { beginBody, readBeginning } from "./packet-id.ts";
import type { ProtocolLevel, QoS, Subscribe, SubscribeFilter } from "./packets.ts";
import { SHARE_PREFIX, validatePlainTopicFilter, validateTopicFilter } from "./topic-filter.ts";
import { violation } from "./violation.ts";

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
  return level === 5 ? validateTopicFilter(filter) : validatePlainTopicFilter(filter);
}

/**
 * Encodes a SUBSCRIBE. `ERR_INVALID_TOPIC`, `ERR_INVALID_QOS` and `ERR_INVALID_SUBSCRIBE_OPTION` (a retain handling that does not
 * exist, no local on a shared subscription [MQTT-3.8.3-4]), `ERR_INVALID_ARGUMENT` for everything else. At level 4 a
 * filter's options other than QoS are not sent.
 */
export function encodeSubscribe(w: ByteWriter, packet: Subscribe, rules: LevelRules): void {
  if (packet.filters.length === 0) throw invalid("SUBSCRIBE needs at least one topic filter");
  const body = beginBody(w, packet, rules);
  for (const each of packet.filters) {
    putFilter(body, each.filter, rules);
    checkOptions(each, rules);
    body.reserve(1);
    body.u8(rules.level === 5 ? optionsOf(each) : each.qos);
  }
  writePacket(w, PacketType.SUBSCRIBE, body);
}

/** Writes a topic filter; one that is none at this level is `ERR_INVALID_TOPIC`. */
export function putFilter(w: ByteWriter, filter: string, rules: LevelRules): void {
  checkTopic(wrongFilter(filter, rules.level));
  putString(w, filter, "a topic filter");
}

function checkOptions({ filter, qos, noLocal, retainHandling }: SubscribeFilter, rules: LevelRules): void {
  checkQoS(qos);
  if (rules.level === 4) return;
  if (retainHandling !== 0 && retainHandling !== 1 && retainHandling !== 2) {
    throw new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", `retain handling ${String(retainHandling)}`);
  }
  if (noLocal && filter.startsWith(SHARE_PREFIX)) {
    throw new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", "no local on a shared subscription");
  }
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
export function decodeSubscribe(r: ByteReader, rules: LevelRules): Subscribe {
  const beginning = readBeginning(r, "subscribe", rules);
  const filters: SubscribeFilter[] = [];
  while (r.left > 0) {
    const filter = readFilter(r, rules);
    filters.push(readOptions(r, rules, filter));
  }
  if (filters.length === 0) throw violation("SUBSCRIBE without a topic filter");
  expectEnd(r, PacketType.SUBSCRIBE);
  return { ...beginning, filters };
}

/** Reads a topic filter; one that is none at this level is `ERR_MALFORMED_PACKET` [MQTT-3.8.3-1] [MQTT-3.10.3-1]. */
export function readFilter(r: ByteReader, rules: LevelRules): string {
  const filter = r.string16();
  const wrong = wrongFilter(filter, rules.level);
  if (wrong !== null) throw malformed(wrong);
  return filter;
}

function readOptions(r: ByteReader, rules: LevelRules, filter: string): SubscribeFilter {
  const options = r.u8();
  const qos = options & 3;
  if (rules.level === 4) {
    if (options > 2) throw malformed(`SUBSCRIBE with requested QoS ${options}`);
    return { filter, qos: qos as QoS, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  }
  if (options > 0x3f) throw malformed("SUBSCRIBE with reserved option bits");
  if (qos === 3) throw violation("SUBSCRIBE with maximum QoS 3");
  const retainHandling = options >> RETAIN_HANDLING_SHIFT;
  if (retainHandling === 3) throw violation("SUBSCRIBE with retain handling 3");
  const noLocal = (options & NO_LOCAL) !== 0;
  if (noLocal && filter.startsWith(SHARE_PREFIX)) throw violation("SUBSCRIBE with no local on a shared subscription");
  const retainAsPublished = (options & RETAIN_AS_PUBLISHED) !== 0;
  return { filter, qos: qos as QoS, noLocal, retainAsPublished, retainHandling: retainHandling as 0 | 1 | 2 };
}
