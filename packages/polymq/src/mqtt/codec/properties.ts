/** The properties of MQTT 5.0 as one table, and the encoder and decoder that it drives (§2.2.2). */
import { unreachable } from "../../base/assert.ts";
import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type ByteWriter, VARINT_MAX, varintBytes } from "../../bytes/writer.ts";
import { binaryBytes, checkInteger, invalid, stringBytes } from "./arguments.ts";
import type {
  AuthProperties,
  ConnackProperties,
  ConnectProperties,
  DisconnectProperties,
  PublishProperties,
  ReasonProperties,
  SubscribeProperties,
  Unsubscribe,
  UserProperties,
  WillProperties,
} from "./packets.ts";
import { validateTopicName } from "./topic.ts";

/** The type of each property block; `will` is the one in CONNECT's payload (§3.1.3.2). */
export interface PropertyBlocks {
  connect: ConnectProperties;
  will: WillProperties;
  connack: ConnackProperties;
  publish: PublishProperties;
  puback: ReasonProperties;
  pubrec: ReasonProperties;
  pubrel: ReasonProperties;
  pubcomp: ReasonProperties;
  subscribe: SubscribeProperties;
  suback: ReasonProperties;
  unsubscribe: NonNullable<Unsubscribe["properties"]>;
  unsuback: ReasonProperties;
  disconnect: DisconnectProperties;
  auth: AuthProperties;
}

/** What carries a property block. */
export type PropertyCarrier = keyof PropertyBlocks;

/**
 * How a value stands on the wire (§2.2.2.2): `boolean` is a byte of 0 or 1, `topic` a string that must be a topic name,
 * `pair` a user property.
 */
export type PropertyWireType = "boolean" | "u8" | "u16" | "u32" | "varint" | "string" | "topic" | "binary" | "pair";

/** One row of the table. */
export interface PropertyRow {
  /** The identifier on the wire (§2.2.2.2, table 2-4). */
  readonly id: number;
  /** The field of the property object. */
  readonly name: string;
  readonly wire: PropertyWireType;
  /** Blocks that may have it. */
  readonly carriers: readonly PropertyCarrier[];
  /** True when it may stand more than once; its field is then a list. */
  readonly repeats: boolean;
  /** Least and largest value of a number. */
  readonly least: number;
  readonly most: number;
}

/** Most properties that one block may hold, named here because the specification sets no limit; more is `ERR_MALFORMED_PACKET`. */
export const PROPERTY_COUNT_MAX = 1_000;

const ACKS = ["puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback"] as const;
const EVERY = [
  "connect",
  "will",
  "connack",
  "publish",
  ...ACKS,
  "subscribe",
  "unsubscribe",
  "disconnect",
  "auth",
] as const;
const MESSAGE = ["publish", "will"] as const;
const HANDSHAKE = ["connect", "connack"] as const;
const AUTHENTICATED = ["connect", "connack", "auth"] as const;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;

/** All 27 properties by identifier; 0x0B has a row for PUBLISH, where it repeats, and one for SUBSCRIBE, where it must not. */
export const PROPERTIES: readonly PropertyRow[] = [
  number(0x01, "payloadFormat", "u8", MESSAGE, 0, 1),
  number(0x02, "messageExpirySeconds", "u32", MESSAGE, 0, U32_MAX),
  bytes(0x03, "contentType", "string", MESSAGE),
  bytes(0x08, "responseTopic", "topic", MESSAGE),
  bytes(0x09, "correlationData", "binary", MESSAGE),
  { ...number(0x0b, "subscriptionIdentifiers", "varint", ["publish"], 1, VARINT_MAX), repeats: true },
  number(0x0b, "subscriptionIdentifier", "varint", ["subscribe"], 1, VARINT_MAX),
  number(0x11, "sessionExpirySeconds", "u32", ["connect", "connack", "disconnect"], 0, U32_MAX),
  bytes(0x12, "assignedClientId", "string", ["connack"]),
  number(0x13, "serverKeepAliveSeconds", "u16", ["connack"], 0, U16_MAX),
  bytes(0x15, "authenticationMethod", "string", AUTHENTICATED),
  bytes(0x16, "authenticationData", "binary", AUTHENTICATED),
  number(0x17, "requestProblemInformation", "boolean", ["connect"], 0, 1),
  number(0x18, "delaySeconds", "u32", ["will"], 0, U32_MAX),
  number(0x19, "requestResponseInformation", "boolean", ["connect"], 0, 1),
  bytes(0x1a, "responseInformation", "string", ["connack"]),
  bytes(0x1c, "serverReference", "string", ["connack", "disconnect"]),
  bytes(0x1f, "reasonString", "string", ["connack", ...ACKS, "disconnect", "auth"]),
  number(0x21, "receiveMaximum", "u16", HANDSHAKE, 1, U16_MAX),
  number(0x22, "topicAliasMaximum", "u16", HANDSHAKE, 0, U16_MAX),
  number(0x23, "topicAlias", "u16", ["publish"], 1, U16_MAX),
  number(0x24, "maximumQoS", "u8", ["connack"], 0, 1),
  number(0x25, "retainAvailable", "boolean", ["connack"], 0, 1),
  { ...bytes(0x26, "userProperties", "pair", EVERY), repeats: true },
  number(0x27, "maximumPacketSize", "u32", HANDSHAKE, 1, U32_MAX),
  number(0x28, "wildcardSubscriptionAvailable", "boolean", ["connack"], 0, 1),
  number(0x29, "subscriptionIdentifiersAvailable", "boolean", ["connack"], 0, 1),
  number(0x2a, "sharedSubscriptionAvailable", "boolean", ["connack"], 0, 1),
];

