// Hot path: runs per message of a queue with priorities. No closure, promise, spread, iterator or regex here.

/** Offsets of one priority, oldest first, by a running index that removal at the head does not change. */
class Lane {
  #offsets: number[] = [];
  /** Index of the first offset in the array, and how many before it were removed and stay as a gap. */
  #base = 0;
  #gap = 0;

  get first(): number {
    return this.#base + this.#gap;
  }

  get next(): number {
    return this.#base + this.#offsets.length;
  }

  push(offset: number): void {
    this.#offsets.push(offset);
  }

  at(index: number): number {
    return this.#offsets[index - this.#base] ?? -1;
  }

  dropBefore(offset: number): void {
    const offsets = this.#offsets;
    while (this.#gap < offsets.length && (offsets[this.#gap] as number) < offset) this.#gap++;
    if (this.#gap < 1024 || this.#gap * 2 < offsets.length) return;
    this.#offsets = offsets.slice(this.#gap);
    this.#base += this.#gap;
    this.#gap = 0;
  }

  /** Index of the first offset that is at least `offset`. */
  indexOf(offset: number): number {
    let low = this.#gap;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#offsets[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return this.#base + low;
  }
}

/** Which offsets have which priority, in a queue with priorities. */
export class PriorityLanes {
  readonly #lanes: Lane[];

  constructor(priorityMax: number) {
    this.#lanes = Array.from({ length: priorityMax + 1 }, () => new Lane());
  }

  get count(): number {
    return this.#lanes.length;
  }

  add(offset: number, priority: number): void {
    this.#lanes[priority]?.push(offset);
  }

  dropBefore(offset: number): void {
    for (let i = 0; i < this.#lanes.length; i++) this.#lanes[i]?.dropBefore(offset);
  }

  lane(priority: number): Lane {
    return this.#lanes[priority] as Lane;
  }
}

/** What a group has not delivered yet, in order: by offset, or by priority and then offset. */
export class FreshCursor {
  readonly #lanes: PriorityLanes | null;
  /** Without priorities: the next offset. */
  #offset: number;
  /** With priorities: the next index in each lane. */
  readonly #indexes: number[];
  /** Of the last {@link peek}. */
  #priority = 0;

  constructor(lanes: PriorityLanes | null, offset: number) {
    this.#lanes = lanes;
    this.#offset = offset;
    this.#indexes = lanes === null ? [] : Array.from({ length: lanes.count }, (_, i) => lanes.lane(i).indexOf(offset));
  }

  /** The priority of what the last {@link peek} returned. */
  get priority(): number {
    return this.#priority;
  }

  /** The next offset below `limit`, left where it is, or -1. Offsets below `base` are passed over. */
  peek(limit: number, base: number): number {
    if (this.#lanes === null) {
      if (this.#offset < base) this.#offset = base;
      return this.#offset < limit ? this.#offset : -1;
    }
    for (let priority = this.#lanes.count - 1; priority >= 0; priority--) {
      const lane = this.#lanes.lane(priority);
      let index = Math.max(this.#indexes[priority] as number, lane.first);
      while (index < lane.next && lane.at(index) < base) index++;
      this.#indexes[priority] = index;
      const offset = lane.at(index);
      if (offset < 0 || offset >= limit) continue;
      this.#priority = priority;
      return offset;
    }
    return -1;
  }

  /** Takes what the last {@link peek} returned. */
  take(): void {
    if (this.#lanes === null) this.#offset++;
    else this.#indexes[this.#priority] = (this.#indexes[this.#priority] as number) + 1;
  }

  /** True when an offset of this priority was taken, or passed over. */
  hasTaken(offset: number, priority: number): boolean {
    if (this.#lanes === null) return offset < this.#offset;
    return this.#lanes.lane(priority).indexOf(offset) < (this.#indexes[priority] as number);
  }

  /** The next offset of each priority, for storing; `next` stands for those that have none. */
  positions(next: number): number[] {
    const lanes = this.#lanes;
    if (lanes === null) return [this.#offset];
    return this.#indexes.map((index, priority) => {
      const lane = lanes.lane(priority);
      const offset = lane.at(Math.max(index, lane.first)); // while nobody asked, what lay in front may have left
      return offset < 0 ? next : offset;
    });
  }

  /** Takes up stored positions. */
  restore(positions: readonly number[]): void {
    if (this.#lanes === null) this.#offset = positions[0] ?? this.#offset;
    else
      for (let i = 0; i < this.#indexes.length; i++) this.#indexes[i] = this.#lanes.lane(i).indexOf(positions[i] ?? 0);
  }
}
