// Hot path: `plain`, `stamped` and `topic` run per delivery. No closure, promise, spread, iterator or regex on their usual way.
import {
  AmqpMap,
  type CompositeInput,
  decodeFields,
  type Header,
  type Properties,
  Section,
  typed,
  ValueReader,
  valueBytesMax,
  writeComposite,
  writeMap,
} from "polymq/amqp10/codec";
import { ByteWriter, type TextCodec } from "polymq/internal";
import type { MessageView } from "../../core/message.ts";
import { exchangeOf, routingKeyOf } from "../../core/queues/message-address.ts";
import { QUEUE_PREFIX } from "../../core/queues/queue-address.ts";
import type { DeadLetterFacts, QueueMessage } from "../../core/queues/queue-message.ts";
import type { QueueDelivery } from "../../core/queues/queue-port.ts";
import { DEAD_LETTER_NAMES, STAMP_NAMES } from "../delivery-names.ts";
import { Encoding } from "../translate/encodings.ts";
import { APPLICATION_PROPERTIES, DATA, FOOTER, HEADER, MESSAGE_ANNOTATIONS, PROPERTIES, Sections } from "./sections.ts";

/** A message's bytes: valid until the next call, or, of a large one, parts that stay as they are. */
export type DeliveryBytes = Uint8Array | readonly Uint8Array[];

/** Bytes of a payload from which on it is not copied into its deliveries. */
const PAYLOAD_BYTES_LARGE = 32_768;

/** Application properties that nobody but the broker writes on deliveries that carry its own. */
const OWN: ReadonlySet<string> = new Set([
  ...STAMP_NAMES,
  ...DEAD_LETTER_NAMES,
  "message-id",
  "delivery-count",
  "x-stream-offset",
]);

/** Sections of a message in AMQP 1.0's own form, from whatever its publisher spoke. */
export interface SectionSource {
  /** The sections but for a body that is one data section; null for none. */
  toAmqp10(
    message: { readonly properties: Uint8Array | null; readonly encoding: number; readonly expiresAtMs: number },
    isDurable: boolean,
  ): Uint8Array | null;
}

/** What is written for a message. */
interface Written {
  readonly payload: Uint8Array;
  readonly properties: Uint8Array | null;
  readonly encoding: number;
  readonly expiresAtMs: number;
}

const CODE_DESCRIBED = 0x00;
const CODE_SMALL_ULONG = 0x53;
const CODE_BINARY_8 = 0xa0;
const CODE_BINARY_32 = 0xb0;
const CODE_STRING_8 = 0xa1;
const CODE_STRING_32 = 0xb1;
const CODE_MAP_32 = 0xd1;

/** Bytes that a UTF-16 unit can take. */
const UTF8_BYTES_MAX = 3;

/**
 * Makes the bytes of deliveries: the publisher's sections, turned over where it spoke another protocol, with what the broker has to say about the delivery.
 */
export class DeliveryMessages {
  readonly #source: SectionSource;
  readonly #reader: ValueReader;
  readonly #sections = new Sections();
  readonly #w: ByteWriter;
  /** Entries of the application properties that are being gathered. */
  readonly #entries: ByteWriter;
  #entryCount = 0;

  constructor(text: TextCodec, source: SectionSource) {
    this.#source = source;
    this.#reader = new ValueReader(text);
    this.#w = new ByteWriter(text, 1_024);
    this.#entries = new ByteWriter(text, 512);
  }

  /** For receivers that know nothing of `$queue/`: the bare message as it was sent, and what AMQP 1.0 servers tell besides. */
  plain(delivery: QueueDelivery, epochMs: number): DeliveryBytes {
    const { message, deliveryCount, stream } = delivery;
    const block = this.#begin(message);
    this.#header(block, message, deliveryCount, epochMs);
    const annotations = this.#annotationsFor(message, stream === null ? -1 : delivery.offset, delivery.note);
    this.#messageAnnotations(block, annotations);
    if (block !== null) this.#copyFrom(block, PROPERTIES, DATA);
    return this.#end(block, message.payload);
  }

