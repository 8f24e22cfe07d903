// Hot path: runs per message with properties. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { ByteReader, malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { checkInteger, invalid } from "./arguments.ts";
import { NO_PROPERTIES } from "./no-properties.ts";
import type { PublishProperties } from "./packets.ts";
import { decodePropertyBlock, PROPERTY_COUNT_MAX, putPropertyBlock, readTopicName } from "./properties.ts";
import type { PublishHead } from "./publish-head.ts";
import { violation } from "./violation.ts";

/*
 * The properties of a PUBLISH (MQTT 5.0 §3.3.2.3), written out by hand beside the table in properties.ts; the tests hold the
 * two equal. A client builds them as it checks them; a broker that passes a message on only checks them, in
 * publish-property-scan.ts, and copies the block without making a string or an object.
 */

/** Identifiers of the properties that a PUBLISH may have (§2.2.2.2). */
export const PropertyId = {
  PayloadFormat: 0x01,
  MessageExpiry: 0x02,
  ContentType: 0x03,
  ResponseTopic: 0x08,
  CorrelationData: 0x09,
  SubscriptionIdentifier: 0x0b,
  TopicAlias: 0x23,
  UserProperty: 0x26,
} as const;

type Building = { -readonly [Field in keyof PublishProperties]: PublishProperties[Field] } & {
  userProperties?: (readonly [string, string])[];
  subscriptionIdentifiers?: number[];
};

/**
 * Reads the property block of a PUBLISH, its length in front, and leaves the reader behind it: checks it against every rule and
 * notes in `out` where it is and what a receiver needs of it at once. Errors as `decodeProperties`.
 */
export type PublishBlockReader = (r: ByteReader, out: PublishHead) => void;

/** A {@link PublishBlockReader} that builds the properties at once: for a receiver that hands them on as values. */
export function buildPublishProperties(r: ByteReader, out: PublishHead): void {
  const properties: Building = {};
  readBlock(r, out, properties, buildProperty);
  if (out.propertiesStart === out.propertiesEnd) return;
  out.properties = properties;
  out.topicAlias = properties.topicAlias ?? 0;
  out.messageExpirySeconds = properties.messageExpirySeconds ?? -1;
  out.subscriptionIdentifiers = properties.subscriptionIdentifiers?.length ?? 0;
}

/** Reads each property of a block with `readOne`, which checks it and returns its bit among those that must not repeat, or 0. */
export function readBlock<Target>(
  r: ByteReader,
  out: PublishHead,
  target: Target,
  readOne: (r: ByteReader, target: Target) => number,
): void {
  const length = r.varint();
  if (length > r.left) throw malformed(`property length is ${length}, the packet has ${r.left} bytes more`);
  const outerEnd = r.end;
  out.propertiesStart = r.at;
  out.propertiesEnd = r.at + length;
  r.end = out.propertiesEnd;
  let seen = 0;
  for (let count = 1; r.at < r.end; count++) {
    if (count > PROPERTY_COUNT_MAX) throw malformed(`more than ${PROPERTY_COUNT_MAX} properties in one packet`);
    const bit = readOne(r, target);
    if ((seen & bit) !== 0) throw violation("a property twice in one packet");
    seen |= bit;
  }
  r.end = outerEnd;
}

/** Identifiers above 127 are all unknown. */
function buildProperty(r: ByteReader, properties: Building): number {
  const id = r.u8();
  switch (id) {
    case PropertyId.PayloadFormat:
      properties.payloadFormat = checkPayloadFormat(r.u8());
      return 1;
    case PropertyId.MessageExpiry:
      properties.messageExpirySeconds = r.u32();
      return 2;
    case PropertyId.ContentType:
      properties.contentType = r.string16();
      return 4;
    case PropertyId.ResponseTopic:
      properties.responseTopic = readTopicName(r);
      return 8;
    case PropertyId.CorrelationData:
      properties.correlationData = r.bytes16();
      return 16;
    case PropertyId.SubscriptionIdentifier: {
      const identifier = checkIdentifier(r.varint());
      if (properties.subscriptionIdentifiers === undefined) properties.subscriptionIdentifiers = [identifier];
      else properties.subscriptionIdentifiers.push(identifier);
      return 0;
    }
    case PropertyId.TopicAlias:
      properties.topicAlias = checkAlias(r.u16());
      return 32;
    case PropertyId.UserProperty:
      if (properties.userProperties === undefined) properties.userProperties = [[r.string16(), r.string16()]];
      else properties.userProperties.push([r.string16(), r.string16()]);
      return 0;
    default:
      throw unknownProperty(id);
  }
}

export function checkPayloadFormat(value: number): 0 | 1 {
  if (value > 1) throw violation("property payloadFormat must be 0 or 1");
  return value as 0 | 1;
}

export function checkIdentifier(value: number): number {
  if (value === 0) throw violation("property subscriptionIdentifiers must not be 0");
  return value;
}

/** [MQTT-3.3.2-8] */
export function checkAlias(value: number): number {
  if (value === 0) throw new MessagingError("ERR_TOPIC_ALIAS_INVALID", "topic alias 0");
  return value;
}

export function unknownProperty(id: number): MessagingError {
  return malformed(`property ${id} is not one of PUBLISH`);
}

/**
 * Builds the properties of a PUBLISH that `readPublishHead` has read, null when there are none. The reader must still
 * hold the packet's buffer; it is left as it was. Correlation data is a view of that buffer.
 */
export function readPublishProperties(r: ByteReader, head: PublishHead): PublishProperties | null {
  if (head.propertiesStart === head.propertiesEnd) return null;
  const at = r.at;
  const end = r.end;
  r.at = head.propertiesStart;
  r.end = head.propertiesEnd;
  const properties: Building = {};
  while (r.at < r.end) buildProperty(r, properties);
  r.at = at;
  r.end = end;
  return properties;
}

/**
 * Encodes the properties of a PUBLISH for `writePublish`: a block without its length, `NO_PROPERTIES` for null or none.
 * Refuses what `putProperties` does.
 *
 * @param topicAlias the sender's own topic alias to put in, or 0; with it `properties` must have none
 */
export function encodePublishProperties(
  text: TextCodec,
  properties: PublishProperties | null,
  topicAlias = 0,
): Uint8Array {
  const w = new ByteWriter(text);
  if (topicAlias !== 0) {
    checkInteger(topicAlias, "topicAlias", 1, 0xffff);
    if (properties?.topicAlias !== undefined) throw invalid("a topic alias twice");
    w.u8(PropertyId.TopicAlias);
    w.u16(topicAlias);
  }
  putPropertyBlock(w, "publish", properties);
  return w.at === 0 ? NO_PROPERTIES : w.copyFrom(0);
}

/** Decodes a block as {@link encodePublishProperties} makes it, for one that was stored; null when it is empty. Errors as `decodeProperties`. */
export function decodePublishProperties(text: TextCodec, block: Uint8Array): PublishProperties | null {
  return block.length === 0 ? null : decodePropertyBlock(new ByteReader(text, block), "publish");
}
