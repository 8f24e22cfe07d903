import type { Cell, Metrics } from "./metrics.ts";
import { printProgress } from "./report.ts";

/** One row of a table: its contenders take turns. */
export interface Contested<Contender extends string> {
  readonly row: string;
  readonly size: number;
  readonly contenders: readonly Contender[];
  readonly repeat: number;
  /** Takes one measurement, with everything it needs started afresh. */
  measure(contender: Contender): Promise<Metrics>;
}

/**
 * Measures a row: A B C A B C ..., so that a slow spell of the machine meets all contenders alike. A failed measurement
 * is reported and kept as a failure of its cell; the run goes on.
 */
export async function runInterleaved<Contender extends string>(contested: Contested<Contender>): Promise<Cell[]> {
  const cells = contested.contenders.map((contender) => ({
    row: contested.row,
    size: contested.size,
    contender,
    rounds: [] as (Metrics | null)[],
    failures: [] as string[],
  }));
  for (let round = 1; round <= contested.repeat; round += 1) {
    for (const cell of cells) {
      const metrics = await measureOnce(contested, cell.contender);
      if (typeof metrics === "string") cell.failures.push(metrics);
      cell.rounds.push(typeof metrics === "string" ? null : metrics);
      const name = `${cell.row} ${cell.size} B ${cell.contender} ${round}/${contested.repeat}`;
      printProgress(`${name}: ${typeof metrics === "string" ? `FAILED: ${metrics}` : metricsLine(metrics)}`);
    }
  }
  return cells;
}

async function measureOnce<Contender extends string>(
  contested: Contested<Contender>,
  contender: Contender,
): Promise<Metrics | string> {
  try {
    return await contested.measure(contender);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function metricsLine(metrics: Metrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value >= 1000 ? Math.round(value) : value.toFixed(2)}`)
    .join(", ");
}
