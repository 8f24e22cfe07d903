import {
  AmqpMap,
  type AmqpValue,
  type CompositeInput,
  Section,
  Typed,
  valueBytesMax,
  writeComposite,
  writeMap,
} from "polymq/amqp10/codec";
import { ByteWriter, type TextCodec } from "polymq/internal";
import {
  Amqp10Header,
  ApplicationProperty,
  bytesOfBase64,
  HEADERS_ANNOTATION,
  idOf,
  isAscii,
  LONG_TEXTS,
} from "./amqp10-block.ts";
import { amqp10Of, isSimple } from "./amqp10-values.ts";
import {
  type CommonEntry,
  type CommonProperties,
  type CommonValue,
  keepingReplyTo,
  textOf,
} from "./common-properties.ts";
import { textOrBytes } from "./text-or-bytes.ts";

/*
 * The AMQP 1.0 side of docs/property-mapping.md, writing: sections without a body. Headers with the names of `Amqp10Header` are again what they were.
 */

type Draft<N extends "header" | "properties"> = { -readonly [K in keyof CompositeInput<N>]: CompositeInput<N>[K] };

const DESCRIBED = 0x00;
const SMALL_ULONG = 0x53;

/** Header, annotations, properties, application properties and footer that say the same; null for nothing at all. */
export function writeAmqp10Block(properties: CommonProperties, text: TextCodec): Uint8Array | null {
  return new Sections(text).write(properties);
}

/** What is gathered for one message. */
class Sections {
  readonly #text: TextCodec;
  readonly #header: Draft<"header"> = { type: "header" };
  readonly #properties: Draft<"properties"> = { type: "properties" };
  readonly #annotations = new AmqpMap();
  readonly #application = new AmqpMap();
  readonly #footer = new AmqpMap();
  /** Headers that are lists or maps. */
  readonly #compound = new AmqpMap();
  #messageIdType = "";
  #correlationIdType = "";

  constructor(text: TextCodec) {
    this.#text = text;
  }

  write(properties: CommonProperties): Uint8Array | null {
    const given = keepingReplyTo(properties);
    const headers: CommonEntry[] = [];
    for (const entry of given.headers) {
      const [name, value] = entry;
      if (!(name.startsWith(Amqp10Header.prefix) && this.#takeOwn(name, value))) headers.push(entry);
    }
    this.#takeFields(given);
    this.#takeNamed(given);
    for (const [name, value] of gathered(headers)) this.#takeHeader(name, value);
    if (this.#compound.size > 0) this.#annotations.append(new Typed("symbol", HEADERS_ANNOTATION), this.#compound);
    return this.#encoded();
  }

  /** Takes in a header that stands for what only AMQP 1.0 says; false for one that holds no such value. */
  #takeOwn(name: string, value: CommonValue): boolean {
    if (name.startsWith(Amqp10Header.annotation)) {
      return take(this.#annotations, name.slice(Amqp10Header.annotation.length), value);
    }
    if (name.startsWith(Amqp10Header.footer)) return take(this.#footer, name.slice(Amqp10Header.footer.length), value);
    if (name === Amqp10Header.userIdBytes)
      return this.#takeUser(typeof value === "string" ? bytesOfBase64(value) : value);
    return typeof value === "string" && this.#takeText(name, value) ? true : this.#takeNumber(name, value);
  }

  #takeUser(value: CommonValue): boolean {
    if (!(value instanceof Uint8Array)) return false;
    this.#properties.userId = value;
    return true;
  }

  #takeText(name: string, value: string): boolean {
    const properties = this.#properties;
    switch (name) {
      case Amqp10Header.to:
        properties.to = value;
        return true;
      case Amqp10Header.userId:
        properties.userId = this.#utf8(value);
        return true;
      case Amqp10Header.groupId:
        properties.groupId = value;
        return true;
      case Amqp10Header.replyToGroupId:
        properties.replyToGroupId = value;
        return true;
      case Amqp10Header.messageIdType:
        this.#messageIdType = value;
        return true;
      case Amqp10Header.correlationIdType:
        this.#correlationIdType = value;
        return true;
      case Amqp10Header.subject:
        properties.subject = value;
        return true;
      case Amqp10Header.messageId:
        properties.messageId = value;
        return true;
      case Amqp10Header.replyTo:
        properties.replyTo = value;
        return true;
      case Amqp10Header.contentType:
      case Amqp10Header.contentEncoding:
        if (!isAscii(value)) return false;
        properties[name === Amqp10Header.contentType ? "contentType" : "contentEncoding"] = value;
        return true;
      default:
        return false;
    }
  }

  #takeNumber(name: string, value: CommonValue): boolean {
    const number = int64Of(value);
    if (number === null) return false;
    switch (name) {
      case Amqp10Header.groupSequence:
        if (number < 0 || number > UINT_MAX) return false;
        this.#properties.groupSequence = Number(number);
        return true;
      case Amqp10Header.absoluteExpiryTime:
        this.#properties.absoluteExpiryTime = number;
        return true;
      case Amqp10Header.creationTime:
        this.#properties.creationTime = number;
        return true;
      default:
        return false;
    }
  }

  #takeFields(given: CommonProperties): void {
    const properties = this.#properties;
    if (given.isDurable === true) this.#header.durable = true;
    if (given.priority !== undefined) this.#header.priority = given.priority;
    for (const field of Object.keys(LONG_TEXTS) as (keyof typeof LONG_TEXTS)[]) {
      const value = given[field];
      const name = field === "type" ? "subject" : field;
      if (value === undefined || (properties[name] ?? null) !== null) continue;
      if (name !== "contentType" && name !== "contentEncoding") properties[name] = value;
      else if (isAscii(value)) properties[name] = value;
    }
    this.#takeIds(given.correlationId);
    properties.replyTo ??= given.responseTopic;
    if (given.userId !== undefined) properties.userId = this.#utf8(given.userId);
    const { timestampMs } = given;
    if (timestampMs !== undefined && Number.isSafeInteger(timestampMs)) properties.creationTime ??= timestampMs;
  }

