import { expect, test } from "vitest";
import { simulate } from "./simulation.ts";

test.each([1, 2, 3, 4, 5, 6])(
  "seed %i replays exactly: everything that happens, to the byte",
  async (seed) => {
    const lines: string[][] = [[], []];
    const first = await simulate(seed, { print: (line) => lines[0]?.push(line) });
    const second = await simulate(seed, { print: (line) => lines[1]?.push(line) });
    expect(lines[0]?.length).toBeGreaterThan(100);
    expect(lines[1]).toEqual(lines[0]);
    expect(second.traceHash).toBe(first.traceHash);
    // Reading along changes nothing.
    expect((await simulate(seed)).traceHash).toBe(first.traceHash);
  },
  120_000,
);

test("two seeds are two runs", async () => {
  expect((await simulate(1)).traceHash).not.toBe((await simulate(2)).traceHash);
}, 120_000);
