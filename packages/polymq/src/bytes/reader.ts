// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../base/errors.ts";
import { NO_BYTES } from "./no-bytes.ts";
import type { TextCodec } from "./text.ts";

/**
 * Reads numbers and strings from a window of a buffer; it knows no packets. Every read is checked against the window's
 * end: a read past it throws `ERR_MALFORMED_PACKET`, never returns bytes of the next packet.
 */
export class ByteReader {
  buffer: Uint8Array;
  at = 0;
  end = 0;
  readonly text: TextCodec;

  constructor(text: TextCodec, buffer: Uint8Array = NO_BYTES) {
    this.text = text;
    this.buffer = buffer;
    this.end = buffer.length;
  }

  /** Looks at `buffer` from `start` up to, not including, `end`. */
  reset(buffer: Uint8Array, start: number, end: number): void {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
  }

  /** Bytes left in the window. */
  get left(): number {
    return this.end - this.at;
  }

  /** The next byte. @throws {MessagingError} ERR_MALFORMED_PACKET when nothing is left */
  u8(): number {
    if (this.at >= this.end) throw truncated(1, 0);
    return this.buffer[this.at++] as number;
  }

  /** Two bytes, the high one first. @throws {MessagingError} ERR_MALFORMED_PACKET when fewer are left */
  u16(): number {
    const at = this.at;
    if (at + 2 > this.end) throw truncated(2, this.left);
    this.at = at + 2;
    return ((this.buffer[at] as number) << 8) | (this.buffer[at + 1] as number);
  }

  /** Four bytes, the high one first. @throws {MessagingError} ERR_MALFORMED_PACKET when fewer are left */
  u32(): number {
    const at = this.at;
    if (at + 4 > this.end) throw truncated(4, this.left);
    this.at = at + 4;
    const b = this.buffer;
    return (
      (((b[at] as number) << 24) |
        ((b[at + 1] as number) << 16) |
        ((b[at + 2] as number) << 8) |
        (b[at + 3] as number)) >>>
      0
    );
  }

  /** Variable byte integer: at most four bytes and in its shortest form (MQTT 5.0 §1.5.5). */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw malformed("variable byte integer is longer than needed");
        return value;
      }
    }
    throw malformed("variable byte integer longer than 4 bytes");
  }

  /** A view of the next `length` bytes, without a copy; whoever keeps it keeps the whole chunk alive. */
  view(length: number): Uint8Array {
    const at = this.at;
    if (length > this.end - at) throw truncated(length, this.left);
    this.at = at + length;
    return this.buffer.subarray(at, at + length);
  }

  /** Bytes behind a two-byte length, as a view (MQTT 5.0 §1.5.6). */
  bytes16(): Uint8Array {
    return this.view(this.u16());
  }

  /** UTF-8 behind a two-byte length: well-formed and without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]. */
  string16(): string {
    return this.utf8(this.u16());
  }

  /** The next `length` bytes as UTF-8; ill-formed text or U+0000 is `ERR_MALFORMED_PACKET` unless the codec is lenient. */
  utf8(length: number): string {
    const start = this.at;
    const end = start + length;
    if (end > this.end) throw truncated(length, this.left);
    this.at = end;
    const buffer = this.buffer;
    for (let i = start; i < end; i++) {
      const byte = buffer[i] as number;
      if (byte === 0) return this.#nul(start, end);
      if (byte > 0x7f) return this.#wide(start, end);
    }
    return this.text.ascii(buffer, start, end);
  }

  #nul(start: number, end: number): string {
    if (this.text.lenient !== true) throw malformed("U+0000 in a string");
    return this.text.utf8(this.buffer, start, end);
  }

  #wide(start: number, end: number): string {
    let text: string;
    try {
      text = this.text.utf8(this.buffer, start, end);
    } catch (cause) {
      throw malformed("ill-formed UTF-8 in a string", cause);
    }
    if (this.text.lenient !== true && text.includes("\0")) throw malformed("U+0000 in a string");
    return text;
  }
}

/** An `ERR_MALFORMED_PACKET` to throw. */
export function malformed(what: string, cause?: unknown): MessagingError {
  return new MessagingError("ERR_MALFORMED_PACKET", what, { cause });
}

function truncated(needed: number, left: number): MessagingError {
  return malformed(`packet ends early: ${needed} bytes needed, ${left} left`);
}
