import { expect, test } from "vitest";
import { runSeeds } from "../run/seeds.ts";
import { plantedFaults } from "./planted-faults.ts";

/** As many as the unit tier runs: each mistake has to be found by one of them. */
const SEEDS = 200;

test.each(plantedFaults().map((plant) => [plant.name, plant] as const))(
  "%s: a mistake that is put in on purpose is found",
  async (_, plant) => {
    const { failed, runs } = await runSeeds({ from: 1, count: SEEDS, plant, untilFound: true });
    expect(runs).toBeLessThanOrEqual(SEEDS);
    expect(failed.flatMap((report) => report.violations)).not.toEqual([]);
  },
  300_000,
);
