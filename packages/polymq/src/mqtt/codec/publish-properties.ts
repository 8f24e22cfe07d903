// Hot path: runs per message with properties. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { ByteReader, malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { scanUtf8 } from "../../bytes/utf8-scan.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { checkInteger, invalid } from "./arguments.ts";
import type { PublishProperties } from "./packets.ts";
import { decodePropertyBlock, PROPERTY_COUNT_MAX, putPropertyBlock } from "./properties.ts";
import type { PublishHead } from "./publish.ts";
import { violation } from "./violation.ts";

/*
 * The properties of a PUBLISH (MQTT 5.0 §3.3.2.3), written out by hand beside the table in properties.ts; the tests hold the
 * two equal. Checking and building are apart: a broker that passes a message on checks it and copies the block, without
 * making a string or an object.
 */

const PAYLOAD_FORMAT = 0x01;
const MESSAGE_EXPIRY = 0x02;
const CONTENT_TYPE = 0x03;
const RESPONSE_TOPIC = 0x08;
const CORRELATION_DATA = 0x09;
const SUBSCRIPTION_IDENTIFIER = 0x0b;
const TOPIC_ALIAS = 0x23;
const USER_PROPERTY = 0x26;

/** An empty property block: level 5, no properties. */
export const NO_PROPERTIES: Uint8Array = new Uint8Array(0);

/**
 * Checks a property block with its length in front against every rule, notes in `out` where it is and what a receiver needs
 * of it at once, and leaves the reader behind it. Errors as `decodeProperties`.
 */
export function scanPublishProperties(r: ByteReader, out: PublishHead): void {
  const length = r.varint();
  if (length > r.left) throw malformed(`property length is ${length}, the packet has ${r.left} bytes more`);
  const outerEnd = r.end;
  out.propertiesStart = r.at;
  out.propertiesEnd = r.at + length;
  r.end = out.propertiesEnd;
  let seen = 0;
  for (let count = 1; r.at < r.end; count++) {
    if (count > PROPERTY_COUNT_MAX) throw malformed(`more than ${PROPERTY_COUNT_MAX} properties in one packet`);
    const bit = scanProperty(r, out);
    if ((seen & bit) !== 0) throw violation("a property twice in one packet");
    seen |= bit;
  }
  r.end = outerEnd;
}

/** Checks one property; returns its bit among those that must not repeat, or 0. Identifiers above 127 are all unknown. */
function scanProperty(r: ByteReader, out: PublishHead): number {
  const id = r.u8();
  switch (id) {
    case PAYLOAD_FORMAT:
      if (r.u8() > 1) throw violation("property payloadFormat must be 0 or 1");
      return 1;
    case MESSAGE_EXPIRY:
      out.messageExpirySeconds = r.u32();
      return 2;
    case CONTENT_TYPE:
      scanString(r);
      return 4;
    case RESPONSE_TOPIC:
      scanTopicName(r);
      return 8;
    case CORRELATION_DATA:
      skip(r, r.u16());
      return 16;
    case SUBSCRIPTION_IDENTIFIER:
      if (r.varint() === 0) throw violation("property subscriptionIdentifiers must not be 0");
      out.subscriptionIdentifiers++;
      return 0;
    case TOPIC_ALIAS:
      out.topicAlias = r.u16();
      if (out.topicAlias === 0) throw new MessagingError("ERR_TOPIC_ALIAS_INVALID", "topic alias 0");
      return 32;
    case USER_PROPERTY:
      scanString(r);
      scanString(r);
      return 0;
    default:
      throw malformed(`property ${id} is not one of PUBLISH`);
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

type Building = { -readonly [Field in keyof PublishProperties]: PublishProperties[Field] } & {
  userProperties?: (readonly [string, string])[];
  subscriptionIdentifiers?: number[];
};

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

/** Every check was made by {@link scanPublishProperties}. */
function buildProperty(r: ByteReader, properties: Building): void {
  switch (r.u8()) {
    case PAYLOAD_FORMAT:
      properties.payloadFormat = r.u8() as 0 | 1;
      return;
    case MESSAGE_EXPIRY:
      properties.messageExpirySeconds = r.u32();
      return;
    case CONTENT_TYPE:
      properties.contentType = r.string16();
      return;
    case RESPONSE_TOPIC:
      properties.responseTopic = r.string16();
      return;
    case CORRELATION_DATA:
      properties.correlationData = r.bytes16();
      return;
    case SUBSCRIPTION_IDENTIFIER:
      if (properties.subscriptionIdentifiers === undefined) properties.subscriptionIdentifiers = [r.varint()];
      else properties.subscriptionIdentifiers.push(r.varint());
      return;
    case TOPIC_ALIAS:
      properties.topicAlias = r.u16();
      return;
    default:
      if (properties.userProperties === undefined) properties.userProperties = [[r.string16(), r.string16()]];
      else properties.userProperties.push([r.string16(), r.string16()]);
  }
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
    w.u8(TOPIC_ALIAS);
    w.u16(topicAlias);
  }
  putPropertyBlock(w, "publish", properties);
  return w.at === 0 ? NO_PROPERTIES : w.copyFrom(0);
}

/** Decodes a block as {@link encodePublishProperties} makes it, for one that was stored; null when it is empty. Errors as `decodeProperties`. */
export function decodePublishProperties(text: TextCodec, block: Uint8Array): PublishProperties | null {
  return block.length === 0 ? null : decodePropertyBlock(new ByteReader(text, block), "publish");
}
