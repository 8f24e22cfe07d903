import { type Cell, type MetricName, medianOf, ratioTo } from "./metrics.ts";

/** One promise of the project: a bound on a ratio to the better baseline, or on the figure itself. */
export interface Threshold {
  readonly row: string;
  readonly size: number;
  readonly metric: MetricName;
  /** `ratio` compares with the baselines pair by pair; `value` takes our own median. */
  readonly of: "ratio" | "value";
  readonly bound: "atLeast" | "atMost";
  readonly limit: number;
  /** Whom it is about, when it is not the suite's subject. */
  readonly subject?: string;
  /** The contender that a ratio compares with, when it is not the suite's baselines. */
  readonly against?: string;
  /** Not judged when the run has no measurement of `against`: a contender that need not be there. */
  readonly isOptional?: boolean;
  /** What we would like to reach, for the report. */
  readonly aim?: number;
}

/** The outcome of one threshold; `unknown` when the run did not measure what it needs. */
export interface Verdict {
  readonly threshold: Threshold;
  readonly measured: number | null;
  readonly verdict: "reached" | "not reached" | "unknown";
}

/** Judges the cells of a run. `subject` is the contender the promises are about. */
export function judge(thresholds: readonly Threshold[], cells: readonly Cell[], names: Contest): Verdict[] {
  const isDue = ({ isOptional, row, size, against }: Threshold): boolean =>
    isOptional !== true || cells.some((cell) => cell.row === row && cell.size === size && cell.contender === against);
  return thresholds.filter(isDue).map((threshold) => {
    const measured = measuredFor(threshold, cells, names);
    if (measured === null) return { threshold, measured, verdict: "unknown" };
    const reached = threshold.bound === "atLeast" ? measured >= threshold.limit : measured <= threshold.limit;
    return { threshold, measured, verdict: reached ? "reached" : "not reached" };
  });
}

/** Who is judged, and against whom. */
export interface Contest {
  readonly subject: string;
  readonly baselines: readonly string[];
  /** Baselines without which, whole and in every round, a ratio says nothing. */
  readonly required: readonly string[];
}

function measuredFor(threshold: Threshold, cells: readonly Cell[], names: Contest): number | null {
  const inRow = cells.filter((cell) => cell.row === threshold.row && cell.size === threshold.size);
  const subject = inRow.find((cell) => cell.contender === (threshold.subject ?? names.subject));
  // A contender that failed in some round has not shown anything, however well its other rounds went.
  if (subject === undefined || subject.failures.length > 0) return null;
  if (threshold.of === "value") return medianOf(subject, threshold.metric);
  const { against } = threshold;
  const [wanted, required] = against === undefined ? [names.baselines, names.required] : [[against], [against]];
  const baselines = inRow.filter((cell) => wanted.includes(cell.contender));
  const isPresent = (name: string): boolean =>
    baselines.some((cell) => cell.contender === name && cell.failures.length === 0);
  if (!required.every(isPresent)) return null;
  return ratioTo(subject, baselines, threshold.metric)?.median ?? null;
}

/** A verdict as one line of text. */
export function verdictLine({ threshold, measured, verdict }: Verdict): string {
  const sign = threshold.bound === "atLeast" ? ">=" : "<=";
  const unit = threshold.of === "ratio" ? " x" : "";
  const size = threshold.size === 0 ? "" : ` ${threshold.size} B`;
  const aim = threshold.aim === undefined ? "" : `, aim ${threshold.aim}${unit}`;
  const figure = measured === null ? "not measured" : `${measured.toFixed(2)}${unit}`;
  const subject = threshold.subject === undefined ? "" : ` of ${threshold.subject}`;
  const against = threshold.against === undefined ? "" : ` to ${threshold.against}`;
  const name = `${threshold.row}${size}, ${threshold.metric}${subject}${against}`;
  return `${verdict.padEnd(11)}  ${name}: ${figure} (${sign} ${threshold.limit}${unit}${aim})`;
}
