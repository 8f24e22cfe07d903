import { describe, expect, test } from "vitest";
import { parseOptions } from "./options.ts";

describe("the simulator's command line", () => {
  test("runs 200 seeds from 1 on by default", () => {
    expect(parseOptions([])).toEqual({ from: 1, count: 200, trace: false, help: false });
  });

  test("takes a row of seeds", () => {
    expect(parseOptions(["--seeds", "100000", "--from", "7"])).toMatchObject({ from: 7, count: 100_000 });
  });

  test("takes one seed, with its trace", () => {
    expect(parseOptions(["--seed", "42", "--trace"])).toMatchObject({ from: 42, count: 1, trace: true });
  });

  test.each([["--seeds", "many"], ["--seeds", "-1"], ["--seed", "1.5"], ["--nonsense"], ["stray"]])(
    "refuses %s %s",
    (...args) => {
      expect(() => parseOptions(args.filter((arg) => arg !== undefined))).toThrow(
        expect.objectContaining({ name: "UsageError" }),
      );
    },
  );
});
