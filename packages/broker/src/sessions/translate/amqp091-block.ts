import {
  type BasicProperties,
  decodeProperties,
  encodeProperties,
  type FieldTable,
  type FieldTag,
  type FieldValue,
  TypedField,
} from "polymq/amqp091/codec";
import { ByteReader, type TextCodec } from "polymq/internal";
import {
  type CommonDraft,
  type CommonEntry,
  type CommonProperties,
  type CommonValue,
  keepingReplyTo,
  type Moment,
  type NumberKind,
  type TypedNumber,
  textOf,
} from "./common-properties.ts";

/*
 * The AMQP 0-9-1 side of docs/property-mapping.md: the block of a content header (§4.2.6.1). Headers called `response-topic`,
 * `payload-format` and `correlation-data` hold what MQTT says and 0-9-1 has no property for.
 */
const RESPONSE_TOPIC = "response-topic";
const PAYLOAD_FORMAT = "payload-format";
const CORRELATION_DATA = "correlation-data";

const SHORT_BYTES_MAX = 255;

const INT64_MAX = 2n ** 63n - 1n;

const TEXTS = {
  contentType: "content-type",
  contentEncoding: "content-encoding",
  replyTo: "reply-to",
  messageId: "message-id",
  type: "type",
  userId: "user-id",
  appId: "app-id",
  clusterId: "cluster-id",
} as const satisfies Partial<Record<keyof CommonProperties & keyof BasicProperties, string>>;

const KINDS: Readonly<Partial<Record<FieldTag, NumberKind>>> = {
  b: "int8",
  B: "uint8",
  s: "int16",
  U: "int16",
  u: "uint16",
  I: "int32",
  i: "uint32",
  l: "int64",
  L: "int64",
  f: "float",
  d: "double",
};

const TAGS: Readonly<Record<NumberKind, FieldTag>> = {
  int8: "b",
  uint8: "B",
  int16: "s",
  uint16: "u",
  int32: "I",
  uint32: "i",
  int64: "l",
  uint64: "l",
  float: "f",
  double: "d",
};

/** What a block says; it was checked when it came. */
export function readAmqp091Block(block: Uint8Array, text: TextCodec): CommonProperties {
  const properties = decodeProperties(new ByteReader(text, block), "typed");
  const draft: CommonDraft = { headers: [] };
  for (const field of Object.keys(TEXTS) as (keyof typeof TEXTS)[]) draft[field] = properties[field];
  draft.correlationId = properties.correlationId;
  draft.priority = properties.priority;
  if (properties.deliveryMode !== undefined) draft.isDurable = properties.deliveryMode === 2;
  if (properties.timestamp !== undefined) draft.timestampMs = Number(properties.timestamp) * 1000;
  for (const [name, value] of Object.entries(properties.headers ?? {})) {
    if (value !== undefined && !isOurs(name, value, draft)) draft.headers.push([name, commonOf(value)]);
  }
  if (draft.replyTo !== undefined && draft.replyTo === draft.responseTopic) draft.replyTo = undefined;
  return draft;
}

/** Takes in a header that holds one of MQTT's properties; false for all others. */
function isOurs(name: string, value: FieldValue, draft: CommonDraft): boolean {
  switch (name) {
    case RESPONSE_TOPIC:
      if (typeof value !== "string") return false;
      draft.responseTopic = value;
      return true;
    case PAYLOAD_FORMAT:
      if (value !== "0" && value !== "1") return false;
      draft.payloadFormat = value === "1" ? 1 : 0;
      return true;
    case CORRELATION_DATA:
      if (!(value instanceof Uint8Array)) return false;
      draft.correlationId = value;
      return true;
    default:
      return false;
  }
}

function commonOf(value: FieldValue): CommonValue {
  if (value instanceof TypedField) return commonOfTyped(value);
  if (value instanceof Date) return { epochMs: value.getTime() };
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(commonOf);
  return { entries: entriesOf(value as FieldTable) };
}

function entriesOf(table: FieldTable): CommonEntry[] {
  const entries: CommonEntry[] = [];
  for (const [name, value] of Object.entries(table)) if (value !== undefined) entries.push([name, commonOf(value)]);
  return entries;
}

