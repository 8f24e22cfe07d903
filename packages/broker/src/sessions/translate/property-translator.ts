// Hot path: runs per message that changes protocols. The same block again, as in a fan-out, costs a comparison.
import type { TextCodec } from "polymq/internal";
import { readAmqp10Block } from "./amqp10-block.ts";
import { writeAmqp10Block } from "./amqp10-block-writer.ts";
import { readAmqp091Block, writeAmqp091Block } from "./amqp091-block.ts";
import type { CommonProperties } from "./common-properties.ts";
import { Encoding } from "./encodings.ts";
import { readMqttBlock, writeMqttBlock } from "./mqtt-block.ts";

/** What is translated: properties, in whose encoding, and when the message expires. */
export interface Translated {
  readonly properties: Uint8Array | null;
  readonly encoding: number;
  /** In milliseconds since 1970, or Infinity. */
  readonly expiresAtMs: number;
}

/** Remembers the last translation of each direction, by the place of the bytes, which nobody writes into again. */
class Last {
  #buffer: ArrayBufferLike | null = null;
  #start = 0;
  #length = -1;
  #encoding = 0;
  result: Uint8Array | null = null;

  has(block: Uint8Array, encoding: number): boolean {
    const same = this.#buffer === block.buffer && this.#start === block.byteOffset && this.#length === block.length;
    return same && this.#encoding === encoding;
  }

  keep(block: Uint8Array, encoding: number, result: Uint8Array | null): void {
    this.#buffer = block.buffer;
    this.#start = block.byteOffset;
    this.#length = block.length;
    this.#encoding = encoding;
    this.result = result;
  }
}

/** Turns properties of any encoding into any other. One serves a whole broker. */
export class PropertyTranslator {
  readonly #text: TextCodec;
  readonly #mqtt = new Last();
  readonly #durable = new Last();
  readonly #transient = new Last();

  /** @param text strict or lenient; blocks were checked when they came */
  constructor(text: TextCodec) {
    this.#text = text;
  }

  /**
   * The block of a PUBLISH, without an expiry interval; null for none.
   * @throws {MessagingError} ERR_PACKET_TOO_LARGE with more properties than an MQTT packet may have
   */
  toMqtt(message: Translated): Uint8Array | null {
    const { properties, encoding } = message;
    if (properties === null || encoding === Encoding.Mqtt) return properties;
    const last = this.#mqtt;
    if (last.has(properties, encoding)) return last.result;
    const block = writeMqttBlock(this.common(message), this.#text);
    last.keep(properties, encoding, block);
    return block;
  }

  /**
   * The block of a content header. From another protocol its expiration is what is left of the message's life, and its delivery mode says
   * whether the publisher asked for more than at most once.
   * @param isDurable whether the publisher asked for more than at most once, where the properties do not say
   */
  toAmqp091(message: Translated, isDurable: boolean, epochMs: number): Uint8Array {
    if (message.encoding === Encoding.Amqp091 && message.properties !== null) return message.properties;
    const { expiresAtMs } = message;
    const isMortal = expiresAtMs !== Number.POSITIVE_INFINITY;
    const expiration = isMortal ? String(Math.max(0, Math.ceil(expiresAtMs - epochMs))) : undefined;
    return writeAmqp091Block({ isDurable, ...this.common(message) }, this.#text, expiration);
  }

  /**
   * The sections of an AMQP 1.0 message (§3.2) but for its body, which is one data section with the payload, unless the message came by AMQP 1.0 and had another one; null
   * for none. The ttl is not among them: `MessageView.expiresAtMs` tells it.
   * @param isDurable as for {@link toAmqp091}
   */
  toAmqp10(message: Translated, isDurable: boolean): Uint8Array | null {
    const { properties, encoding } = message;
    if (encoding === Encoding.Amqp10) return properties;
    if (properties === null) return isDurable ? DURABLE : null;
    const last = isDurable ? this.#durable : this.#transient;
    if (last.has(properties, encoding)) return last.result;
    const common = this.common(message);
    const block = writeAmqp10Block({ ...common, isDurable: common.isDurable ?? isDurable }, this.#text);
    last.keep(properties, encoding, block);
    return block;
  }

  /** What the properties say, in no protocol's form. */
  common(message: Translated): CommonProperties {
    const { properties, encoding } = message;
    if (properties === null) return NOTHING;
    if (encoding === Encoding.Mqtt) return readMqttBlock(properties, this.#text);
    if (encoding === Encoding.Amqp091) return readAmqp091Block(properties, this.#text);
    if (encoding === Encoding.Amqp10) return readAmqp10Block(properties, this.#text);
    return NOTHING;
  }
}

/** A header section that says durable, and nothing else. */
const DURABLE: Uint8Array = Uint8Array.of(0x00, 0x53, 0x70, 0xc0, 0x02, 0x01, 0x41);

const NOTHING: CommonProperties = Object.freeze({ headers: Object.freeze([]) });