function number(
  id: number,
  name: string,
  wire: PropertyWireType,
  carriers: readonly PropertyCarrier[],
  least: number,
  most: number,
): PropertyRow {
  return { id, name, wire, carriers, repeats: false, least, most };
}

function bytes(id: number, name: string, wire: PropertyWireType, carriers: readonly PropertyCarrier[]): PropertyRow {
  return { id, name, wire, carriers, repeats: false, least: 0, most: 0 };
}

const ROWS: ReadonlyMap<PropertyCarrier, readonly PropertyRow[]> = new Map(
  EVERY.map((carrier) => [carrier, PROPERTIES.filter((row) => row.carriers.includes(carrier))]),
);

function rowsOf(carrier: PropertyCarrier): readonly PropertyRow[] {
  return ROWS.get(carrier) ?? [];
}

/**
 * Reads a property block with its length in front; null when it is empty. `ERR_MALFORMED_PACKET` for an unknown identifier,
 * one of another packet, a value cut short by the block's end and more than {@link PROPERTY_COUNT_MAX} properties;
 * `ERR_PROTOCOL_VIOLATION` for a property twice and a value out of range; `ERR_TOPIC_ALIAS_INVALID` for topic alias 0
 * [MQTT-3.3.2-8]. Binary data is a view of the reader's buffer.
 */
export function decodeProperties<C extends PropertyCarrier>(r: ByteReader, carrier: C): PropertyBlocks[C] | null {
  const length = r.varint();
  if (length === 0) return null;
  if (length > r.left) throw malformed(`property length is ${length}, the packet has ${r.left} bytes more`);
  const outerEnd = r.end;
  r.end = r.at + length;
  const block = decodePropertyBlock(r, carrier);
  r.end = outerEnd;
  return block;
}

/** Reads properties up to the end of the reader's window: a block without its length. Refuses what {@link decodeProperties} does. */
export function decodePropertyBlock<C extends PropertyCarrier>(r: ByteReader, carrier: C): PropertyBlocks[C] {
  const rows = rowsOf(carrier);
  const block: Record<string, unknown> = {};
  for (let count = 1; r.at < r.end; count++) {
    if (count > PROPERTY_COUNT_MAX) throw malformed(`more than ${PROPERTY_COUNT_MAX} properties in one packet`);
    const id = r.varint();
    const row = rows.find((each) => each.id === id);
    if (row === undefined) throw malformed(`property ${id} is not one of ${carrier.toUpperCase()}`);
    readInto(r, row, block);
  }
  return block as PropertyBlocks[C];
}

function readInto(r: ByteReader, row: PropertyRow, block: Record<string, unknown>): void {
  const known = block[row.name];
  const value = readValue(r, row);
  if (row.repeats) {
    if (Array.isArray(known)) known.push(value);
    else block[row.name] = [value];
    return;
  }
  if (known !== undefined) throw violation(`property ${row.name} twice in one packet`);
  block[row.name] = value;
}

function readValue(r: ByteReader, row: PropertyRow): unknown {
  switch (row.wire) {
    case "boolean":
      return inRange(r.u8(), row) === 1;
    case "u8":
      return inRange(r.u8(), row);
    case "u16":
      return inRange(r.u16(), row);
    case "u32":
      return inRange(r.u32(), row);
    case "varint":
      return inRange(r.varint(), row);
    case "string":
      return r.string16();
    case "topic":
      return readTopicName(r);
    case "binary":
      return r.bytes16();
    case "pair":
      return [r.string16(), r.string16()];
    default:
      return unreachable(row.wire);
  }
}

function inRange(value: number, row: PropertyRow): number {
  if (value >= row.least && value <= row.most) return value;
  const what = `property ${row.name} must not be ${value}`;
  throw row.name === "topicAlias" ? new MessagingError("ERR_TOPIC_ALIAS_INVALID", what) : violation(what);
}

/** A string that must be a topic name [MQTT-3.3.2-14]. */
function readTopicName(r: ByteReader): string {
  const topic = r.string16();
  const wrong = validateTopicName(topic);
  if (wrong !== null) throw malformed(wrong);
  return topic;
}

/** An `ERR_PROTOCOL_VIOLATION` to throw. */
function violation(what: string): MessagingError {
  return new MessagingError("ERR_PROTOCOL_VIOLATION", what);
}

