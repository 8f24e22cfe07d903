import { describe, expect, test } from "vitest";
import { serialAdd, serialDistance, serialWithin } from "./serial.ts";

const LAST = 0xffff_ffff;

describe("serial numbers (RFC 1982)", () => {
  test("wrap around", () => {
    expect(serialAdd(LAST, 1)).toBe(0);
    expect(serialAdd(LAST - 1, 5)).toBe(3);
    expect(serialAdd(3, -5)).toBe(LAST - 1);
  });

  test.each([
    [0, 0, 0],
    [LAST, 2, 3],
    [2, LAST, -3],
    [0, 0x7fff_ffff, 0x7fff_ffff],
    [1, 0, -1],
  ])("from %i to %i it is %i steps", (from, to, steps) => {
    expect(serialDistance(from, to)).toBe(steps);
  });

  test("ranges may go across the wrap, and a backward one holds nothing", () => {
    expect(serialWithin(0, LAST - 1, 2)).toBe(true);
    expect(serialWithin(3, LAST - 1, 2)).toBe(false);
    expect(serialWithin(LAST, LAST, LAST)).toBe(true);
    expect(serialWithin(5, 0, LAST)).toBe(false);
    expect(serialWithin(5, 6, 4)).toBe(false);
  });
});