function commonOfTyped({ tag, value }: TypedField): CommonValue {
  if (tag === "D") return value as { readonly scale: number; readonly unscaled: number };
  if (tag === "T") return { epochMs: value instanceof Date ? value.getTime() : Number(value) * 1000 };
  const kind = KINDS[tag];
  if (kind !== undefined && (typeof value === "number" || typeof value === "bigint")) return { kind, number: value };
  return commonOf(value as FieldValue);
}

/** The block that says the same. Texts too long for a short string become a header of the property's name. */
export function writeAmqp091Block(
  given: CommonProperties,
  text: TextCodec,
  expiration: string | undefined,
): Uint8Array {
  const properties = keepingReplyTo(given);
  const headers: Record<string, FieldValue> = Object.create(null) as Record<string, FieldValue>;
  const basic: { -readonly [K in keyof BasicProperties]: BasicProperties[K] } = {};
  for (const [name, value] of properties.headers) addHeader(headers, name, fieldOf(value), text);
  for (const field of Object.keys(TEXTS) as (keyof typeof TEXTS)[]) {
    const value = properties[field];
    if (value === undefined) continue;
    if (fitsShort(value, text)) basic[field] = value;
    else headers[TEXTS[field]] = value;
  }
  putCorrelation(properties.correlationId, basic, headers, text);
  if (properties.responseTopic !== undefined) {
    headers[RESPONSE_TOPIC] = properties.responseTopic;
    if (basic.replyTo === undefined && fitsShort(properties.responseTopic, text))
      basic.replyTo = properties.responseTopic;
  }
  if (properties.payloadFormat !== undefined) headers[PAYLOAD_FORMAT] = String(properties.payloadFormat);
  if (Object.keys(headers).length > 0) basic.headers = headers;
  if (properties.isDurable !== undefined) basic.deliveryMode = properties.isDurable ? 2 : 1;
  if (properties.priority !== undefined) basic.priority = Math.min(255, properties.priority);
  if (properties.timestampMs !== undefined) basic.timestamp = Math.max(0, Math.floor(properties.timestampMs / 1000));
  if (expiration !== undefined) basic.expiration = expiration;
  return encodeProperties(text, basic);
}

function putCorrelation(
  value: string | Uint8Array | undefined,
  basic: { correlationId?: string | undefined },
  headers: Record<string, FieldValue>,
  text: TextCodec,
): void {
  if (value === undefined) return;
  if (typeof value === "string" && fitsShort(value, text)) basic.correlationId = value;
  else headers[CORRELATION_DATA] = typeof value === "string" ? bytesOf(value, text) : value;
}

/** Names beyond what a short string holds cannot be said. */
function addHeader(headers: Record<string, FieldValue>, name: string, value: FieldValue, text: TextCodec): void {
  if (!fitsShort(name, text)) return;
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (Array.isArray(before)) headers[name] = [...(before as readonly FieldValue[]), value];
  else headers[name] = [before, value];
}

function fieldOf(value: CommonValue): FieldValue {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(fieldOf);
  if ("number" in value) return numberOf(value);
  if ("epochMs" in value) return momentOf(value);
  if ("scale" in value) return new TypedField("D", { scale: value.scale, unscaled: value.unscaled });
  const table: Record<string, FieldValue> = Object.create(null) as Record<string, FieldValue>;
  for (const [name, each] of (value as { readonly entries: readonly CommonEntry[] }).entries)
    table[name] = fieldOf(each);
  return table;
}

/** Unsigned integers beyond those of 64 bits with a sign are text. */
function numberOf({ kind, number }: TypedNumber): FieldValue {
  const isTooLarge = kind === "uint64" && number > INT64_MAX;
  return isTooLarge ? String(number) : new TypedField(TAGS[kind], number);
}

/** Whole seconds since 1970; what lies before is text. */
function momentOf(moment: Moment): FieldValue {
  const seconds = Math.floor(moment.epochMs / 1000);
  return seconds >= 0 && Number.isSafeInteger(seconds) ? new TypedField("T", seconds) : textOf(moment);
}

function fitsShort(value: string, text: TextCodec): boolean {
  return text.byteLength(value) <= SHORT_BYTES_MAX && !value.includes("\0");
}

function bytesOf(value: string, text: TextCodec): Uint8Array {
  const bytes = new Uint8Array(text.byteLength(value));
  text.write(bytes, 0, value);
  return bytes;
}
