import type { RunOptions, RunReport } from "./simulation.ts";
import { simulate } from "./simulation.ts";

/** Runs a row of seeds. */
export interface SeedsOptions extends RunOptions {
  readonly from: number;
  readonly count: number;
  /** Told after each run. */
  readonly onRun?: (report: RunReport, done: number) => void;
  /** Ends the row at the first bad run. Default: goes on. */
  readonly untilFound?: boolean;
}

/** What a row of seeds found. */
export interface SeedsReport {
  readonly runs: number;
  readonly events: number;
  readonly failed: readonly RunReport[];
}

/** Runs `count` seeds from `from` on, one after the other. */
export async function runSeeds(options: SeedsOptions): Promise<SeedsReport> {
  const failed: RunReport[] = [];
  let events = 0;
  let runs = 0;
  for (let seed = options.from; seed < options.from + options.count; seed++) {
    const report = await simulate(seed, options);
    runs++;
    events += report.events;
    if (report.violations.length > 0) failed.push(report);
    options.onRun?.(report, runs);
    if (failed.length > 0 && options.untilFound === true) break;
  }
  return { runs, events, failed };
}

/** What a failed run says: what was wrong, and how to see it again. */
export function describeFailure(report: RunReport): string {
  const { seed, violations } = report;
  const shown = violations.slice(0, 20).map((violation) => `  ${violation}`);
  if (violations.length > shown.length) shown.push(`  and ${violations.length - shown.length} more`);
  return [`seed ${seed}:`, ...shown, `  replay: npm run sim -- --seed ${seed} --trace`].join("\n");
}
