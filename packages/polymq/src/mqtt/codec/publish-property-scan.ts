// Hot path: runs per message with properties. No closure, promise, spread, iterator or regex here.
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { scanUtf8 } from "../../bytes/utf8-scan.ts";
import type { PublishHead } from "./publish-head.ts";
import {
  checkAlias,
  checkIdentifier,
  checkPayloadFormat,
  PropertyId,
  readBlock,
  unknownProperty,
} from "./publish-properties.ts";

/** A `PublishBlockReader` that makes no string and no object: for a broker, which passes the block on as it is. */
export function scanPublishProperties(r: ByteReader, out: PublishHead): void {
  readBlock(r, out, out, scanProperty);
}

/** Checks one property; returns its bit among those that must not repeat, or 0. Identifiers above 127 are all unknown. */
function scanProperty(r: ByteReader, out: PublishHead): number {
  const id = r.u8();
  switch (id) {
    case PropertyId.PayloadFormat:
      checkPayloadFormat(r.u8());
      return 1;
    case PropertyId.MessageExpiry:
      out.messageExpirySeconds = r.u32();
      return 2;
    case PropertyId.ContentType:
      scanString(r);
      return 4;
    case PropertyId.ResponseTopic:
      scanTopicName(r);
      return 8;
    case PropertyId.CorrelationData:
      skip(r, r.u16());
      return 16;
    case PropertyId.SubscriptionIdentifier:
      checkIdentifier(r.varint());
      out.subscriptionIdentifiers++;
      return 0;
    case PropertyId.TopicAlias:
      out.topicAlias = checkAlias(r.u16());
      return 32;
    case PropertyId.UserProperty:
      scanString(r);
      scanString(r);
      return 0;
    default:
      throw unknownProperty(id);
  }
}

function skip(r: ByteReader, length: number): void {
  if (length > r.left) throw malformed(`packet ends early: ${length} bytes needed, ${r.left} left`);
  r.at += length;
}

function scanString(r: ByteReader): void {
  const length = r.u16();
  const start = r.at;
  skip(r, length);
  const fault = scanUtf8(r.buffer, start, r.at);
  if (fault !== "none") throw malformed(fault === "ill-formed" ? "ill-formed UTF-8 in a string" : "U+0000 in a string");
}

/** [MQTT-3.3.2-13] [MQTT-3.3.2-14] */
function scanTopicName(r: ByteReader): void {
  const start = r.at + 2;
  scanString(r);
  if (r.at === start) throw malformed("a topic name needs at least one character");
  for (let i = start; i < r.at; i++) {
    const byte = r.buffer[i] as number;
    if (byte === 0x23 || byte === 0x2b) throw malformed("a topic name must not contain the wildcards + and #");
  }
}
