// Hot path: written per frame. No closure, promise, spread, iterator or regex here.
import type { ByteWriter } from "../../bytes/writer.ts";

/** A message that waits, encoded, and how much of it is written: in one piece or, with large data, in several, of which the data is its owner's bytes. */
export class Encoded {
  /** Bytes of all parts. */
  readonly length: number;
  readonly #parts: readonly Uint8Array[];
  /** What is next: a part, and a place in it. */
  #part = 0;
  #at = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
    let length = 0;
    for (let i = 0; i < parts.length; i++) length += (parts[i] as Uint8Array).length;
    this.length = length;
  }

  /** Writes the next `count` bytes, which must be there and have room. */
  write(w: ByteWriter, count: number): void {
    for (let left = count; left > 0; ) {
      const part = this.#parts[this.#part] as Uint8Array;
      const end = Math.min(part.length, this.#at + left);
      w.bytes(part.subarray(this.#at, end));
      left -= end - this.#at;
      this.#at = end;
      if (end === part.length) this.#next();
    }
  }

  /** Passes over `count` bytes of the first part, which somebody else has written. */
  skip(count: number): void {
    this.#at += count;
    if (this.#at === this.#parts[this.#part]?.length) this.#next();
  }

  /** The whole message; of several parts a copy. */
  get bytes(): Uint8Array {
    const parts = this.#parts;
    if (parts.length === 1) return parts[0] as Uint8Array;
    const bytes = new Uint8Array(this.length);
    let at = 0;
    for (let i = 0; i < parts.length; i++) {
      bytes.set(parts[i] as Uint8Array, at);
      at += (parts[i] as Uint8Array).length;
    }
    return bytes;
  }

  #next(): void {
    this.#part++;
    this.#at = 0;
  }
}
