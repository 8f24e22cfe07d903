// Hot path: runs per message. No closure, promise, spread, iterator or regex here.

/** Takes what {@link TagRing.takeThrough} finds. */
export interface TagSink<Item> {
  /** Called for each in the order of tags. */
  onTaken(tag: number, item: Item): void;
}

const FIRST_PLACES = 16;

/**
 * Items under tags that only rise: delivery tags and publish numbers, which are settled one by one in any order, or all up to a
 * tag. Each costs O(1), and O(log n) at worst where tags have gaps; nothing is ever scanned but what is taken. Memory stays
 * below four times what is in it.
 */
export class TagRing<Item> {
  #tags: Float64Array = new Float64Array(FIRST_PLACES);
  #items: (Item | undefined)[] = new Array<Item | undefined>(FIRST_PLACES).fill(undefined);
  /** First and last place that count, as running numbers; a place in the arrays is the number modulo their length. */
  #head = 0;
  #tail = 0;
  #size = 0;

  /** Items in it. */
  get size(): number {
    return this.#size;
  }

  /** Places that memory is held for; at most a few times as many as items. */
  get places(): number {
    return this.#tags.length;
  }

  /** The lowest tag in it, or 0 when it is empty. */
  get firstTag(): number {
    return this.#size === 0 ? 0 : (this.#tags[this.#head & (this.#tags.length - 1)] as number);
  }

  /** The item with the lowest tag. */
  get first(): Item | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head & (this.#tags.length - 1)];
  }

  /** Adds `item`; `tag` must be above all tags that are in it. */
  push(tag: number, item: Item): void {
    if (this.#tail - this.#head === this.#tags.length) this.#makeRoom();
    const place = this.#tail++ & (this.#tags.length - 1);
    this.#tags[place] = tag;
    this.#items[place] = item;
    this.#size++;
  }

  /** Removes the item under `tag`; undefined when there is none. */
  take(tag: number): Item | undefined {
    const place = this.#find(tag);
    if (place < 0) return undefined;
    const item = this.#items[place];
    if (item === undefined) return undefined;
    this.#items[place] = undefined;
    this.#size--;
    this.#advance();
    return item;
  }

  /** True when there is an item under `tag`. */
  has(tag: number): boolean {
    const place = this.#find(tag);
    return place >= 0 && this.#items[place] !== undefined;
  }

  /** Puts `next` where `expected` is under `tag`; false when it is not there. */
  replace(tag: number, expected: Item, next: Item): boolean {
    const place = this.#find(tag);
    if (place < 0 || this.#items[place] !== expected) return false;
    this.#items[place] = next;
    return true;
  }

  /** Removes the item with the lowest tag. */
  dropFirst(): void {
    if (this.#size === 0) return;
    this.#items[this.#head & (this.#tags.length - 1)] = undefined;
    this.#size--;
    this.#advance();
  }

  /** Removes all items up to and with `tag`, lowest first; returns how many. The sink may push. */
  takeThrough(tag: number, sink: TagSink<Item>): number {
    let count = 0;
    while (this.#size > 0) {
      const place = this.#head & (this.#tags.length - 1);
      const lowest = this.#tags[place] as number;
      if (lowest > tag) break;
      const item = this.#items[place] as Item;
      this.dropFirst();
      count++;
      sink.onTaken(lowest, item);
    }
    return count;
  }

  /** Puts items back under the tags that they were taken from, in any order. Costs as much as all that is in it. */
  restore(tags: readonly number[], items: readonly Item[]): void {
    const found = new Map<number, Item>();
    for (let i = 0; i < tags.length; i++) found.set(tags[i] as number, items[i] as Item);
    for (let tag = this.firstTag; tag !== 0; tag = this.firstTag) found.set(tag, this.take(tag) as Item);
    const sorted = [...found.keys()].sort((a, b) => a - b);
    for (let i = 0; i < sorted.length; i++) this.push(sorted[i] as number, found.get(sorted[i] as number) as Item);
  }

  /** Forgets everything. */
  clear(): void {
    this.#tags = new Float64Array(FIRST_PLACES);
    this.#items = new Array<Item | undefined>(FIRST_PLACES).fill(undefined);
    this.#head = 0;
    this.#tail = 0;
    this.#size = 0;
  }

  /** Moves the head to the next item, so that the first place is never a hole. */
  #advance(): void {
    const mask = this.#tags.length - 1;
    while (this.#head < this.#tail && this.#items[this.#head & mask] === undefined) this.#head++;
  }

  /** The place of `tag`, or -1. Without gaps it is where it should be; with gaps it is searched for. */
  #find(tag: number): number {
    const mask = this.#tags.length - 1;
    const guess = this.#head + tag - (this.#tags[this.#head & mask] as number);
    if (guess >= this.#head && guess < this.#tail && this.#tags[guess & mask] === tag) return guess & mask;
    let low = this.#head;
    let high = this.#tail;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#tags[middle & mask] as number) < tag) low = middle + 1;
      else high = middle;
    }
    return low < this.#tail && this.#tags[low & mask] === tag ? low & mask : -1;
  }

  /** Closes up the holes, into twice the places when less than half of them are holes. */
  #makeRoom(): void {
    const mask = this.#tags.length - 1;
    const places = this.#size > this.#tags.length / 2 ? this.#tags.length * 2 : this.#tags.length;
    const tags = new Float64Array(places);
    const items = new Array<Item | undefined>(places).fill(undefined);
    let to = 0;
    for (let from = this.#head; from < this.#tail; from++) {
      const item = this.#items[from & mask];
      if (item === undefined) continue;
      tags[to] = this.#tags[from & mask] as number;
      items[to++] = item;
    }
    this.#tags = tags;
    this.#items = items;
    this.#head = 0;
    this.#tail = to;
  }
}
