import { runInterleaved } from "../harness/interleave.ts";
import type { Cell, Metrics } from "../harness/metrics.ts";
import type { BenchOptions } from "../harness/options.ts";
import { pick } from "../harness/options.ts";
import { countsAt } from "./counts.ts";
import { type Entries, measureClient } from "./measure.ts";
import type { Work } from "./plan.ts";

/** The clients of one protocol under measurement. */
export interface ClientContest<Row extends string, Contender extends string> {
  readonly rows: readonly Row[];
  readonly sizes: readonly number[];
  readonly contenders: readonly Contender[];
  readonly entries: Entries;
  workOf(row: Row): Work;
  /** Messages/s to expect. */
  rateOf(row: Row, contender: Contender): number;
}

/** Measures the rows, sizes and contenders that the options ask for. */
export async function runContest<Row extends string, Contender extends string>(
  contest: ClientContest<Row, Contender>,
  options: BenchOptions,
): Promise<Cell[]> {
  const { repeat, seconds } = options;
  const contenders = pick(contest.contenders, options.only);
  const cells: Cell[] = [];
  for (const row of pick(contest.rows, options.rows)) {
    const work = contest.workOf(row);
    for (const size of options.sizes ?? contest.sizes) {
      const measure = (contender: Contender): Promise<Metrics> => {
        const counts = countsAt(contest.rateOf(row, contender), work, size, seconds);
        return measureClient(contest.entries, { work, size, contender, counts });
      };
      cells.push(...(await runInterleaved({ row, size, contenders, repeat, measure })));
    }
  }
  return cells;
}
