import { median } from "./statistics.ts";

/**
 * What a measurement can hold: `rate` in messages/s, `cpu` in microseconds of CPU time per message, `memory` as peak
 * resident KiB, `p50` and `p99` in microseconds, `startup`, `coldStartup` (the first of a process) and `delay` (the longest
 * of an event loop) in milliseconds.
 */
export type MetricName = "rate" | "cpu" | "memory" | "p50" | "p99" | "startup" | "coldStartup" | "delay";

/** One measurement: the metrics it took; a metric that the row or the platform lacks is absent. */
export type Metrics = Readonly<Partial<Record<MetricName, number>>>;

/** One contender on one row: a measurement per round, or null where it failed, with the reasons. */
export interface Cell {
  readonly row: string;
  readonly size: number;
  readonly contender: string;
  readonly rounds: readonly (Metrics | null)[];
  readonly failures: readonly string[];
}

/** A ratio over the pairs of a run: the median and the extremes. */
export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly pairs: number;
}

/** The median of one metric over a cell's rounds, or null if no round has it. */
export function medianOf(cell: Cell, metric: MetricName): number | null {
  const values = cell.rounds.flatMap((round) => round?.[metric] ?? []);
  return values.length === 0 ? null : median(values);
}

/**
 * The ratio of a cell to the better of its baselines, taken round by round (the members of a round ran one after the
 * other, so what disturbs the machine disturbs both), then the median of those. Null if no round has both sides.
 */
export function ratioTo(cell: Cell, baselines: readonly Cell[], metric: MetricName): Ratio | null {
  const ratios: number[] = [];
  for (const [index, round] of cell.rounds.entries()) {
    const mine = round?.[metric];
    const theirs = baselines.flatMap((baseline) => baseline.rounds[index]?.[metric] ?? []);
    if (mine === undefined || theirs.length === 0) continue;
    ratios.push(mine / (metric === "rate" ? Math.max(...theirs) : Math.min(...theirs)));
  }
  if (ratios.length === 0) return null;
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios), pairs: ratios.length };
}
