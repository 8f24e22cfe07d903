import { describe, expect, test } from "vitest";
import { type DeathPlace, isCycle, withDeath } from "./death-history.ts";
import type { DeadLetterReason, DeathCount } from "./queue-message.ts";

function deathsOf(...places: readonly (readonly [string, DeadLetterReason])[]): DeathCount[] {
  let deaths: DeathCount[] = [];
  for (const [index, [queue, reason]] of places.entries()) deaths = withDeath(deaths, place(queue, reason, index));
  return deaths;
}

function place(queue: string, reason: DeadLetterReason, timeMs = 0): DeathPlace {
  return { queue, reason, timeMs, exchange: "x", key: `k${timeMs}` };
}

describe("the deaths of a message", () => {
  test("are told the last one first, one for each queue and reason", () => {
    const deaths = deathsOf(["a", "expired"], ["b", "rejected"], ["a", "rejected"], ["a", "expired"]);
    expect(deaths.map(({ queue, reason, count }) => `${queue} ${reason} ${count}`)).toEqual([
      "a expired 2",
      "a rejected 1",
      "b rejected 1",
    ]);
  });

  test("keep when, by which exchange and with which key it was first", () => {
    const [death] = deathsOf(["a", "expired"], ["a", "expired"]);
    expect(death).toMatchObject({ timeMs: 0, exchange: "x", keys: ["k0"] });
  });
});

describe("a message that comes round", () => {
  test("without anybody having rejected it is in a cycle", () => {
    expect(isCycle(deathsOf(["a", "expired"], ["b", "maxlen"]), "a")).toBe(true);
    expect(isCycle(deathsOf(["a", "expired"]), "a")).toBe(true);
  });

  test("and was rejected on the way is in none", () => {
    expect(isCycle(deathsOf(["a", "expired"], ["b", "rejected"]), "a")).toBe(false);
    expect(isCycle(deathsOf(["a", "rejected"], ["b", "expired"]), "a")).toBe(false);
  });

  test("of which only an earlier round was rejected is in one", () => {
    expect(isCycle(deathsOf(["c", "rejected"], ["a", "expired"], ["b", "expired"]), "a")).toBe(true);
  });

  test("is told from one that comes to a queue for the first time", () => {
    expect(isCycle(deathsOf(["a", "expired"]), "b")).toBe(false);
  });
});
