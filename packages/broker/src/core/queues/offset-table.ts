// Hot path: runs per delivery. No closure, promise, spread, iterator or regex here, except in `values`.

/** Offsets per chunk: one unsettled message keeps so many places. */
const CHUNK = 64;

interface Chunk<T> {
  readonly items: (T | undefined)[];
  live: number;
}

/** Values by offset, for offsets that lie close together and rise: chunks in an array, found by subtraction. */
export class OffsetTable<T> {
  #chunks: (Chunk<T> | undefined)[] = [];
  /** Number of the chunk at index 0. */
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(offset: number): T | undefined {
    const chunk = this.#chunks[Math.floor(offset / CHUNK) - this.#first];
    return chunk === undefined ? undefined : chunk.items[offset % CHUNK];
  }

  /** Puts a value where there is none yet. Offsets before all others cost a shift of the chunks. */
  add(offset: number, value: T): void {
    const number = Math.floor(offset / CHUNK);
    if (this.#size === 0) {
      this.#chunks = [];
      this.#first = number;
    }
    while (number < this.#first) {
      this.#chunks.unshift(undefined);
      this.#first--;
    }
    const index = number - this.#first;
    while (this.#chunks.length <= index) this.#chunks.push(undefined);
    let chunk = this.#chunks[index];
    if (chunk === undefined) {
      chunk = { items: new Array<T | undefined>(CHUNK).fill(undefined), live: 0 };
      this.#chunks[index] = chunk;
    }
    if (chunk.items[offset % CHUNK] === undefined) {
      chunk.live++;
      this.#size++;
    }
    chunk.items[offset % CHUNK] = value;
  }

  remove(offset: number): void {
    const index = Math.floor(offset / CHUNK) - this.#first;
    const chunk = this.#chunks[index];
    if (chunk === undefined || chunk.items[offset % CHUNK] === undefined) return;
    chunk.items[offset % CHUNK] = undefined;
    chunk.live--;
    this.#size--;
    if (chunk.live > 0) return;
    this.#chunks[index] = undefined;
    if (index === 0) this.#trim();
  }

  /** All values, by rising offsets. */
  *values(): IterableIterator<T> {
    for (const chunk of this.#chunks.slice()) {
      if (chunk === undefined) continue;
      for (const item of chunk.items.slice()) if (item !== undefined) yield item;
    }
  }

  /** Drops empty chunks in front, once they are many, for dropping moves the others. */
  #trim(): void {
    const chunks = this.#chunks;
    let empty = 0;
    while (empty < chunks.length && chunks[empty] === undefined) empty++;
    if (empty < chunks.length && empty < 64 && empty * 2 < chunks.length) return;
    this.#chunks = chunks.slice(empty);
    this.#first += empty;
  }
}
