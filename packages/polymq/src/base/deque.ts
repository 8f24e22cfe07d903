/** A first-in-first-out queue over a ring that grows by doubling; `push` and `shift` cost O(1) and never move items. */
export class Deque<T> {
  #items: (T | undefined)[] = new Array(16).fill(undefined);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = item;
    this.#length++;
  }

  /** Puts an item back in front of all others. */
  unshift(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#items.length - 1);
    this.#items[this.#head] = item;
    this.#length++;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#items[this.#head];
  }

  /** The item `index` places behind the head, or undefined. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#items[(this.#head + index) & (this.#items.length - 1)];
  }

  /** Puts another item in the place `index` behind the head and returns the one that was there; undefined, and nothing done, when there is none. */
  set(index: number, item: T): T | undefined {
    const before = this.at(index);
    if (before !== undefined) this.#items[(this.#head + index) & (this.#items.length - 1)] = item;
    return before;
  }

  clear(): void {
    this.#items = new Array(16).fill(undefined);
    this.#head = 0;
    this.#length = 0;
  }

  /** Removes the first item for which `matches` is true and returns it; O(n), for cancelled waits. */
  remove(matches: (item: T) => boolean): T | undefined {
    for (let i = 0; i < this.#length; i++) {
      const item = this.at(i);
      if (item === undefined || !matches(item)) continue;
      // Those before it move one place on.
      for (let j = i; j > 0; j--) this.set(j, this.at(j - 1) as T);
      this.shift();
      return item;
    }
    return undefined;
  }

  #grow(): void {
    const items = new Array(this.#items.length * 2).fill(undefined);
    for (let i = 0; i < this.#length; i++) items[i] = this.at(i);
    this.#items = items;
    this.#head = 0;
  }
}
