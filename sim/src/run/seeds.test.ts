import { describe, expect, test } from "vitest";
import { wrapStore } from "../planted/wrapped-store.ts";
import type { PlantedFault } from "../world/planted-fault.ts";
import { describeFailure, runSeeds } from "./seeds.ts";

/** Seeds of the unit tier, and of one test. */
const SEEDS = 200;
const CHUNK = 20;

describe("the simulation", () => {
  test.each(Array.from({ length: SEEDS / CHUNK }, (_, i) => i * CHUNK + 1))(
    `finds nothing wrong with the ${CHUNK} seeds from %i on`,
    async (from) => {
      const { failed, runs } = await runSeeds({ from, count: CHUNK });
      expect(failed.map(describeFailure)).toEqual([]);
      expect(runs).toBe(CHUNK);
    },
    300_000,
  );
});

test("a failed run tells what was wrong and how to see it again", async () => {
  const told: number[] = [];
  const plant: PlantedFault = {
    name: "nothing is stored",
    store: (store) => wrapStore(store, { commit: () => null }),
  };
  const { failed, runs } = await runSeeds({
    from: 7,
    count: 3,
    plant,
    untilFound: true,
    onRun: (_, done) => told.push(done),
  });
  expect([runs, told]).toEqual([1, [1]]);
  expect(failed[0] === undefined ? "" : describeFailure(failed[0])).toMatch(
    /^seed 7:\n {2}.*\n.*npm run sim -- --seed 7 --trace$/s,
  );
}, 120_000);
