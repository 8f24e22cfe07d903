// Hot path: `readPublish` and `writePublish` run per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { type ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { PacketType, readPacketId, readRemainingLength, writeHeader } from "./header.ts";
import type { ProtocolLevel, PublishProperties, QoS } from "./packets.ts";
import type { PublishBlockReader } from "./publish-properties.ts";

/*
 * PUBLISH (MQTT 5.0 §3.3, MQTT 3.1.1 §3.3):
 *   byte    0x30 | DUP << 3 | QoS << 1 | RETAIN
 *   varint  remaining length
 *   string  topic name
 *   u16     packet identifier, at QoS 1 and 2 only
 *   block   properties behind their length, at level 5 only
 *   bytes   payload, up to the end of the packet
 */

const FIRST_BYTE = PacketType.PUBLISH << 4;
const TOPIC_BYTES_MAX = 0xffff;
/** Longest topic copied byte by byte: below, that is faster than `set`. */
const TOPIC_LOOP_MAX = 32;

/**
 * A PUBLISH read in place: positions in the reader's buffer, not copies. One object serves every message of a connection.
 */
export class PublishHead {
  qos: QoS = 0;
  retain = false;
  dup = false;
  /** 1 to 65,535, or 0 at QoS 0. */
  packetId = 0;
  /** The topic name's UTF-8, not checked yet: `TopicDecoder` does. Empty only when `topicAlias` is not 0. */
  topicStart = 0;
  topicEnd = 0;
  /** The property block without its length, fully checked; both alike when there are no properties. */
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** The Topic Alias property, or 0 when there is none. */
  topicAlias = 0;
  /** The Message Expiry Interval property in seconds, or -1 when there is none. */
  messageExpirySeconds = -1;
  /** How many Subscription Identifier properties there are: a server takes none from a client [MQTT-3.3.4-6]. */
  subscriptionIdentifiers = 0;
  /** The properties as values, where they were built in passing; else null, and `readPublishProperties` builds them. */
  properties: PublishProperties | null = null;
}

/** The fields of a PUBLISH that are not bytes; a {@link PublishHead} and a `Publish` have them. */
export interface PublishFields {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
}

/**
 * Reads a PUBLISH that fills the reader's window into `out`, without allocating. All of it is checked here, properties too,
 * but the topic name's characters, which `TopicDecoder` checks on a topic it has not seen. `readProperties`
 * reads the property block at level 5.
 *
 * `ERR_MALFORMED_PACKET`: QoS 3 [MQTT-3.3.1-4] [MQTT3-3.3.1-4], DUP at QoS 0 [MQTT-3.3.1-2] [MQTT3-3.3.1-2], packet id 0
 * [MQTT-2.2.1-3] [MQTT3-2.3.1-1], an empty topic at level 4 [MQTT3-4.7.3-1], a packet cut short; `ERR_PROTOCOL_VIOLATION`: an
 * empty topic without an alias (MQTT 5.0 §3.3.2.1); properties as `decodeProperties`.
 */
export function readPublish(
  r: ByteReader,
  level: ProtocolLevel,
  out: PublishHead,
  readProperties: PublishBlockReader,
): void {
  const byte = r.u8();
  const qos = (byte >> 1) & 3;
  if (byte >> 4 !== PacketType.PUBLISH) throw malformed(`packet type ${byte >> 4} where PUBLISH was to be decoded`);
  if (qos === 3) throw malformed("PUBLISH with QoS 3");
  if (qos === 0 && (byte & 8) !== 0) throw malformed("PUBLISH with DUP at QoS 0");
  readRemainingLength(r);
  const topicBytes = r.u16();
  if (topicBytes > r.left) throw malformed(`packet ends early: ${topicBytes} bytes needed, ${r.left} left`);
  out.qos = qos as QoS;
  out.retain = (byte & 1) !== 0;
  out.dup = (byte & 8) !== 0;
  out.topicStart = r.at;
  r.at += topicBytes;
  out.topicEnd = r.at;
  out.packetId = qos === 0 ? 0 : readPacketId(r, PacketType.PUBLISH);
  out.topicAlias = 0;
  out.messageExpirySeconds = -1;
  out.subscriptionIdentifiers = 0;
  out.propertiesStart = r.at;
  out.propertiesEnd = r.at;
  out.properties = null;
  if (level === 5) readProperties(r, out);
  if (topicBytes === 0 && out.topicAlias === 0) throw emptyTopic(level);
  out.payloadStart = r.at;
  out.payloadEnd = r.end;
  r.at = r.end;
}

