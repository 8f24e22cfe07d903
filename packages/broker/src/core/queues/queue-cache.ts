// Hot path: `add` runs per queued message. No closure, promise, spread, iterator or regex here.

/** Holds bodies in memory and can let go of some. */
export interface CachedBodies {
  /** Bytes that {@link evict} could free, about. */
  readonly evictableBytes: number;
  /** Lets go of the oldest bodies until so many bytes are free, or none is left that may go. */
  evict(bytes: number): void;
}

/** The bodies that all queues of a hub hold in memory: those that the store has as well go when there are too many, those of queues in memory are counted and limited. */
export class QueueCache {
  readonly #cachedMax: number;
  readonly #memoryMax: number;
  readonly #holders: CachedBodies[] = [];
  #turn = 0;
  #cached = 0;
  #memory = 0;

  /**
   * @param cachedMax bytes of bodies that the store has as well
   * @param memoryMax bytes of bodies that only memory has
   */
  constructor(cachedMax: number, memoryMax: number) {
    this.#cachedMax = cachedMax;
    this.#memoryMax = memoryMax;
  }

  /** Bytes of bodies that the store has, or will have. */
  get cachedBytes(): number {
    return this.#cached;
  }

  /** Bytes of bodies that only memory has. */
  get memoryBytes(): number {
    return this.#memory;
  }

  /** True when queues in memory may take so many bytes more. */
  hasMemoryFor(bytes: number): boolean {
    return this.#memory + bytes <= this.#memoryMax;
  }

  addMemory(bytes: number): void {
    this.#memory += bytes;
  }

  /** Counts cached bytes, and has queues let go of some, in turn, when they are too many. */
  add(bytes: number): void {
    this.#cached += bytes;
    if (this.#cached > this.#cachedMax) this.#evict();
  }

  /** Counts bytes that are not cached any more. */
  remove(bytes: number): void {
    this.#cached -= bytes;
  }

  join(holder: CachedBodies): void {
    this.#holders.push(holder);
  }

  leave(holder: CachedBodies): void {
    const at = this.#holders.indexOf(holder);
    if (at >= 0) this.#holders.splice(at, 1);
  }

  /** Frees an eighth more than is needed, so that it need not be done for every message. */
  #evict(): void {
    const goal = this.#cachedMax - this.#cachedMax / 8;
    for (let tried = 0; tried < this.#holders.length && this.#cached > goal; tried++) {
      this.#turn = (this.#turn + 1) % this.#holders.length;
      const holder = this.#holders[this.#turn];
      if (holder !== undefined && holder.evictableBytes > 0) holder.evict(this.#cached - goal);
    }
  }
}
