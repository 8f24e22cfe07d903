// Hot path: runs per received message. No closure, promise, spread, iterator or regex here.
import { sameBytes } from "../../bytes/byte-match.ts";
import { copyOf } from "../../bytes/copy.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { ByteReader } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type BasicProperties, decodeProperties } from "./properties.ts";

/** Largest block kept, in bytes. */
const KEPT_BYTES_MAX = 512;

/** Decodes property blocks and keeps the last one, frozen: the same bytes again cost a comparison. */
export class PropertiesDecoder {
  readonly #reader: ByteReader;
  #bytes: Uint8Array = NO_BYTES;
  #properties: BasicProperties = Object.freeze({});

  constructor(text: TextCodec) {
    this.#reader = new ByteReader(text);
  }

  /** The properties at `start` up to `end`; the object may be shared between messages and is frozen, headers included. Errors as `decodeProperties`. */
  decode(buffer: Uint8Array, start: number, end: number): BasicProperties {
    if (end - start === 2 && buffer[start] === 0 && buffer[start + 1] === 0) return NONE;
    if (sameBytes(this.#bytes, buffer, start, end)) return this.#properties;
    this.#reader.reset(buffer, start, end);
    const properties = decodeProperties(this.#reader);
    if (properties.headers !== undefined) {
      // A header may hold a list or table of its own, which somebody could change: such a block is decoded for each message.
      if (hasObjects(properties)) return properties;
      Object.freeze(properties.headers);
    }
    Object.freeze(properties);
    if (end - start <= KEPT_BYTES_MAX) {
      this.#bytes = copyOf(buffer.subarray(start, end));
      this.#properties = properties;
    }
    return properties;
  }
}

const NONE: BasicProperties = Object.freeze({});

function hasObjects(properties: BasicProperties): boolean {
  const headers = properties.headers;
  if (headers === undefined) return false;
  const keys = Object.keys(headers);
  for (let i = 0; i < keys.length; i++) {
    const value = headers[keys[i] as string];
    if (typeof value === "object" && value !== null) return true;
  }
  return false;
}
