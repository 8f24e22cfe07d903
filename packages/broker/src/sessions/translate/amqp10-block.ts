import {
  AmqpMap,
  type AmqpValue,
  type Body,
  type Header,
  MessageView,
  type Properties,
  plain,
  Typed,
  uuid,
  uuidText,
} from "polymq/amqp10/codec";
import type { TextCodec } from "polymq/internal";
import { commonOf, keyText } from "./amqp10-values.ts";
import type { CommonDraft, CommonProperties } from "./common-properties.ts";
import { textOrBytes } from "./text-or-bytes.ts";

/*
 * The AMQP 1.0 side of docs/property-mapping.md, reading: the sections of a message (§3.2). What other protocols have no word for are headers whose
 * names begin with `amqp10.`, so that nobody's own headers are taken for them.
 */

/** Names of the headers for what only AMQP 1.0 says. */
export const Amqp10Header = {
  prefix: "amqp10.",
  to: "amqp10.to",
  userId: "amqp10.user-id",
  /** Instead, where it is no text. Base64 in protocols whose headers are text. */
  userIdBytes: "amqp10.user-id-bytes",
  groupId: "amqp10.group-id",
  groupSequence: "amqp10.group-sequence",
  replyToGroupId: "amqp10.reply-to-group-id",
  absoluteExpiryTime: "amqp10.absolute-expiry-time",
  /** Where the time of creation is no whole second. */
  creationTime: "amqp10.creation-time",
  /** `ulong`, `uuid` or `binary`, where it is no string. */
  messageIdType: "amqp10.message-id-type",
  correlationIdType: "amqp10.correlation-id-type",
  annotation: "amqp10.annotation.",
  footer: "amqp10.footer.",
  /** Texts that no short string of AMQP 0-9-1 holds. */
  subject: "amqp10.subject",
  messageId: "amqp10.message-id",
  replyTo: "amqp10.reply-to",
  contentType: "amqp10.content-type",
  contentEncoding: "amqp10.content-encoding",
} as const;

/** Fields that are short strings in AMQP 0-9-1, and what AMQP 1.0 calls them where they are longer. */
export const LONG_TEXTS: Readonly<
  Record<"type" | "messageId" | "replyTo" | "contentType" | "contentEncoding", string>
> = {
  type: Amqp10Header.subject,
  messageId: Amqp10Header.messageId,
  replyTo: Amqp10Header.replyTo,
  contentType: Amqp10Header.contentType,
  contentEncoding: Amqp10Header.contentEncoding,
};

const SHORT_BYTES_MAX = 255;

/** An annotation that holds headers which no application property can be: lists and tables, by their names. */
export const HEADERS_ANNOTATION = "x-opt-headers";

/** What others say with a property, and AMQP 1.0 with an application property of this name. */
export const ApplicationProperty = {
  responseTopic: "response-topic",
  payloadFormat: "payload-format",
  appId: "app-id",
  clusterId: "cluster-id",
  contentType: "content-type",
  contentEncoding: "content-encoding",
} as const;

/** What a message's sections say. Those whose body is one data section come without it. */
export function readAmqp10Block(block: Uint8Array, text: TextCodec): CommonProperties {
  const view = new MessageView(text, block);
  const draft: CommonDraft = { headers: [] };
  const { header, properties, messageAnnotations, footer } = view;
  if (header !== null) readHeader(header, draft);
  if (properties !== null) readProperties(properties, draft, text);
  const lists = headersAnnotation(messageAnnotations);
  if (view.applicationProperties !== null) readApplicationProperties(view.applicationProperties, lists, draft);
  readMap(messageAnnotations, Amqp10Header.annotation, draft);
  readMap(footer, Amqp10Header.footer, draft);
  readBody(view.body, draft);
  if (draft.replyTo !== undefined && draft.replyTo === draft.responseTopic) draft.replyTo = undefined;
  for (const field of Object.keys(LONG_TEXTS) as (keyof typeof LONG_TEXTS)[]) moveLong(field, draft, text);
  return draft;
}

function readHeader(header: Header, draft: CommonDraft): void {
  if (header.durable !== null) draft.isDurable = header.durable;
  if (header.priority !== null) draft.priority = header.priority;
}

function readProperties(properties: Properties, draft: CommonDraft, text: TextCodec): void {
  draft.messageId = readId(properties.messageId, Amqp10Header.messageIdType, draft);
  readCorrelation(properties.correlationId, draft, text);
  draft.type = properties.subject ?? undefined;
  draft.replyTo = textOrNothing(properties.replyTo);
  draft.contentType = properties.contentType ?? undefined;
  draft.contentEncoding = properties.contentEncoding ?? undefined;
  readCreation(properties.creationTime, draft);
  const { headers } = draft;
  const to = textOrNothing(properties.to);
  if (to !== undefined) headers.push([Amqp10Header.to, to]);
  if (properties.userId !== null) readUser(properties.userId, draft, text);
  if (properties.groupId !== null) headers.push([Amqp10Header.groupId, properties.groupId]);
  if (properties.groupSequence !== null) {
    headers.push([Amqp10Header.groupSequence, { kind: "uint32", number: properties.groupSequence }]);
  }
  if (properties.replyToGroupId !== null) headers.push([Amqp10Header.replyToGroupId, properties.replyToGroupId]);
  if (properties.absoluteExpiryTime !== null) {
    headers.push([Amqp10Header.absoluteExpiryTime, { kind: "int64", number: properties.absoluteExpiryTime }]);
  }
}

function moveLong(field: keyof typeof LONG_TEXTS, draft: CommonDraft, text: TextCodec): void {
  const value = draft[field];
  if (value === undefined || (text.byteLength(value) <= SHORT_BYTES_MAX && !value.includes("\0"))) return;
  draft.headers.push([LONG_TEXTS[field], value]);
  draft[field] = undefined;
}

