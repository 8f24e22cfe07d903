import { ByteReader, ByteWriter, MessagingError, type TextCodec } from "polymq/internal";
import { PROPERTY_COUNT_MAX } from "polymq/mqtt/codec";
import { type CommonDraft, type CommonProperties, type CommonValue, textOf } from "./common-properties.ts";
import { textOrBytes } from "./text-or-bytes.ts";

/*
 * The MQTT 5.0 side of docs/property-mapping.md. Properties of a PUBLISH (§3.3.2.3) by identifier:
 *   01 payload format u8, 03 content type text, 08 response topic text, 09 correlation data bytes, 26 user property text text
 */
const PAYLOAD_FORMAT = 0x01;
const CONTENT_TYPE = 0x03;
const RESPONSE_TOPIC = 0x08;
const CORRELATION_DATA = 0x09;
const USER_PROPERTY = 0x26;

/** The longest text or binary value of MQTT. */
const VALUE_BYTES_MAX = 65_535;

/** Properties that a delivery may add: an alias, an expiry, subscription identifiers. */
const ADDED_MAX = 10;

/** User properties that stand for what MQTT has no property for, and whose first occurrence means that. */
const NAMED = {
  "content-encoding": "contentEncoding",
  "reply-to": "replyTo",
  "message-id": "messageId",
  type: "type",
  "app-id": "appId",
  "cluster-id": "clusterId",
} as const satisfies Readonly<Record<string, keyof CommonDraft>>;

/** Short strings of AMQP 0-9-1 hold so many bytes, and what is longer is no such property there. */
const SHORT_BYTES_MAX = 255;

/** What a block says; it was checked when it came. */
export function readMqttBlock(block: Uint8Array, text: TextCodec): CommonProperties {
  const r = new ByteReader(text, block);
  const draft: CommonDraft = { headers: [] };
  while (r.at < r.end) readOne(r, r.u8(), draft, text);
  return draft;
}

function readOne(r: ByteReader, id: number, draft: CommonDraft, text: TextCodec): void {
  switch (id) {
    case PAYLOAD_FORMAT:
      draft.payloadFormat = r.u8() === 1 ? 1 : 0;
      return;
    case CONTENT_TYPE:
      draft.contentType = r.string16();
      return;
    case RESPONSE_TOPIC:
      draft.responseTopic = r.string16();
      return;
    case CORRELATION_DATA:
      draft.correlationId = textOrBytes(r.bytes16(), text);
      return;
    case USER_PROPERTY:
      return userProperty(r.string16(), r.string16(), draft, text);
    default:
      throw new MessagingError("ERR_MALFORMED_PACKET", `property ${id} in the block of a message`);
  }
}

function userProperty(name: string, value: string, draft: CommonDraft, text: TextCodec): void {
  if (Object.hasOwn(NAMED, name)) {
    const field = NAMED[name as keyof typeof NAMED];
    if (draft[field] === undefined && text.byteLength(value) <= SHORT_BYTES_MAX) {
      draft[field] = value;
      return;
    }
  } else if (name === "timestamp" && draft.timestampMs === undefined && /^\d{1,12}$/.test(value)) {
    draft.timestampMs = Number(value) * 1000;
    return;
  } else if (name === "priority" && draft.priority === undefined && /^\d{1,3}$/.test(value) && Number(value) <= 255) {
    draft.priority = Number(value);
    return;
  }
  draft.headers.push([name, value]);
}

/**
 * The block that says the same, or null for nothing. What MQTT cannot hold is left out: texts above 65,535 bytes or with U+0000.
 * @throws {MessagingError} ERR_PACKET_TOO_LARGE with more properties than one packet may have
 */
export function writeMqttBlock(properties: CommonProperties, text: TextCodec): Uint8Array | null {
  const out = new BlockWriter(text);
  if (properties.payloadFormat !== undefined) out.byte(PAYLOAD_FORMAT, properties.payloadFormat);
  out.text(CONTENT_TYPE, properties.contentType);
  const topic = properties.responseTopic;
  // What is no topic may not stand there [MQTT-3.3.2-14].
  if (topic !== undefined && (topic === "" || /[+#]/.test(topic))) out.user("response-topic", topic);
  else out.text(RESPONSE_TOPIC, topic);
  out.binary(CORRELATION_DATA, properties.correlationId);
  for (const [name, field] of Object.entries(NAMED)) out.user(name, properties[field as "type"]);
  out.user("user-id", properties.userId);
  if (properties.timestampMs !== undefined) out.user("timestamp", String(Math.floor(properties.timestampMs / 1000)));
  if (properties.priority !== undefined) out.user("priority", String(properties.priority));
  for (const [name, value] of properties.headers) {
    // A list of texts is how others say a user property that stands several times.
    if (isTextList(value)) for (const each of value) out.user(name, each);
    else out.user(name, textOf(value));
  }
  return out.done();
}

function isTextList(value: CommonValue): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string");
}

class BlockWriter {
  readonly #w: ByteWriter;
  readonly #text: TextCodec;
  #count = 0;

  constructor(text: TextCodec) {
    this.#text = text;
    this.#w = new ByteWriter(text, 256);
  }

  byte(id: number, value: number): void {
    this.#begin(id, 1);
    this.#w.u8(value);
  }

  text(id: number, value: string | undefined): void {
    const bytes = value === undefined ? -1 : this.#fits(value);
    if (value === undefined || bytes < 0) return;
    this.#begin(id, 2 + bytes);
    this.#w.string16(value);
  }

  binary(id: number, value: string | Uint8Array | undefined): void {
    if (typeof value === "string") return this.text(id, value);
    if (value === undefined || value.length > VALUE_BYTES_MAX) return;
    this.#begin(id, 2 + value.length);
    this.#w.u16(value.length);
    this.#w.bytes(value);
  }

  user(name: string, value: string | undefined): void {
    if (value === undefined) return;
    const nameBytes = this.#fits(name);
    const bytes = this.#fits(value);
    if (nameBytes < 0 || bytes < 0) return;
    this.#begin(USER_PROPERTY, 4 + nameBytes + bytes);
    this.#w.string16(name);
    this.#w.string16(value);
  }

  done(): Uint8Array | null {
    return this.#count === 0 ? null : this.#w.copyFrom(0);
  }

  #begin(id: number, bytes: number): void {
    if (++this.#count + ADDED_MAX > PROPERTY_COUNT_MAX) {
      throw new MessagingError("ERR_PACKET_TOO_LARGE", "a message with more properties than MQTT packets may have");
    }
    this.#w.reserve(1 + bytes);
    this.#w.u8(id);
  }

  /** Bytes of a text that MQTT can hold, or -1. */
  #fits(value: string): number {
    const bytes = this.#text.byteLength(value);
    return bytes > VALUE_BYTES_MAX || value.includes("\0") || !value.isWellFormed() ? -1 : bytes;
  }
}
