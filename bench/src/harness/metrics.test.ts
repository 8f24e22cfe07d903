import { describe, expect, test } from "vitest";
import { type Cell, type Metrics, ratioTo } from "./metrics.ts";

function cell(contender: string, rounds: (Metrics | null)[]): Cell {
  return { row: "row", size: 256, contender, rounds, failures: rounds.includes(null) ? ["broke"] : [] };
}

describe("ratioTo", () => {
  test("is the median of the ratios within rounds, not the ratio of the medians", () => {
    const mine = cell("ours", [{ rate: 10 }, { rate: 100 }, { rate: 30 }]);
    const theirs = cell("peer", [{ rate: 1 }, { rate: 50 }, { rate: 10 }]);
    expect(ratioTo(mine, [theirs], "rate")).toEqual({ median: 3, min: 2, max: 10, pairs: 3 });
  });

  test("compares with the better baseline of each round: the higher rate, the lower memory", () => {
    const mine = cell("ours", [{ rate: 80, memory: 50 }]);
    const baselines = [cell("a", [{ rate: 10, memory: 100 }]), cell("b", [{ rate: 8, memory: 25 }])];
    expect(ratioTo(mine, baselines, "rate")?.median).toBe(8);
    expect(ratioTo(mine, baselines, "memory")?.median).toBe(2);
  });

  test("leaves out rounds in which one side failed", () => {
    const ratio = ratioTo(cell("ours", [null, { rate: 6 }]), [cell("peer", [{ rate: 1 }, { rate: 2 }])], "rate");
    expect(ratio).toEqual({ median: 3, min: 3, max: 3, pairs: 1 });
  });

  test("is null when nothing can be compared", () => {
    expect(ratioTo(cell("ours", [{ rate: 6 }]), [], "rate")).toBeNull();
  });
});
