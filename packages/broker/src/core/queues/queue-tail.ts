// Hot path: `push`, `read` and `shift` run per message. No closure, promise, spread, iterator or regex here.

/**
 * The newest records of a log, each as a place in a slab of bytes that it shares with others: a message that waits is no object, so that a million
 * of them are nothing for a garbage collector to follow.
 */
export class QueueTail {
  #slabs: (Uint8Array | null)[] = new Array<Uint8Array | null>(LEAST).fill(null);
  #starts: number[] = new Array<number>(LEAST).fill(0);
  #lengths: number[] = new Array<number>(LEAST).fill(0);
  #head = 0;
  #length = 0;
  #bytes = 0;

  /** Records in it. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that it takes in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a record at the end; returns what it takes in memory, about. */
  push(slab: Uint8Array, start: number, length: number): number {
    if (this.#length === this.#slabs.length) this.#grow();
    const at = (this.#head + this.#length) & (this.#slabs.length - 1);
    this.#slabs[at] = slab;
    this.#starts[at] = start;
    this.#lengths[at] = length;
    this.#length++;
    const bytes = RECORD_OVERHEAD_BYTES + length;
    this.#bytes += bytes;
    return bytes;
  }

  /** A view of the record `index` places behind the first, or null when there is none. */
  read(index: number): Uint8Array | null {
    if (index < 0 || index >= this.#length) return null;
    const at = (this.#head + index) & (this.#slabs.length - 1);
    const start = this.#starts[at] as number;
    return (this.#slabs[at] as Uint8Array).subarray(start, start + (this.#lengths[at] as number));
  }

  /** Lets go of the first; returns what that took. */
  shift(): number {
    if (this.#length === 0) return 0;
    const at = this.#head;
    this.#slabs[at] = null;
    this.#head = (at + 1) & (this.#slabs.length - 1);
    this.#length--;
    const bytes = RECORD_OVERHEAD_BYTES + (this.#lengths[at] as number);
    this.#bytes -= bytes;
    return bytes;
  }

  #grow(): void {
    const { length } = this.#slabs;
    const slabs = new Array<Uint8Array | null>(length * 2).fill(null);
    const starts = new Array<number>(length * 2).fill(0);
    const lengths = new Array<number>(length * 2).fill(0);
    for (let i = 0; i < length; i++) {
      const at = (this.#head + i) & (length - 1);
      slabs[i] = this.#slabs[at] as Uint8Array | null;
      starts[i] = this.#starts[at] as number;
      lengths[i] = this.#lengths[at] as number;
    }
    this.#slabs = slabs;
    this.#starts = starts;
    this.#lengths = lengths;
    this.#head = 0;
  }
}

const LEAST = 16;

/** What a record takes besides its bytes: its place in three rings that may be half empty. */
const RECORD_OVERHEAD_BYTES = 48;
