import { describe, expect, test } from "vitest";
import { parseOptions, UsageError } from "./options.ts";
import { selectSuites } from "./selection.ts";
import type { Suite } from "./suite.ts";

function suite(name: string, rows: string[], contenders: string[]): Suite {
  return {
    name,
    title: name,
    rows,
    contenders,
    thresholds: [],
    contest: { subject: "ours", baselines: [], required: [] },
    shape: { baselines: [], ratioTitle: "", names: {}, rateTitle: "" },
    notes: [],
    packages: [],
    versions: () => ({}),
    skips: () => [],
    run: async () => [],
  };
}

const SUITES = [
  suite("client", ["publish", "receive"], ["ours", "peer"]),
  suite("broker", ["load"], ["ours", "other"]),
];

function select(...args: string[]): [string, readonly string[] | null, readonly string[] | null][] {
  const selected = selectSuites(SUITES, parseOptions(["mqtt", ...args]));
  return selected.map(({ suite: { name }, options }) => [name, options.rows, options.only]);
}

describe("the command line", () => {
  test("without a suite runs all of the protocol", () => {
    expect(select().map(([name]) => name)).toEqual(["client", "broker"]);
  });

  test("with rows runs only the suites that have them", () => {
    expect(select("--rows", "receive")).toEqual([["client", ["receive"], null]]);
  });

  test("with contenders gives each suite its own", () => {
    expect(select("--only", "ours,other")).toEqual([
      ["client", null, ["ours"]],
      ["broker", null, ["ours", "other"]],
    ]);
  });

  test.each([
    ["a row that no suite has", ["--rows", "publish,nothing"]],
    ["a row of another suite", ["broker", "--rows", "publish"]],
    ["an unknown contender", ["--only", "nobody"]],
    ["an unknown suite", ["server"]],
    ["an unknown option", ["--fast"]],
    ["a repeat of 0", ["--repeat", "0"]],
    ["half a byte", ["--sizes", "16,0.5"]],
  ])("with %s is refused before anything runs", (_, args) => {
    expect(() => select(...args)).toThrow(UsageError);
  });
});
