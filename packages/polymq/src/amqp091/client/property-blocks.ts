// Hot path: runs per published message. No closure, promise, spread, iterator or regex here.
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type BasicProperties, encodeProperties } from "../codec/properties.ts";
import { PropertiesEncoder } from "../codec/properties-encoder.ts";

const DIGITS = 12;
/** Digits of base 16 in ASCII. */
const ZERO = 48;
const NINE = 57;
const TEN = 97;
const LAST_DIGIT = 102;
const EMPTY: BasicProperties = Object.freeze({});

/**
 * Property blocks of publishes: persistent unless said otherwise, and with a message-id of our own where one is wanted and none is given. Equal
 * properties reuse one block, in which only the id's digits are written anew.
 */
export class PropertyBlocks {
  readonly #text: TextCodec;
  readonly #encoder: PropertiesEncoder;
  readonly #prefix: string;
  #count = 0;
  /** The encoder's block that `#block` was made for. */
  #base: Uint8Array | null = null;
  #withId = false;
  #block: Uint8Array = NO_BYTES;
  #digitsAt = 0;

  /** @param prefix begins every id; unique in the world, and ASCII */
  constructor(text: TextCodec, prefix: string) {
    this.#text = text;
    this.#encoder = new PropertiesEncoder(text);
    this.#prefix = prefix;
  }

  /** The id in the block that was returned last, when it is of our own. */
  get lastId(): string {
    return this.#prefix + this.#digits();
  }

  /** The block; the next call may change it. @throws {MessagingError} ERR_INVALID_ARGUMENT for what the wire cannot hold */
  encode(given: BasicProperties | undefined, wantsId: boolean): Uint8Array {
    const properties = given ?? EMPTY;
    const withId = wantsId && properties.messageId === undefined;
    // Most publishes give none: comparing thirteen absent fields would be a fifth of their cost.
    const base = this.#encoder.encode(given ?? null);
    if (base !== this.#base || withId !== this.#withId) this.#make(properties, base, withId);
    if (withId) this.#number();
    return this.#block;
  }

  #digits(): string {
    return this.#count.toString(16).padStart(DIGITS, "0");
  }

  #make(properties: BasicProperties, base: Uint8Array, withId: boolean): void {
    const messageId = withId ? this.#prefix + this.#digits() : properties.messageId;
    const deliveryMode = properties.deliveryMode ?? 2;
    this.#base = null;
    this.#block = encodeProperties(this.#text, { ...properties, deliveryMode, messageId });
    this.#base = base;
    this.#withId = withId;
    if (withId) this.#digitsAt = lastIndexOf(this.#block, this.#prefix) + this.#prefix.length;
  }

  /** Counts on in the block itself: one digit for fifteen ids of sixteen. */
  #number(): void {
    this.#count++;
    const block = this.#block;
    for (let at = this.#digitsAt + DIGITS - 1; ; at--) {
      const digit = block[at] as number;
      if (digit !== LAST_DIGIT) {
        block[at] = digit === NINE ? TEN : digit + 1;
        return;
      }
      block[at] = ZERO;
    }
  }
}

/** Where ASCII text stands last in bytes: behind the id come only texts of the caller's, in front of it are headers. */
function lastIndexOf(bytes: Uint8Array, text: string): number {
  for (let at = bytes.length - text.length; at >= 0; at--) {
    let i = 0;
    while (i < text.length && bytes[at + i] === text.charCodeAt(i)) i++;
    if (i === text.length) return at;
  }
  return -1;
}
