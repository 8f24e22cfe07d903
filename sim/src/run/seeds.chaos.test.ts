import { expect, test } from "vitest";
import { describeFailure, runSeeds } from "./seeds.ts";

/** Seeds of the chaos tier, none of them in the unit tier, and of one test. */
const SEEDS = 1_000;
const CHUNK = 100;
const FROM = 1_001;

test.each(Array.from({ length: SEEDS / CHUNK }, (_, i) => FROM + i * CHUNK))(
  `finds nothing wrong with the ${CHUNK} seeds from %i on`,
  async (from) => {
    const { failed } = await runSeeds({ from, count: CHUNK });
    expect(failed.map(describeFailure)).toEqual([]);
  },
);
