import { ByteReader, isMessagingError, MessagingError, type TextCodec } from "polymq/internal";

/** Reads stored values. One that was stored whole but does not read back is damage as well. */
export class RecordDecoder {
  readonly #reader: ByteReader;
  readonly #text: TextCodec;

  constructor(text: TextCodec) {
    this.#reader = new ByteReader(text);
    this.#text = text;
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decode<T>(value: Uint8Array, read: (r: ByteReader) => T): T {
    this.#reader.reset(value, 0, value.length);
    try {
      return read(this.#reader);
    } catch (cause) {
      if (isMessagingError(cause) && cause.code === "ERR_STORE_CORRUPT") throw cause;
      throw new MessagingError("ERR_STORE_CORRUPT", "a stored record cannot be read", { cause });
    }
  }

  /** The next `bytes` as text, whatever they are: a store may have what no protocol lets through. */
  text(r: ByteReader, bytes: number): string {
    const start = r.at;
    r.view(bytes);
    return this.#text.utf8(r.buffer, start, start + bytes);
  }
}