function emptyTopic(level: ProtocolLevel): MessagingError {
  return level === 4
    ? malformed("PUBLISH with an empty topic")
    : new MessagingError("ERR_PROTOCOL_VIOLATION", "PUBLISH with an empty topic and no topic alias");
}

/** Bytes behind the fixed header. */
function remainingLength(qos: QoS, topic: Uint8Array, payload: Uint8Array, properties: Uint8Array | null): number {
  const bare = 2 + topic.length + (qos === 0 ? 0 : 2) + payload.length;
  return properties === null ? bare : bare + varintBytes(properties.length) + properties.length;
}

/** Bytes of the whole PUBLISH that {@link writePublish} would write, to be held against the receiver's Maximum Packet Size. */
export function publishBytes(qos: QoS, topic: Uint8Array, payload: Uint8Array, properties: Uint8Array | null): number {
  const rest = remainingLength(qos, topic, payload, properties);
  return 1 + varintBytes(rest) + rest;
}

/**
 * Writes a PUBLISH and returns its bytes: it stands at `w.at - <bytes>`. `ERR_PACKET_TOO_LARGE` above 268,435,455 bytes,
 * `ERR_INVALID_ARGUMENT` for a packet id of 0 at QoS 1 and 2 or another at QoS 0, DUP at QoS 0 and a topic above 65,535 bytes;
 * the writer is then as it was. The topic is UTF-8 that `TopicEncoder` has checked.
 *
 * Five plain parameters, for an object per message to hold them would be garbage.
 *
 * @param properties a block from `encodePublishProperties` at level 5 (`NO_PROPERTIES` for none), null at level 4
 */
export function writePublish(
  w: ByteWriter,
  head: PublishFields,
  topic: Uint8Array,
  payload: Uint8Array,
  properties: Uint8Array | null,
): number {
  const qos = head.qos;
  const packetId = head.packetId;
  if (qos === 0 ? packetId !== 0 || head.dup : packetId < 1 || packetId > 0xffff) throw wrongFields(head);
  const topicBytes = topic.length;
  if (topicBytes > TOPIC_BYTES_MAX) throw invalid(`a topic of ${topicBytes} bytes, the limit is ${TOPIC_BYTES_MAX}`);
  const rest = remainingLength(qos, topic, payload, properties);
  writeHeader(w, FIRST_BYTE | (head.dup ? 8 : 0) | (qos << 1) | (head.retain ? 1 : 0), rest);
  // By index, in one go: lengths are known, and topics are short.
  const buffer = w.buffer;
  let at = w.at;
  buffer[at] = topicBytes >>> 8;
  buffer[at + 1] = topicBytes;
  at += 2;
  if (topicBytes <= TOPIC_LOOP_MAX) for (let i = 0; i < topicBytes; i++) buffer[at + i] = topic[i] as number;
  else buffer.set(topic, at);
  at += topicBytes;
  if (qos !== 0) {
    buffer[at] = packetId >>> 8;
    buffer[at + 1] = packetId;
    at += 2;
  }
  w.at = at;
  if (properties !== null) {
    w.varint(properties.length);
    if (properties.length > 0) w.bytes(properties);
  }
  w.bytes(payload);
  return 1 + varintBytes(rest) + rest;
}

function wrongFields(head: PublishFields): MessagingError {
  return invalid(`PUBLISH at QoS ${head.qos} with packet id ${head.packetId}${head.dup ? " and DUP" : ""}`);
}
