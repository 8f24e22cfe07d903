import type { VirtualClock } from "polymq/testing";
import type { Chance } from "./chance.ts";
import type { Promises } from "./promises.ts";
import type { Trace } from "./trace.ts";

/** What everything in one run shares. */
export interface World {
  readonly clock: VirtualClock;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly promises: Promises;
  /** What was found to be wrong, in the words of the report. */
  readonly violations: string[];
}

/** Resolves after this much virtual time. */
export function passed(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => world.clock.setTimer(ms, resolve));
}
