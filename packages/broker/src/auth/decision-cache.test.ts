import { describe, expect, test } from "vitest";
import { DecisionCache } from "./decision-cache.ts";

describe("DecisionCache", () => {
  test("a decision is kept until its time is over", () => {
    const cache = new DecisionCache(10, 100);
    cache.set("a", true, 1_000);
    cache.set("b", false, 1_050);
    expect([cache.get("a", 1_099), cache.get("b", 1_099)]).toEqual([true, false]);
    expect([cache.get("a", 1_100), cache.get("b", 1_100)]).toEqual([undefined, undefined]);
  });

  test("with an endless lifetime a decision stays", () => {
    const cache = new DecisionCache(10, Number.POSITIVE_INFINITY);
    cache.set("a", false, 0);
    expect(cache.get("a", Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  test("with a lifetime of 0 nothing is kept", () => {
    const cache = new DecisionCache(10, 0);
    cache.set("a", true, 1);
    expect(cache.get("a", 1)).toBe(undefined);
  });

  test("it never holds more decisions than allowed", () => {
    const cache = new DecisionCache(2, 100);
    for (const topic of ["a", "b", "c"]) cache.set(topic, true, 0);
    expect(["a", "b", "c"].filter((topic) => cache.get(topic, 0) === true)).toEqual(["c"]);
  });

  test("overlong topics are not kept", () => {
    const cache = new DecisionCache(10, 100);
    const topic = "x".repeat(1_025);
    cache.set(topic, true, 0);
    expect(cache.get(topic, 0)).toBe(undefined);
  });

  test("a pending decision becomes known, but does not overwrite a later one", () => {
    const cache = new DecisionCache(10, 100);
    const pending = Promise.resolve(true);
    cache.set("a", pending, 0);
    expect(cache.get("a", 0)).toBe(pending);
    cache.settle("a", pending, true);
    expect(cache.get("a", 0)).toBe(true);
    cache.set("a", false, 0);
    cache.settle("a", pending, true);
    expect(cache.get("a", 0)).toBe(false);
  });
});
