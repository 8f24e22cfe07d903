import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("nothing has no percentiles", () => {
  expect(new Histogram().percentiles()).toEqual({ p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
  expect(new Histogram()).toMatchObject({ count: 0, meanMs: 0, minMs: 0 });
});

test("percentiles of 1 to 1,000 ms are right within 1 %", () => {
  const histogram = new Histogram();
  for (let ms = 1_000; ms >= 1; ms--) histogram.record(ms);
  const { p50, p99, max } = histogram.percentiles();
  expect(Math.abs(p50 - 500)).toBeLessThan(5);
  expect(Math.abs(p99 - 990)).toBeLessThan(9.9);
  expect(max).toBe(1_000);
  expect(histogram).toMatchObject({ count: 1_000, meanMs: 500.5, minMs: 1 });
});

test("any time is found again within 1 % or a microsecond", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 2_000_000, noNaN: true }), (ms) => {
      const histogram = new Histogram();
      histogram.record(ms);
      histogram.record(3_000_000);
      expect(Math.abs(histogram.at(0.5) - ms)).toBeLessThanOrEqual(Math.max(0.001, ms * 0.01));
    }),
  );
});

test("times beyond the largest count as the largest seen", () => {
  const histogram = new Histogram();
  histogram.record(10_000_000);
  expect(histogram.at(1)).toBeLessThanOrEqual(10_000_000);
  expect(histogram.percentiles().max).toBe(10_000_000);
});
