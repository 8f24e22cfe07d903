// Hot path: `record` runs per message.

/** Buckets of each doubling: 1 in 128 is the resolution. */
const STEPS = 128;
const STEP_BITS = 7;
/** The largest value in microseconds: 35 minutes; longer ones count as that. */
const LARGEST = 0x7fff_ffff;
const BUCKETS = (32 - STEP_BITS) * STEPS;

/** Percentiles in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Counts times in buckets that grow with them: percentiles are right within 1 %, and it never grows. */
export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #minMs = Number.POSITIVE_INFINITY;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  /** The mean in milliseconds; 0 of nothing. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  /** The shortest time in milliseconds; 0 of nothing. */
  get minMs(): number {
    return this.#count === 0 ? 0 : this.#minMs;
  }

  record(ms: number): void {
    const time = ms > 0 ? ms : 0;
    const index = bucketOf(Math.min(LARGEST, Math.floor(time * 1_000)));
    this.#buckets[index] = (this.#buckets[index] as number) + 1;
    this.#count++;
    this.#sumMs += time;
    if (time < this.#minMs) this.#minMs = time;
    if (time > this.#maxMs) this.#maxMs = time;
  }

  /** The time within which this share of all was done, in milliseconds; 0 of nothing. @param share 0 to 1 */
  at(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let index = 0; index < BUCKETS && this.#count > 0; index++) {
      seen += this.#buckets[index] as number;
      if (seen >= wanted) return Math.min(this.#maxMs, (upperEdge(index) + 1) / 1_000);
    }
    return 0;
  }

  percentiles(): Percentiles {
    return { p50: this.at(0.5), p90: this.at(0.9), p99: this.at(0.99), p999: this.at(0.999), max: this.#maxMs };
  }
}

/** Up to 255 each value has its own bucket; above, the leading 8 bits choose it. */
function bucketOf(value: number): number {
  if (value < STEPS * 2) return value;
  const shift = 31 - STEP_BITS - Math.clz32(value);
  return shift * STEPS + (value >>> shift);
}

/** The largest value of a bucket. */
function upperEdge(index: number): number {
  if (index < STEPS * 2) return index;
  const shift = Math.floor(index / STEPS) - 1;
  return (index - shift * STEPS + 1) * 2 ** shift - 1;
}
