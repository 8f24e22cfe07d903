import { describe, expect, test } from "vitest";
import { median, percentile } from "./statistics.ts";

describe("median", () => {
  test("is the middle value of an odd number of values, whatever their order", () => {
    expect(median([9, 1, 10])).toBe(9);
  });

  test("is the mean of the two middle values of an even number", () => {
    expect(median([100, 2, 4, 1])).toBe(3);
  });

  test("is NaN without values", () => {
    expect(median([])).toBeNaN();
  });
});

describe("percentile", () => {
  const oneToHundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  test("p50 and p99 of 1 to 100 are 50 and 99 (nearest rank)", () => {
    expect([percentile(oneToHundred, 50), percentile(oneToHundred, 99)]).toEqual([50, 99]);
  });

  test("p99 of few values is the greatest", () => {
    expect(percentile([3, 1, 2], 99)).toBe(3);
  });

  test("leaves the samples in their order", () => {
    const samples = Float64Array.of(3, 1, 2);
    percentile(samples, 50);
    expect([...samples]).toEqual([3, 1, 2]);
  });
});
