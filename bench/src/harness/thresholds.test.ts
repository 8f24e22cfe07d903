import { describe, expect, test } from "vitest";
import type { Cell } from "./metrics.ts";
import { judge, type Threshold } from "./thresholds.ts";

const SEVEN_TIMES: Threshold = { row: "r", size: 256, metric: "rate", of: "ratio", bound: "atLeast", limit: 7 };
const CONTEST = { subject: "ours", baselines: ["peer", "other"], required: ["peer"] };

function cells(ours: number, peer: number, failures: string[] = []): Cell[] {
  return [
    { row: "r", size: 256, contender: "ours", rounds: [{ rate: ours, startup: ours }], failures },
    { row: "r", size: 256, contender: "peer", rounds: [{ rate: peer }], failures: [] },
  ];
}

describe("judge", () => {
  test("a ratio at the limit is reached", () => {
    expect(judge([SEVEN_TIMES], cells(70, 10), CONTEST)[0]?.verdict).toBe("reached");
  });

  test("a ratio below the limit is not reached", () => {
    expect(judge([SEVEN_TIMES], cells(69, 10), CONTEST)[0]?.verdict).toBe("not reached");
  });

  test("an upper bound is judged the other way round", () => {
    const atMost: Threshold = { ...SEVEN_TIMES, bound: "atMost" };
    expect(judge([atMost], cells(71, 10), CONTEST)[0]?.verdict).toBe("not reached");
  });

  test("a bound on a value takes our own median", () => {
    const startup: Threshold = { ...SEVEN_TIMES, metric: "startup", of: "value", bound: "atMost", limit: 100 };
    expect(judge([startup], cells(99, 1), CONTEST)[0]).toMatchObject({ measured: 99, verdict: "reached" });
  });

  test("a row that was not measured is unknown, not reached", () => {
    expect(judge([{ ...SEVEN_TIMES, size: 16 }], cells(70, 10), CONTEST)[0]?.verdict).toBe("unknown");
  });

  test("without a required baseline a ratio is unknown", () => {
    expect(judge([SEVEN_TIMES], cells(70, 10), { ...CONTEST, required: ["peer", "other"] })[0]?.verdict).toBe(
      "unknown",
    );
  });

  test("a ratio may be to a contender of its own, which is then required", () => {
    const device: Cell = { row: "r", size: 256, contender: "device", rounds: [{ rate: 20 }], failures: [] };
    const against: Threshold = { ...SEVEN_TIMES, against: "device" };
    expect(judge([against], [...cells(140, 100), device], CONTEST)[0]).toMatchObject({
      measured: 7,
      verdict: "reached",
    });
    expect(judge([against], cells(140, 10), CONTEST)[0]?.verdict).toBe("unknown");
  });

  test("a ratio to a contender that need not be there is judged where it took part, and unknown when it failed", () => {
    const optional: Threshold = { ...SEVEN_TIMES, against: "guest", isOptional: true };
    const guest: Cell = { row: "r", size: 256, contender: "guest", rounds: [{ rate: 20 }], failures: [] };
    const failed: Cell = { ...guest, rounds: [null], failures: ["it ended"] };
    expect(judge([optional], cells(139, 10), CONTEST)).toEqual([]);
    expect(judge([optional], [...cells(139, 10), guest], CONTEST)[0]?.verdict).toBe("not reached");
    expect(judge([optional], [...cells(140, 10), guest], CONTEST)[0]?.verdict).toBe("reached");
    expect(judge([optional], [...cells(140, 10), failed], CONTEST)[0]?.verdict).toBe("unknown");
  });

  test("a threshold may be about another contender", () => {
    const other: Cell = { row: "r", size: 256, contender: "ours too", rounds: [{ rate: 90 }], failures: [] };
    const about: Threshold = { ...SEVEN_TIMES, subject: "ours too" };
    expect(judge([about], [...cells(10, 10), other], CONTEST)[0]).toMatchObject({ measured: 9, verdict: "reached" });
  });

  test("a contender that failed in a round has reached nothing", () => {
    expect(judge([SEVEN_TIMES], cells(700, 10, ["a wrong byte"]), CONTEST)[0]?.verdict).toBe("unknown");
  });
});