  /** For receivers of `$queue/` addresses and named groups: with all that the broker knows of the delivery. */
  stamped(delivery: QueueDelivery, epochMs: number): DeliveryBytes {
    const { message, queue, deliveryCount } = delivery;
    const block = this.#begin(message);
    this.#header(block, message, deliveryCount, epochMs);
    this.#messageAnnotations(block, this.#annotationsFor(message, -1, delivery.note));
    const id = `${queue}:${delivery.offset}`;
    this.#ownProperties(block, addressOf(message.topic, queue), id);
    this.#beginEntries(block);
    this.#facts(delivery, id);
    this.#endEntries();
    return this.#end(block, message.payload);
  }

  /** For durable subscriptions to plain topics: as {@link topic}, with what the queue behind it knows. */
  subscribed(delivery: QueueDelivery, epochMs: number): DeliveryBytes {
    const { message } = delivery;
    const block = this.#begin(message);
    this.#header(block, message, delivery.deliveryCount, epochMs);
    this.#messageAnnotations(block, this.#annotationsFor(message, -1, delivery.note));
    this.#ownProperties(block, message.topic, null);
    if (block !== null) this.#copyFrom(block, APPLICATION_PROPERTIES, DATA);
    return this.#end(block, message.payload);
  }

  /** A message of a plain topic; `properties.to` tells which, unless the publisher's says something. */
  topic(message: MessageView, epochMs: number): DeliveryBytes {
    const block = this.#begin(message, message.guarantee > 0);
    this.#header(block, message, 0, epochMs);
    this.#messageAnnotations(block, null);
    this.#ownProperties(block, message.topic, null);
    if (block !== null) this.#copyFrom(block, APPLICATION_PROPERTIES, DATA);
    // What passes through is copied once for all who get it, unless it need not be.
    const { payload } = message;
    return this.#end(block, payload.length < PAYLOAD_BYTES_LARGE ? payload : message.keep().payload);
  }

