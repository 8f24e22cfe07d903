import { describe, expect, test } from "vitest";
import { MessagingError } from "../base/errors.ts";
import { type Backoff, backoff } from "./backoff.ts";

const error = new MessagingError("ERR_CONNECT_FAILED", "down");
const half = (): number => 0.5;

function delays(make: Backoff, count: number): number[] {
  return Array.from({ length: count }, (_, i) => make(i + 1, error));
}

describe("backoff", () => {
  test("without jitter it doubles from 1 s to 2 min", () => {
    expect(delays(backoff({ jitter: "none" }, half), 9)).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000,
    ]);
  });

  test("full jitter, the default, takes a random part of that", () => {
    expect(delays(backoff({}, half), 3)).toEqual([500, 1_000, 2_000]);
    expect(backoff({}, () => 0)(5, error)).toBe(0);
    expect(backoff({}, () => 0.999)(50, error)).toBeLessThan(120_000);
  });

  test("start and ceiling can be set", () => {
    const make = backoff({ initialDelayMs: 10, maxDelayMs: 50, jitter: "none" }, half);
    expect(delays(make, 5)).toEqual([10, 20, 40, 50, 50]);
  });

  test("never leaves the range of numbers, however many attempts there were", () => {
    expect(backoff({ jitter: "none" }, half)(100_000, error)).toBe(120_000);
    expect(backoff({ initialDelayMs: 0, jitter: "none" }, half)(10, error)).toBe(0);
    expect(backoff({ initialDelayMs: 0, jitter: "none" }, half)(100_000, error)).toBe(0);
  });

  test("a function of one's own gets attempt and error and replaces the rest", () => {
    const seen: unknown[] = [];
    const make = backoff({ delay: (...call) => seen.push(call) * 7, jitter: "full" }, half);
    expect(delays(make, 2)).toEqual([7, 14]);
    expect(seen).toEqual([
      [1, error],
      [2, error],
    ]);
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "x" as never])(
    "a function that returns %s means no delay",
    (value) => {
      expect(backoff({ delay: () => value }, half)(1, error)).toBe(0);
    },
  );
});
