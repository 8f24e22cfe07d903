/**
 * String conversion as the platform does it fastest. The core reads and writes short ASCII by itself; everything else
 * comes here. Node hands in its native slices (`transport/node/text.ts`), browsers use {@link webText}.
 */
export interface TextCodec {
  /** Bytes that `text` takes in UTF-8. A lone surrogate counts as three. */
  byteLength(text: string): number;
  /** Writes `text` as UTF-8 at `at` and returns the bytes written; the caller has made room. */
  write(into: Uint8Array, at: number, text: string): number;
  /** Reads ASCII bytes; the caller has checked that all of them are below 0x80. */
  ascii(from: Uint8Array, start: number, end: number): string;
  /** Reads UTF-8; throws a `TypeError` when it is ill-formed. A byte order mark is kept (MQTT 5.0 §1.5.4). */
  utf8(from: Uint8Array, start: number, end: number): string;
  /** True: `utf8` refuses nothing, and readers let U+0000 through; see `lenientText`. */
  readonly lenient?: boolean;
}

/** The same codec for peers that send text unchecked: U+FFFD stands for what is ill-formed, U+0000 is kept. */
export function lenientText(text: TextCodec): TextCodec {
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    byteLength: (value) => text.byteLength(value),
    write: (into, at, value) => text.write(into, at, value),
    ascii: (from, start, end) => text.ascii(from, start, end),
    utf8: (from, start, end) => lenient.decode(from.subarray(start, end)),
    lenient: true,
  };
}

/** {@link TextCodec} over `TextEncoder` and `TextDecoder`, for browsers and other runtimes. */
export function webText(): TextCodec {
  const encoder = new TextEncoder();
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (from: Uint8Array, start: number, end: number): string => strict.decode(from.subarray(start, end));
  return {
    byteLength: utf8Length,
    write: (into, at, text) => encoder.encodeInto(text, at === 0 ? into : into.subarray(at)).written,
    ascii: decode,
    utf8: decode,
  };
}

/** Bytes that `text` takes in UTF-8, counted without encoding it. A lone surrogate counts as three. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}