  #begin(message: Written, isDurable = true): Uint8Array | null {
    this.#w.at = 0;
    const { properties, encoding } = message;
    const block = encoding === Encoding.Amqp10 ? properties : this.#source.toAmqp10(message, isDurable);
    if (block !== null) this.#sections.read(this.#reader, block);
    return block;
  }

  /** What the publisher said, with what is left of the message's life and how often it was delivered. */
  #header(block: Uint8Array | null, message: Written, deliveryCount: number, epochMs: number): void {
    const said = block !== null && this.#sections.has(HEADER) ? (this.#composite(block, HEADER) as Header) : null;
    const isForeign = message.encoding !== Encoding.Amqp10;
    const isMortal = message.expiresAtMs !== Number.POSITIVE_INFINITY && (isForeign || (said?.ttl ?? null) !== null);
    if (said === null && deliveryCount === 0 && !isMortal) return;
    const ttl = isMortal ? Math.min(TTL_MAX, Math.max(0, Math.ceil(message.expiresAtMs - epochMs))) : null;
    const header: CompositeInput<"header"> = {
      type: "header",
      durable: said?.durable ?? null,
      priority: said?.priority ?? null,
      ttl,
      firstAcquirer: null,
      deliveryCount: deliveryCount === 0 ? null : deliveryCount,
    };
    writeComposite(this.#w, header);
  }

  #annotationsFor(message: QueueMessage, streamOffset: number, further: Uint8Array | null): AmqpMap | null {
    const { deadLetter } = message;
    if (streamOffset < 0 && deadLetter === null && further === null && message.exchange === null) return null;
    const own = new AmqpMap();
    if (message.exchange !== null && message.exchange !== "") {
      own.append(typed("symbol", "x-exchange"), exchangeOf(message));
      own.append(typed("symbol", "x-routing-key"), routingKeyOf(message));
    }
    if (streamOffset >= 0) own.append(typed("symbol", "x-stream-offset"), typed("ulong", streamOffset));
    if (deadLetter !== null) appendDeath(own, deadLetter);
    if (further !== null) {
      this.#reader.reset(further, 0, further.length);
      const more = this.#reader.value();
      if (more instanceof AmqpMap) for (const [key, value] of more) own.set(key, value);
    }
    return own.size === 0 ? null : own;
  }

  #messageAnnotations(block: Uint8Array | null, own: AmqpMap | null): void {
    if (block === null || !this.#sections.has(MESSAGE_ANNOTATIONS)) {
      if (own !== null) this.#map(own);
      return;
    }
    if (own === null) return this.#copy(block, MESSAGE_ANNOTATIONS);
    const said = this.#at(block, MESSAGE_ANNOTATIONS).value();
    const all = new AmqpMap(said instanceof AmqpMap ? said : []);
    for (const [key, value] of own) all.set(key, value);
    this.#map(all);
  }

  #map(annotations: AmqpMap): void {
    this.#head(Section.messageAnnotations);
    this.#w.reserve(valueBytesMax(annotations));
    writeMap(this.#w, annotations, "symbols");
  }

  /** The publisher's properties with the address that the message is delivered on and, unless null, its id. */
  #ownProperties(block: Uint8Array | null, to: string, id: string | null): void {
    if (block === null || !this.#sections.has(PROPERTIES)) return this.#freshProperties(to, id);
    const said = this.#composite(block, PROPERTIES) as Properties;
    if (id === null && said.to !== null) return this.#copy(block, PROPERTIES);
    // The answer to a request names the id that its sender gave it; ours is among the application properties.
    const keepsId = id === null || (said.replyTo !== null && said.messageId !== null);
    const properties: CompositeInput<"properties"> = { ...said, to, messageId: keepsId ? said.messageId : id };
    this.#w.reserve(valueBytesMax(to) + (this.#sections.ends[PROPERTIES] as number) + 64);
    writeComposite(this.#w, properties);
  }

  /** A list of message-id, user-id (null) and to. */
  #freshProperties(to: string, id: string | null): void {
    const w = this.#w;
    this.#head(Section.properties);
    const bytes = (to.length + (id?.length ?? 0)) * UTF8_BYTES_MAX + 32;
    w.reserve(bytes);
    const start = w.at;
    w.u8(0xd0);
    w.u32(0);
    w.u32(3);
    if (id === null) w.u8(0x40);
    else this.#string(w, id);
    w.u8(0x40);
    this.#string(w, to);
    const end = w.at;
    w.at = start + 1;
    w.u32(end - start - 5);
    w.at = end;
  }

  /** The publisher's application properties but for those that only the broker writes. */
  #beginEntries(block: Uint8Array | null): void {
    this.#entries.at = 0;
    this.#entryCount = 0;
    if (block === null || !this.#sections.has(APPLICATION_PROPERTIES)) return;
    const reader = this.#at(block, APPLICATION_PROPERTIES);
    const code = reader.u8();
    if (code === 0x40) return;
    const count = reader.enter(code);
    for (let i = 0; i < count; i += 2) {
      const start = reader.at;
      const key = reader.value();
      reader.skip();
      if (typeof key === "string" && OWN.has(key)) continue;
      this.#entries.reserve(reader.at - start);
      this.#entries.bytes(block.subarray(start, reader.at));
      this.#entryCount += 2;
    }
  }

  #endEntries(): void {
    const w = this.#w;
    const entries = this.#entries;
    this.#head(Section.applicationProperties);
    w.reserve(entries.at + 9);
    w.u8(CODE_MAP_32);
    w.u32(entries.at + 4);
    w.u32(this.#entryCount);
    w.bytes(entries.buffer.subarray(0, entries.at));
  }

  /** All as text, as FluxMQ's clients expect. */
  #facts(delivery: QueueDelivery, id: string): void {
    const { message, stream } = delivery;
    const digits = String(delivery.offset);
    this.#fact("message-id", id);
    this.#fact("group-id", delivery.group);
    this.#fact("queue", delivery.queue);
    this.#fact("offset", digits);
    this.#fact("x-source-topic", message.topic);
    if (stream !== null) {
      this.#fact("x-stream-offset", digits);
      this.#fact("x-stream-timestamp", String(stream.timestampMs));
      if (stream.work !== null) {
        this.#fact("x-work-committed-offset", String(stream.work.committed));
        this.#fact("x-work-acked", String(delivery.offset < stream.work.committed));
        this.#fact("x-work-group", stream.work.group);
      }
    }
    if (message.publisherId !== "") this.#fact("client_id", message.publisherId);
    if (message.origin !== "") this.#fact("protocol", message.origin);
    if (message.externalId !== "") this.#fact("external_id", message.externalId);
    if (message.deadLetter !== null) this.#death(message.deadLetter);
  }

  #death(death: DeadLetterFacts): void {
    this.#fact("x-dead-letter-reason", death.reason);
    this.#fact("x-dead-letter-queue", death.queue);
    this.#fact("x-dead-letter-offset", String(death.offset));
    this.#fact("x-dead-letter-count", String(death.count));
    this.#fact("x-first-death-ms", String(death.firstDeathMs));
    if (death.detail !== "") this.#fact("x-dead-letter-detail", death.detail);
  }

  #fact(name: string, value: string): void {
    const w = this.#entries;
    w.reserve((name.length + value.length) * UTF8_BYTES_MAX + 16);
    this.#string(w, name);
    this.#string(w, value);
    this.#entryCount += 2;
  }

  /** A string with its constructor; the caller has made room. */
  #string(w: ByteWriter, value: string): void {
    const start = w.at;
    if (value.length * UTF8_BYTES_MAX <= 0xff) {
      w.at = start + 2;
      const bytes = w.utf8(value);
      w.buffer[start] = CODE_STRING_8;
      w.buffer[start + 1] = bytes;
      return;
    }
    w.at = start + 5;
    const bytes = w.utf8(value);
    const end = w.at;
    w.at = start;
    w.u8(CODE_STRING_32);
    w.u32(bytes);
    w.at = end;
  }

  /** The body and the footer. */
  #end(block: Uint8Array | null, payload: Uint8Array): DeliveryBytes {
    const w = this.#w;
    if (block !== null && this.#sections.hasBody) {
      // Another body than one data section is kept with the sections.
      this.#copyFrom(block, DATA, FOOTER);
    } else {
      this.#dataHead(payload.length);
      if (payload.length >= PAYLOAD_BYTES_LARGE) return this.#parts(block, payload);
      w.reserve(payload.length);
      w.bytes(payload);
    }
    if (block !== null) this.#copy(block, FOOTER);
    return w.buffer.subarray(0, w.at);
  }

  /** What was written, the payload where it lies, and the footer. */
  #parts(block: Uint8Array | null, payload: Uint8Array): DeliveryBytes {
    const parts = [this.#w.copyFrom(0), payload];
    if (block !== null && this.#sections.has(FOOTER)) {
      this.#w.at = 0;
      this.#copy(block, FOOTER);
      parts.push(this.#w.copyFrom(0));
    }
    return parts;
  }

  #dataHead(length: number): void {
    const w = this.#w;
    this.#head(Section.data);
    w.reserve(5);
    if (length <= 0xff) {
      w.u8(CODE_BINARY_8);
      w.u8(length);
    } else {
      w.u8(CODE_BINARY_32);
      w.u32(length);
    }
  }

  #copyFrom(block: Uint8Array, first: number, end: number): void {
    for (let kind = first; kind < end; kind++) this.#copy(block, kind);
  }

  #copy(block: Uint8Array, kind: number): void {
    const start = this.#sections.starts[kind] as number;
    if (start < 0) return;
    const end = this.#sections.ends[kind] as number;
    this.#w.reserve(end - start);
    this.#w.bytes(block.subarray(start, end));
  }

  #at(block: Uint8Array, kind: number): ValueReader {
    const reader = this.#reader;
    reader.reset(block, this.#sections.values[kind] as number, this.#sections.ends[kind] as number);
    return reader;
  }

  #composite(block: Uint8Array, kind: number): unknown {
    return decodeFields(this.#at(block, kind), Section.header + kind);
  }

  #head(code: number): void {
    const w = this.#w;
    w.reserve(3);
    w.u8(CODE_DESCRIBED);
    w.u8(CODE_SMALL_ULONG);
    w.u8(code);
  }
}

const TTL_MAX = 4_294_967_295;

/** The address that a message of a queue is delivered on. */
function addressOf(topic: string, queue: string): string {
  const own = QUEUE_PREFIX + queue;
  if (topic === own || topic === queue) return own;
  return topic.startsWith(`${own}/`) ? topic : `${own}/${topic}`;
}

function appendDeath(into: AmqpMap, death: DeadLetterFacts): void {
  const last = death.deaths[0];
  const first = death.deaths[death.deaths.length - 1];
  for (const [which, one] of [
    ["first", first],
    ["last", last],
  ] as const) {
    if (one === undefined) continue;
    into.append(
      typed("symbol", `x-${which}-death-reason`),
      one.reason === "delivery-limit" ? "delivery_limit" : one.reason,
    );
    into.append(typed("symbol", `x-${which}-death-queue`), one.queue);
    into.append(typed("symbol", `x-${which}-death-exchange`), one.exchange);
  }
}