/**
 * Bytes that a property block takes without its length, 0 for null. It refuses with `ERR_INVALID_ARGUMENT` a field that
 * the carrier does not have, a value of another type or out of range and more than {@link PROPERTY_COUNT_MAX}
 * properties, and a response topic that is no topic name with `ERR_INVALID_TOPIC`: {@link writeProperties} then cannot fail.
 */
export function measureProperties<C extends PropertyCarrier>(
  text: TextCodec,
  carrier: C,
  properties: PropertyBlocks[C] | null,
): number {
  if (properties === null) return 0;
  const rows = rowsOf(carrier);
  const fields = properties as Readonly<Record<string, unknown>>;
  let total = 0;
  let count = 0;
  for (const row of rows) {
    const value = fields[row.name];
    if (value === undefined) continue;
    const values = valuesOf(row, value);
    count += values.length;
    for (const each of values) total += 1 + measureValue(text, row, each);
  }
  for (const name of Object.keys(fields)) {
    if (rows.every((row) => row.name !== name)) throw invalid(`${carrier.toUpperCase()} has no property ${name}`);
  }
  if (count > PROPERTY_COUNT_MAX) throw invalid(`more than ${PROPERTY_COUNT_MAX} properties in one packet`);
  return total;
}

function valuesOf(row: PropertyRow, value: unknown): readonly unknown[] {
  if (!row.repeats) return [value];
  if (!Array.isArray(value)) throw invalid(`property ${row.name} must be a list`);
  return value;
}

function measureValue(text: TextCodec, row: PropertyRow, value: unknown): number {
  const what = `property ${row.name}`;
  switch (row.wire) {
    case "boolean":
      if (typeof value !== "boolean") throw invalid(`${what} must be true or false`);
      return 1;
    case "u8":
      checkInteger(value, what, row.least, row.most);
      return 1;
    case "u16":
      checkInteger(value, what, row.least, row.most);
      return 2;
    case "u32":
      checkInteger(value, what, row.least, row.most);
      return 4;
    case "varint":
      checkInteger(value, what, row.least, row.most);
      return varintBytes(value as number);
    case "string":
      return stringBytes(text, value, what);
    case "topic":
      return topicBytes(text, value, what);
    case "binary":
      return binaryBytes(value, what);
    case "pair":
      return pairBytes(text, value, what);
    default:
      return unreachable(row.wire);
  }
}

function topicBytes(text: TextCodec, value: unknown, what: string): number {
  if (typeof value !== "string") throw invalid(`${what} must be a string`);
  const wrong = validateTopicName(value);
  if (wrong !== null) throw new MessagingError("ERR_INVALID_TOPIC", `${what}: ${wrong}`);
  return stringBytes(text, value, what);
}

/** [MQTT-1.5.7-1] */
function pairBytes(text: TextCodec, value: unknown, what: string): number {
  if (!Array.isArray(value) || value.length !== 2) throw invalid(`${what} must be a list of [name, value] pairs`);
  return stringBytes(text, value[0], what) + stringBytes(text, value[1], what);
}

/**
 * Writes a property block that {@link measureProperties} measured as `blockBytes`, its length in front; nothing but the
 * length 0 when there are none [MQTT-2.2.2-1]. The caller has made room for `varintBytes(blockBytes) + blockBytes`.
 */
export function writeProperties<C extends PropertyCarrier>(
  w: ByteWriter,
  carrier: C,
  properties: PropertyBlocks[C] | null,
  blockBytes: number,
): void {
  w.varint(blockBytes);
  if (blockBytes > 0 && properties !== null) writePropertyBlock(w, carrier, properties);
}

/** Writes measured properties in the table's order, without their length. */
export function writePropertyBlock<C extends PropertyCarrier>(
  w: ByteWriter,
  carrier: C,
  properties: PropertyBlocks[C],
): void {
  const fields = properties as Readonly<Record<string, unknown>>;
  for (const row of rowsOf(carrier)) {
    const value = fields[row.name];
    if (value === undefined) continue;
    for (const each of row.repeats ? (value as readonly unknown[]) : [value]) {
      w.u8(row.id);
      writeValue(w, row, each);
    }
  }
}

function writeValue(w: ByteWriter, row: PropertyRow, value: unknown): void {
  switch (row.wire) {
    case "boolean":
      w.u8(value === true ? 1 : 0);
      return;
    case "u8":
      w.u8(value as number);
      return;
    case "u16":
      w.u16(value as number);
      return;
    case "u32":
      w.u32(value as number);
      return;
    case "varint":
      w.varint(value as number);
      return;
    case "string":
    case "topic":
      w.string16(value as string);
      return;
    case "binary":
      w.bytes16(value as Uint8Array);
      return;
    case "pair": {
      const [name, text] = value as UserProperties[number];
      w.string16(name);
      w.string16(text);
      return;
    }
    default:
      unreachable(row.wire);
  }
}
