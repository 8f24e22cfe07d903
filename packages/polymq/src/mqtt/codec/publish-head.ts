// Hot path: `readPublish` runs per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { PacketType, readPacketId, readRemainingLength } from "./header.ts";
import type { ProtocolLevel, PublishProperties, QoS } from "./packets.ts";
import type { PublishBlockReader } from "./publish-properties.ts";

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
