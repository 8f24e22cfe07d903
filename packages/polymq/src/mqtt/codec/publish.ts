// Hot path: `writePublish` runs per message. No closure, promise, spread, iterator or regex here.
import type { MessagingError } from "../../base/errors.ts";
import { type ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { invalid } from "./arguments.ts";
import { PacketType, writeHeader } from "./header.ts";
import type { QoS } from "./packets.ts";

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
/** Bytes of a payload from which on sending it from where it lies takes less time than a copy and one write less. */
export const PAYLOAD_LARGE = 32_768;

/** The fields of a PUBLISH that are not bytes; a `PublishHead` and a `Publish` have them. */
export interface PublishFields {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
  /** True when the payload stays as it is for ever: a large one is then not copied. Default false. */
  readonly lent?: boolean;
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
 * Writes a PUBLISH and returns its bytes: it stands at `w.at - <bytes>`, unless its payload was lent. `ERR_PACKET_TOO_LARGE` above 268,435,455 bytes,
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
  const lent = head.lent === true;
  const large = payload.length >= PAYLOAD_LARGE && (lent || qos === 0);
  writeHeader(
    w,
    FIRST_BYTE | (head.dup ? 8 : 0) | (qos << 1) | (head.retain ? 1 : 0),
    rest,
    large ? payload.length : 0,
  );
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
  if (large) w.large(payload, lent);
  else w.bytes(payload);
  return 1 + varintBytes(rest) + rest;
}

function wrongFields(head: PublishFields): MessagingError {
  return invalid(`PUBLISH at QoS ${head.qos} with packet id ${head.packetId}${head.dup ? " and DUP" : ""}`);
}
