import { describe, expect, test } from "vitest";
import { randomInteger, seededRandom } from "./seeded-random.ts";

describe("seededRandom", () => {
  test("the same seed gives the same numbers, on every runtime", () => {
    const random = seededRandom(42);
    expect([random(), random(), random()].map((n) => Math.floor(n * 1_000_000))).toEqual([7_303, 425_134, 756_454]);
  });

  test("different seeds, neighbours and 0 too, give different numbers", () => {
    const firsts = Array.from({ length: 1_000 }, (_, seed) => seededRandom(seed)());
    expect(new Set(firsts).size).toBe(1_000);
  });

  test("numbers are in [0, 1) and spread evenly", () => {
    const random = seededRandom(7);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(random() * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) expect(count).toSatisfy((n: number) => n > 850 && n < 1_150);
  });
});

describe("randomInteger", () => {
  test("covers the whole range, both ends included", () => {
    const random = seededRandom(1);
    const seen = new Set(Array.from({ length: 200 }, () => randomInteger(random, -1, 2)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2]);
  });
});