/** The identity that a sender claims is no property elsewhere: that of AMQP 0-9-1 names an authenticated user. */
function readUser(userId: Uint8Array, draft: CommonDraft, text: TextCodec): void {
  const said = textOrBytes(userId, text);
  draft.headers.push([typeof said === "string" ? Amqp10Header.userId : Amqp10Header.userIdBytes, said]);
}

/** An id as text: the form of a uuid, decimal digits, or base64 for bytes; its type is kept in a header. */
function readId(id: AmqpValue, typeName: string, draft: CommonDraft): string | undefined {
  if (id === null) return undefined;
  if (typeof id === "string") return id;
  if (id instanceof Uint8Array) {
    draft.headers.push([typeName, "binary"]);
    return Buffer.from(id).toString("base64");
  }
  if (id instanceof Typed && (id.type === "ulong" || id.type === "uuid")) {
    draft.headers.push([typeName, id.type]);
    return id.type === "uuid" ? uuidText(id.value as Uint8Array) : String(id.value);
  }
  return String(plain(id));
}

/** Bytes stay bytes: every protocol has them. */
function readCorrelation(id: AmqpValue, draft: CommonDraft, text: TextCodec): void {
  if (!(id instanceof Uint8Array)) {
    draft.correlationId = readId(id, Amqp10Header.correlationIdType, draft);
    return;
  }
  draft.correlationId = textOrBytes(id, text);
  if (typeof draft.correlationId === "string") draft.headers.push([Amqp10Header.correlationIdType, "binary"]);
}

function readCreation(time: number | bigint | null, draft: CommonDraft): void {
  if (time === null) return;
  const isMoment = typeof time === "number" && time >= 0 && time < SECONDS_MAX * 1000;
  if (isMoment) draft.timestampMs = time;
  if (!isMoment || time % 1000 !== 0) draft.headers.push([Amqp10Header.creationTime, { kind: "int64", number: time }]);
}

/** What MQTT's user property `timestamp` holds. */
const SECONDS_MAX = 1e12;

function textOrNothing(value: AmqpValue): string | undefined {
  return value === null ? undefined : typeof value === "string" ? value : String(plain(value));
}

function headersAnnotation(annotations: AmqpMap | null): AmqpMap | null {
  const value = annotations?.get(new Typed("symbol", HEADERS_ANNOTATION));
  return value instanceof AmqpMap ? value : null;
}

function readApplicationProperties(properties: AmqpMap, lists: AmqpMap | null, draft: CommonDraft): void {
  for (const [key, value] of properties) {
    const name = keyText(key);
    const held = lists?.get(name);
    if (held !== undefined) draft.headers.push([name, commonOf(held)]);
    else if (!isOurs(name, value, draft)) draft.headers.push([name, commonOf(value)]);
  }
}

/** Takes in what stands for a property of another protocol; false for all others. */
function isOurs(name: string, value: AmqpValue, draft: CommonDraft): boolean {
  if (typeof value !== "string") return false;
  switch (name) {
    case ApplicationProperty.payloadFormat:
      if (value !== "0" && value !== "1") return false;
      draft.payloadFormat = value === "1" ? 1 : 0;
      return true;
    case ApplicationProperty.contentType:
    case ApplicationProperty.contentEncoding: {
      const field = name === ApplicationProperty.contentType ? "contentType" : "contentEncoding";
      if (draft[field] !== undefined || isAscii(value)) return false;
      draft[field] = value;
      return true;
    }
    case ApplicationProperty.responseTopic:
      draft.responseTopic = value;
      return true;
    case ApplicationProperty.appId:
      draft.appId = value;
      return true;
    case ApplicationProperty.clusterId:
      draft.clusterId = value;
      return true;
    default:
      return false;
  }
}

/** Symbols are ASCII (§1.6.21). */
export function isAscii(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Keys that are no symbols are reserved (§3.2.10) and mean nothing to others. */
function readMap(map: AmqpMap | null, prefix: string, draft: CommonDraft): void {
  if (map === null) return;
  for (const [key, value] of map) {
    if (!(key instanceof Typed) || key.type !== "symbol") continue;
    if (prefix === Amqp10Header.annotation && key.value === HEADERS_ANNOTATION) continue;
    draft.headers.push([prefix + String(key.value), commonOf(value)]);
  }
}

/** A text is told to be one; a body that others get as JSON is told to be that, unless the sender named a type. */
function readBody(body: Body | null, draft: CommonDraft): void {
  if (body === null || body.type === "data") return;
  if (body.type === "value") {
    const { value } = body;
    if (value === null || value instanceof Uint8Array) return;
    if (typeof value === "string" || (value instanceof Typed && value.type === "symbol")) {
      draft.payloadFormat = 1;
      return;
    }
  }
  draft.payloadFormat = 1;
  draft.contentType ??= "application/json";
}

/** The id that {@link readId} made a text of; null for a text that is none of that type. */
export function idOf(value: string, type: string): AmqpValue {
  switch (type) {
    case "ulong": {
      const isNumber = /^\d{1,20}$/.test(value) && BigInt(value) < 1n << 64n;
      if (!isNumber) return null;
      const number = BigInt(value);
      return new Typed("ulong", number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number);
    }
    case "uuid":
      return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value) ? uuid(value) : null;
    case "binary":
      return bytesOfBase64(value);
    default:
      return null;
  }
}

/** The bytes of which this is the base64 form, or null. */
export function bytesOfBase64(value: string): Uint8Array | null {
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value ? new Uint8Array(bytes) : null;
}
