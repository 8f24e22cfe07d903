// Hot path: runs per message that changes protocols. The same block again, as in a fan-out, costs a comparison.
import type { TextCodec } from "polymq/internal";
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

  /** What the properties say, in no protocol's form. */
  common(message: Translated): CommonProperties {
    const { properties, encoding } = message;
    if (properties === null) return NOTHING;
    if (encoding === Encoding.Mqtt) return readMqttBlock(properties, this.#text);
    if (encoding === Encoding.Amqp091) return readAmqp091Block(properties, this.#text);
    return NOTHING;
  }
}

const NOTHING: CommonProperties = Object.freeze({ headers: Object.freeze([]) });
