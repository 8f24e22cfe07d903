// Hot path: runs per redelivery. No closure, promise, spread, iterator or regex here.

/** Items of which the first one, by an order given once, is at hand; `push` and `pop` cost O(log n). */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get length(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above] as T;
      if (!this.#isBefore(item, parent)) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  /** Keeps what `isWanted` says, in O(n log n). */
  keep(isWanted: (item: T) => boolean): void {
    const items = this.#items.splice(0);
    for (let i = 0; i < items.length; i++) if (isWanted(items[i] as T)) this.push(items[i] as T);
  }

  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= items.length) break;
      const right = left + 1;
      const takesRight = right < items.length && this.#isBefore(items[right] as T, items[left] as T);
      const smaller = takesRight ? right : left;
      if (!this.#isBefore(items[smaller] as T, last)) break;
      items[at] = items[smaller] as T;
      at = smaller;
    }
    items[at] = last;
    return top;
  }
}