  #takeIds(correlation: string | Uint8Array | undefined): void {
    const properties = this.#properties;
    const type = this.#messageIdType;
    const id = properties.messageId;
    if (typeof id === "string" && type !== "") {
      const typedId = idOf(id, type);
      if (typedId === null) this.#application.append(Amqp10Header.messageIdType, type);
      else properties.messageId = typedId;
    }
    if (correlation !== undefined) properties.correlationId = this.#correlationOf(correlation);
  }

  #correlationOf(value: string | Uint8Array): AmqpValue {
    const type = this.#correlationIdType;
    const found = typeof value === "string" ? value : textOrBytes(value, this.#text);
    if (typeof found !== "string") return found;
    if (type === "binary") return this.#utf8(found);
    const typedId = idOf(found, type);
    if (typedId === null && type !== "") this.#application.append(Amqp10Header.correlationIdType, type);
    return typedId ?? found;
  }

  /** What AMQP 1.0 has no property for. */
  #takeNamed(given: CommonProperties): void {
    const own = this.#application;
    if (given.responseTopic !== undefined) own.append(ApplicationProperty.responseTopic, given.responseTopic);
    if (given.payloadFormat !== undefined) own.append(ApplicationProperty.payloadFormat, String(given.payloadFormat));
    if (given.appId !== undefined) own.append(ApplicationProperty.appId, given.appId);
    if (given.clusterId !== undefined) own.append(ApplicationProperty.clusterId, given.clusterId);
    for (const field of ["contentType", "contentEncoding"] as const) {
      const value = given[field];
      if (value !== undefined && !isAscii(value)) own.append(ApplicationProperty[field], value);
    }
  }

  /** Application properties hold simple values (§3.2.5): of a list or a map they hold the text, and an annotation the rest. */
  #takeHeader(name: string, value: CommonValue): void {
    if (this.#application.has(name)) return;
    if (isSimple(value)) return this.#application.append(name, amqp10Of(value));
    this.#application.append(name, textOf(value));
    this.#compound.append(name, amqp10Of(value));
  }

  #encoded(): Uint8Array | null {
    const header = this.#header;
    const properties = this.#properties;
    const maps = [this.#annotations, this.#application, this.#footer];
    let bytes = fieldsBytesMax(header) + fieldsBytesMax(properties);
    for (const map of maps) bytes += SECTION_HEAD + valueBytesMax(map);
    const w = new ByteWriter(this.#text, bytes);
    if (Object.keys(header).length > 1) writeComposite(w, header as CompositeInput<"header">);
    writeSection(w, Section.messageAnnotations, this.#annotations);
    if (Object.values(properties).some((value, i) => i > 0 && value !== undefined)) {
      writeComposite(w, properties as CompositeInput<"properties">);
    }
    writeSection(w, Section.applicationProperties, this.#application);
    writeSection(w, Section.footer, this.#footer);
    return w.at === 0 ? null : w.copyFrom(0);
  }

  #utf8(value: string): Uint8Array {
    const bytes = new Uint8Array(this.#text.byteLength(value));
    this.#text.write(bytes, 0, value);
    return bytes;
  }
}

const UINT_MAX = 0xffff_ffff;
const SECTION_HEAD = 3;
const COMPOSITE_HEAD = 24;

function fieldsBytesMax(fields: object): number {
  let bytes = COMPOSITE_HEAD;
  for (const value of Object.values(fields)) if (value !== undefined) bytes += valueBytesMax(value as AmqpValue);
  return bytes;
}

function writeSection(w: ByteWriter, code: number, map: AmqpMap): void {
  if (map.size === 0) return;
  w.u8(DESCRIBED);
  w.u8(SMALL_ULONG);
  w.u8(code);
  writeMap(w, map, "as they are");
}

/** Under a symbol key; false for a name that is no symbol. */
function take(map: AmqpMap, name: string, value: CommonValue): boolean {
  if (name === "" || !isAscii(name)) return false;
  map.append(new Typed("symbol", name), amqp10Of(value));
  return true;
}

/** A number, or text in decimal, that an int64 holds; else null. */
function int64Of(value: CommonValue): number | bigint | null {
  const said = typeof value === "object" && value !== null && "number" in value ? value.number : value;
  if (typeof said === "number") return Number.isSafeInteger(said) ? said : null;
  if (typeof said === "string" && !/^-?\d{1,19}$/.test(said)) return null;
  if (typeof said !== "string" && typeof said !== "bigint") return null;
  const whole = BigInt(said);
  if (whole < -(2n ** 63n) || whole >= 2n ** 63n) return null;
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
}

/** Each name once, in order of the first; one that stands several times is a list. */
function gathered(headers: readonly CommonEntry[]): ReadonlyMap<string, CommonValue> {
  const byName = new Map<string, CommonValue[]>();
  for (const [name, value] of headers) {
    const before = byName.get(name);
    if (before === undefined) byName.set(name, [value]);
    else before.push(value);
  }
  return new Map(Array.from(byName, ([name, values]) => [name, values.length === 1 ? (values[0] ?? null) : values]));
}
