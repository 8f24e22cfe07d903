// Hot path: `writeMessage` runs per message. No closure, promise, spread, iterator or regex here.
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter, put32 } from "../../bytes/writer.ts";
import { writeComposite, writeNamed } from "./composite.ts";
import { Code } from "./format-codes.ts";
import type { CompositeInput } from "./tables.ts";
import type { AmqpInput, MapInput } from "./values.ts";
import { invalid, STRING_HEAD } from "./write-scalar.ts";
import { valueBytesMax, writeMap, writeValue } from "./write-value.ts";

/*
 * A message (§3.2): header, delivery-annotations, message-annotations, properties, application-properties, the body (data
 * once or more, or amqp-sequence once or more, or one amqp-value), footer. Each section is a described value.
 */

/** Numeric descriptors of the sections, in the order in which they stand. */
export const Section = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  sequence: 0x76,
  value: 0x77,
  footer: 0x78,
} as const;

/** A body to be sent: binary data in one section or many, lists, one value, or one composite as the value (§4.2). */
export type BodyInput =
  | { readonly type: "data"; readonly data: Uint8Array | readonly Uint8Array[] }
  | { readonly type: "sequence"; readonly sequences: readonly (readonly AmqpInput[])[] }
  | { readonly type: "value"; readonly value: AmqpInput }
  | { readonly type: "composite"; readonly composite: CompositeInput };

/** A message to be sent, by its sections. Text keys of annotations and footer are sent as symbols. */
export interface MessageInput {
  readonly header?: Omit<CompositeInput<"header">, "type"> | null | undefined;
  readonly deliveryAnnotations?: MapInput | null | undefined;
  readonly messageAnnotations?: MapInput | null | undefined;
  readonly properties?: Omit<CompositeInput<"properties">, "type"> | null | undefined;
  readonly applicationProperties?: MapInput | null | undefined;
  readonly body: BodyInput;
  readonly footer?: MapInput | null | undefined;
}

/**
 * A message of one data section, made once, changed and used again: it is written without a look for other sections. Those that stand before the
 * body are encoded already.
 */
export class DataMessage implements MessageInput {
  head: Uint8Array = NO_BYTES;
  readonly body: { readonly type: "data"; data: Uint8Array } = { type: "data", data: NO_BYTES };
}

/** Descriptor of a section. */
const SECTION_HEAD = 3;
/** Descriptor and list head of a composite section, as it is while it is moved. */
const COMPOSITE_SECTION_HEAD = 20;

/** A bound of the bytes that {@link writeMessage} needs, found without encoding. */
export function messageBytesMax(message: MessageInput): number {
  return message instanceof DataMessage
    ? message.head.length + dataBytesMax(message.body.data)
    : sectionsBytesMax(message);
}

function sectionsBytesMax(message: MessageInput): number {
  const body = message.body;
  let bytes = 0;
  if (body.type === "data") bytes += dataBytesMax(body.data);
  else bytes += otherBodyBytesMax(body);
  if (message.footer) bytes += SECTION_HEAD + valueBytesMax(message.footer);
  if (message.header) bytes += fieldsBytesMax(message.header);
  if (message.deliveryAnnotations) bytes += SECTION_HEAD + valueBytesMax(message.deliveryAnnotations);
  if (message.messageAnnotations) bytes += SECTION_HEAD + valueBytesMax(message.messageAnnotations);
  if (message.properties) bytes += fieldsBytesMax(message.properties);
  if (message.applicationProperties) bytes += SECTION_HEAD + valueBytesMax(message.applicationProperties);
  return bytes;
}

function dataBytesMax(data: Uint8Array | readonly Uint8Array[]): number {
  if (data instanceof Uint8Array) return SECTION_HEAD + 5 + data.length;
  let bytes = 0;
  for (let i = 0; i < data.length; i++) bytes += SECTION_HEAD + 5 + (data[i] as Uint8Array).length;
  return bytes;
}

function otherBodyBytesMax(body: Exclude<BodyInput, { type: "data" }>): number {
  if (body.type === "value") return SECTION_HEAD + valueBytesMax(body.value);
  if (body.type === "composite") return SECTION_HEAD + fieldsBytesMax(body.composite);
  let bytes = 0;
  for (let i = 0; i < body.sequences.length; i++) {
    bytes += SECTION_HEAD + valueBytesMax(body.sequences[i] as readonly AmqpInput[]);
  }
  return bytes;
}

function fieldsBytesMax(fields: object): number {
  let bytes = COMPOSITE_SECTION_HEAD;
  for (const name in fields) bytes += valueBytesMax((fields as Readonly<Record<string, AmqpInput>>)[name] ?? null);
  return bytes;
}

/**
 * Writes a message. A writer that is an outbox must have been given room for {@link messageBytesMax} before.
 * @throws {MessagingError} ERR_INVALID_ARGUMENT for what cannot be encoded; the writer is then where it was
 */
export function writeMessage(w: ByteWriter, message: MessageInput): void {
  if (message instanceof DataMessage) {
    w.bytes(message.head);
    writeData(w, message.body.data);
  } else writeOrRewind(w, message);
}

