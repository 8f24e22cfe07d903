import { seededRandom } from "polymq/testing";

/** All randomness of one run, from its seed: one row of numbers, drawn in the order in which things happen. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    // The first numbers of neighbouring seeds are not yet far apart.
    for (let i = 0; i < 8; i++) this.#random();
  }

  /** A number in [0, 1). */
  next(): number {
    return this.#random();
  }

  /** A whole number in [least, most]. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.#random() < probability;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)] as T;
  }

  /** A key, as often as its weight says; weights are not all 0. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const keys = Object.keys(weights) as K[];
    let left = this.#random() * keys.reduce((sum, key) => sum + weights[key], 0);
    for (const key of keys) {
      left -= weights[key];
      if (left < 0) return key;
    }
    return keys.filter((key) => weights[key] > 0).at(-1) as K;
  }
}
