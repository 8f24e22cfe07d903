// Hot path: runs per message of a stream. No closure, promise, spread, iterator or regex here.

/** Offsets that are done: all below `low`, and ranges above it, one for each run of messages that overtook others. */
export class OffsetRanges {
  /** The first offset that is not done; -1 before `begin`. */
  #low = -1;
  /** First offsets of the ranges, and the offsets behind them; both rise. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  get low(): number {
    return this.#low;
  }

  /** Ranges above `low`. */
  get count(): number {
    return this.#starts.length;
  }

  /** The first offset above `low` that is done; Infinity when there is none. */
  get firstAbove(): number {
    return this.#starts[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Forgets everything: nothing from `offset` on is done. */
  begin(offset: number): void {
    this.#low = offset;
    this.#starts.length = 0;
    this.#ends.length = 0;
  }

  /** True for an offset in one of the ranges above `low`. */
  has(offset: number): boolean {
    const place = this.#after(offset) - 1;
    return place >= 0 && offset < (this.#ends[place] as number);
  }

  /** Offsets from `start` to below `end` are done. */
  add(start: number, end: number): void {
    if (end <= this.#low) return;
    if (start <= this.#low) return this.raise(end);
    let first = this.#after(start);
    if (first > 0 && (this.#ends[first - 1] as number) >= start) first--;
    let last = first;
    let from = start;
    let to = end;
    for (; last < this.#starts.length && (this.#starts[last] as number) <= to; last++) {
      from = Math.min(from, this.#starts[last] as number);
      to = Math.max(to, this.#ends[last] as number);
    }
    this.#starts.splice(first, last - first, from);
    this.#ends.splice(first, last - first, to);
  }

  /** Everything below `low` is done, and what follows it without a gap. */
  raise(low: number): void {
    let reached = low;
    let passed = 0;
    for (; passed < this.#starts.length && (this.#starts[passed] as number) <= reached; passed++) {
      reached = Math.max(reached, this.#ends[passed] as number);
    }
    this.#low = reached;
    if (passed === 0) return;
    this.#starts.splice(0, passed);
    this.#ends.splice(0, passed);
  }

  /** `offset`, below all that was done, is where it began: what is below `low` becomes a range that begins at `begun`. */
  lower(offset: number, begun: number): void {
    const low = this.#low;
    this.#low = offset;
    if (low > begun) this.add(begun, low);
  }

  /** Forgets the highest range. */
  dropLast(): void {
    this.#starts.pop();
    this.#ends.pop();
  }

  /** How many ranges begin at or below an offset. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
