// Hot path: runs per delivery. No closure, promise, spread, iterator or regex here.
import { serialAdd, serialDistance, serialWithin } from "../../base/serial.ts";

/** Places of the ring when it is made. */
const RING_LEAST = 64;

/** Largest number of places; deliveries that stay longer than so many younger ones move to a map. */
const RING_MOST = 16_384;

/**
 * Unsettled deliveries of one direction of a session by their id: a ring for the young ones and a map for those that stay. One that is never
 * settled costs its own place and no other's. What a peer says of a range is answered by looking at what is here, not by counting through
 * the range.
 */
export class UnsettledTable<T extends { readonly id: number }> {
  #ring: (T | undefined)[] = new Array<T | undefined>(RING_LEAST).fill(undefined);
  readonly #stragglers = new Map<number, T>();
  #size = 0;
  #newest = 0;

  /** Id of the delivery that was added last. */
  get newest(): number {
    return this.#newest;
  }

  /** Places of the ring: walking through so many ids costs no more than looking at all that is here. */
  get places(): number {
    return this.#ring.length;
  }

  /** Deliveries here. */
  get size(): number {
    return this.#size;
  }

  add(entry: T): void {
    if (this.#ring[entry.id & (this.#ring.length - 1)] !== undefined) this.#makeRoom(entry.id);
    this.#ring[entry.id & (this.#ring.length - 1)] = entry;
    this.#newest = entry.id;
    this.#size++;
  }

  get(id: number): T | undefined {
    const entry = this.#ring[id & (this.#ring.length - 1)];
    if (entry !== undefined && entry.id === id) return entry;
    return this.#stragglers.size === 0 ? undefined : this.#stragglers.get(id);
  }

  take(id: number): T | undefined {
    const slot = id & (this.#ring.length - 1);
    const entry = this.#ring[slot];
    if (entry !== undefined && entry.id === id) {
      this.#ring[slot] = undefined;
      this.#size--;
      return entry;
    }
    if (this.#stragglers.size === 0) return undefined;
    const straggler = this.#stragglers.get(id);
    if (straggler !== undefined) {
      this.#stragglers.delete(id);
      this.#size--;
    }
    return straggler;
  }

  /** What is here of the range from `first` to `last`, in its order; at most as much work as there are places. */
  within(first: number, last: number): T[] {
    const found: T[] = [];
    const steps = serialDistance(first, last);
    if (steps < 0 || this.#size === 0) return found;
    if (steps < this.#ring.length) {
      for (let i = 0; i <= steps; i++) {
        const entry = this.get(serialAdd(first, i));
        if (entry !== undefined) found.push(entry);
      }
      return found;
    }
    const all = this.all();
    for (let i = 0; i < all.length; i++) {
      const entry = all[i] as T;
      if (serialWithin(entry.id, first, last)) found.push(entry);
    }
    return found.sort((a, b) => serialDistance(b.id, a.id));
  }

  /** Everything here, in no order. */
  all(): T[] {
    const all = Array.from(this.#stragglers.values());
    for (let i = 0; i < this.#ring.length && all.length < this.#size; i++) {
      const entry = this.#ring[i];
      if (entry !== undefined) all.push(entry);
    }
    return all;
  }

  clear(): void {
    this.#ring = new Array<T | undefined>(RING_LEAST).fill(undefined);
    this.#stragglers.clear();
    this.#size = 0;
  }

  /** Frees the place of `id` that an older delivery holds: the ring grows while it is well filled, else the old one moves to the map. */
  #makeRoom(id: number): void {
    const old = this.#ring;
    if (old.length < RING_MOST && this.#size - this.#stragglers.size > old.length / 4) {
      this.#ring = new Array<T | undefined>(old.length * 2).fill(undefined);
      for (let i = 0; i < old.length; i++) {
        const entry = old[i];
        if (entry !== undefined) this.#ring[entry.id & (this.#ring.length - 1)] = entry;
      }
    }
    const slot = id & (this.#ring.length - 1);
    const entry = this.#ring[slot];
    if (entry === undefined) return;
    this.#stragglers.set(entry.id, entry);
    this.#ring[slot] = undefined;
  }
}