function writeOrRewind(w: ByteWriter, message: MessageInput): void {
  const start = w.at;
  try {
    writeSections(w, message);
  } catch (error) {
    w.at = start;
    throw error;
  }
}

function writeSections(w: ByteWriter, message: MessageInput): void {
  writeFront(w, message);
  writeBody(w, message.body);
  writeFooter(w, message);
}

/** The sections before the body. */
function writeFront(w: ByteWriter, message: MessageInput): void {
  if (message instanceof DataMessage) return w.bytes(message.head);
  if (message.header) writeNamed(w, "header", message.header);
  if (message.deliveryAnnotations) {
    sectionHead(w, Section.deliveryAnnotations);
    writeMap(w, message.deliveryAnnotations, "symbols");
  }
  if (message.messageAnnotations) {
    sectionHead(w, Section.messageAnnotations);
    writeMap(w, message.messageAnnotations, "symbols");
  }
  if (message.properties) writeNamed(w, "properties", message.properties);
  if (message.applicationProperties) {
    sectionHead(w, Section.applicationProperties);
    writeMap(w, message.applicationProperties, "as they are");
  }
}

function writeFooter(w: ByteWriter, message: MessageInput): void {
  if (!message.footer) return;
  sectionHead(w, Section.footer);
  writeMap(w, message.footer, "symbols");
}

function writeBody(w: ByteWriter, body: BodyInput): void {
  switch (body.type) {
    case "data":
      if (body.data instanceof Uint8Array) return writeData(w, body.data);
      if (body.data.length === 0) throw invalid("a body of data without a section");
      for (let i = 0; i < body.data.length; i++) writeData(w, body.data[i] as Uint8Array);
      return;
    case "sequence":
      if (body.sequences.length === 0) throw invalid("a body of sequences without a section");
      for (let i = 0; i < body.sequences.length; i++) {
        sectionHead(w, Section.sequence);
        writeValue(w, body.sequences[i] as readonly AmqpInput[]);
      }
      return;
    case "value":
      sectionHead(w, Section.value);
      return writeValue(w, body.value);
    case "composite":
      sectionHead(w, Section.value);
      return writeComposite(w, body.composite);
    default:
      throw invalid("a message needs a body");
  }
}

function writeData(w: ByteWriter, data: Uint8Array): void {
  w.reserve(SECTION_HEAD + STRING_HEAD + data.length);
  writeDataHead(w, data.length);
  w.bytes(data);
}

function writeDataHead(w: ByteWriter, length: number): void {
  w.at = putDataHead(w.buffer, w.at, length);
}

/** Bytes of a data section with `length` bytes of data. */
export function dataSectionBytes(length: number): number {
  return SECTION_HEAD + (length <= 0xff ? 2 : STRING_HEAD) + length;
}

/** Writes descriptor, constructor and length of a data section where it is told, which has room, and returns what is next. */
export function putDataHead(buffer: Uint8Array, at: number, length: number): number {
  buffer[at] = Code.described;
  buffer[at + 1] = Code.smallulong;
  buffer[at + 2] = Section.data;
  if (length <= 0xff) {
    buffer[at + 3] = Code.vbin8;
    buffer[at + 4] = length;
    return at + SECTION_HEAD + 2;
  }
  buffer[at + 3] = Code.vbin32;
  put32(buffer, at + 4, length);
  return at + SECTION_HEAD + STRING_HEAD;
}

function sectionHead(w: ByteWriter, code: number): void {
  w.reserve(SECTION_HEAD);
  w.u8(Code.described);
  w.u8(Code.smallulong);
  w.u8(code);
}

/** A message's bytes, in a buffer of their own. Errors as {@link writeMessage}. */
export function encodeMessage(text: TextCodec, message: MessageInput): Uint8Array {
  const w = new ByteWriter(text, messageBytesMax(message));
  writeMessage(w, message);
  return w.buffer.subarray(0, w.at);
}

/** Bytes of a data section from which on {@link encodeParts} does not copy it: 50 MB took 43 ms in one go. */
export const DATA_BYTES_LARGE = 1_048_576;

/**
 * A message's bytes in parts, one behind the other: one, in a buffer of its own, or, where its body is one large data section, what is before it,
 * the very bytes that were given, and what is behind it. Errors as {@link writeMessage}.
 */
export function encodeParts(text: TextCodec, message: MessageInput): Uint8Array[] {
  const { body } = message;
  if (body.type !== "data" || !(body.data instanceof Uint8Array) || body.data.length < DATA_BYTES_LARGE) {
    return [encodeMessage(text, message)];
  }
  const { data } = body;
  const w = new ByteWriter(text, messageBytesMax(message) - data.length);
  writeFront(w, message);
  w.reserve(SECTION_HEAD + STRING_HEAD);
  writeDataHead(w, data.length);
  const front = w.at;
  writeFooter(w, message);
  const parts = [w.buffer.subarray(0, front), data];
  if (w.at > front) parts.push(w.buffer.subarray(front, w.at));
  return parts;
}
