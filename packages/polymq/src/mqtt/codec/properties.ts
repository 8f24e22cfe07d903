/** The properties of MQTT 5.0 as one table, and the encoder and decoder that it drives (§2.2.2). */
import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { ByteWriter, VARINT_MAX } from "../../bytes/writer.ts";
import { checkInteger, checkTopic, invalid, putBinary, putString } from "./arguments.ts";
import type {
  AuthProperties,
  ConnackProperties,
  ConnectProperties,
  DisconnectProperties,
  PublishProperties,
  ReasonProperties,
  SubscribeProperties,
  Unsubscribe,
  WillProperties,
} from "./packets.ts";
import { validateTopicName } from "./topic.ts";
import { violation } from "./violation.ts";

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
    case "string":
      return r.string16();
    case "topic":
      return readTopicName(r);
    case "binary":
      return r.bytes16();
    case "pair":
      return [r.string16(), r.string16()];
    default:
      return inRange(r[row.wire](), row);
  }
}

function inRange(value: number, row: PropertyRow): number {
  if (value >= row.least && value <= row.most) return value;
  const what = `property ${row.name} must not be ${value}`;
  throw row.name === "topicAlias" ? new MessagingError("ERR_TOPIC_ALIAS_INVALID", what) : violation(what);
}

/** A string that must be a topic name [MQTT-3.3.2-14]. */
export function readTopicName(r: ByteReader): string {
  const topic = r.string16();
  const wrong = validateTopicName(topic);
  if (wrong !== null) throw malformed(wrong);
  return topic;
}

/**
 * Writes a property block with its length in front, making room for it, and returns the bytes of its properties; nothing but
 * the length 0 when there are none [MQTT-2.2.2-1]. It refuses with
 * `ERR_INVALID_ARGUMENT` a field that the carrier does not have, a value of another type or out of range and more than
 * {@link PROPERTY_COUNT_MAX} properties, and a response topic that is no topic name with `ERR_INVALID_TOPIC`.
 */
export function putProperties<C extends PropertyCarrier>(
  w: ByteWriter,
  carrier: C,
  properties: PropertyBlocks[C] | null,
): number {
  const block = new ByteWriter(w.text);
  putPropertyBlock(block, carrier, properties);
  w.reserve(4 + block.at);
  w.varint(block.at);
  w.bytes(block.buffer.subarray(0, block.at));
  return block.at;
}

/** Writes properties in the table's order, without their length. Refuses what {@link putProperties} does, with part of them written. */
export function putPropertyBlock<C extends PropertyCarrier>(
  w: ByteWriter,
  carrier: C,
  properties: PropertyBlocks[C] | null,
): void {
  const rows = rowsOf(carrier);
  const fields = (properties ?? {}) as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields)) {
    if (!rows.some((row) => row.name === name)) throw invalid(`${carrier.toUpperCase()} has no property ${name}`);
  }
  let count = 0;
  for (const row of rows) {
    const value = fields[row.name];
    if (value === undefined) continue;
    if (row.repeats && !Array.isArray(value)) throw invalid(`property ${row.name} must be a list`);
    for (const each of row.repeats ? (value as readonly unknown[]) : [value]) {
      if (++count > PROPERTY_COUNT_MAX) throw invalid(`more than ${PROPERTY_COUNT_MAX} properties in one packet`);
      w.reserve(NUMBER_BYTES_MAX);
      w.u8(row.id);
      putValue(w, row, each);
    }
  }
}

/** Identifier and the largest number. */
const NUMBER_BYTES_MAX = 5;

function putValue(w: ByteWriter, row: PropertyRow, value: unknown): void {
  const what = `property ${row.name}`;
  switch (row.wire) {
    case "boolean":
      if (typeof value !== "boolean") throw invalid(`${what} must be true or false`);
      return w.u8(value ? 1 : 0);
    case "topic":
      if (typeof value === "string") checkTopic(validateTopicName(value), what);
      return putString(w, value, what);
    case "string":
      return putString(w, value, what);
    case "binary":
      return putBinary(w, value, what);
    case "pair": // [MQTT-1.5.7-1]
      if (!Array.isArray(value) || value.length !== 2) throw invalid(`${what} must be a list of [name, value] pairs`);
      putString(w, value[0], what);
      return putString(w, value[1], what);
    default:
      checkInteger(value, what, row.least, row.most);
      w[row.wire](value);
  }
}
