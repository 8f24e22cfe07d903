import fc from "fast-check";
import { expect, test } from "vitest";
import { OffsetRanges } from "./offset-ranges.ts";

test("knows what is done, in whatever order and pieces it was added", () => {
  const step = fc.record({ start: fc.nat(60), length: fc.integer({ min: 1, max: 8 }) });
  fc.assert(
    fc.property(fc.nat(10), fc.array(step, { maxLength: 40 }), (begin, steps) => {
      const ranges = new OffsetRanges();
      ranges.begin(begin);
      const done = new Set<number>();
      for (const { start, length } of steps) {
        ranges.add(start, start + length);
        for (let each = start; each < start + length; each++) done.add(each);
        let low = begin;
        while (done.has(low)) low++;
        expect(ranges.low).toBe(low);
        const above = [...Array(80).keys()].filter((each) => each >= low && done.has(each));
        expect([...Array(80).keys()].filter((each) => each >= low && ranges.has(each))).toEqual(above);
        expect(ranges.firstAbove).toBe(above[0] ?? Number.POSITIVE_INFINITY);
        expect(ranges.count).toBe(above.filter((each) => !done.has(each - 1) || each === low).length);
      }
    }),
  );
});

test("takes a beginning further down: what was done stays done", () => {
  const ranges = new OffsetRanges();
  ranges.begin(10);
  ranges.add(10, 12);
  ranges.lower(5, 10);
  expect([ranges.low, ranges.has(11), ranges.has(7)]).toEqual([5, true, false]);
  ranges.add(5, 10);
  expect([ranges.low, ranges.count]).toEqual([12, 0]);
});
