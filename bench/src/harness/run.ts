import { writeFileSync } from "node:fs";
import { describeEnvironment, type Environment, environmentLine } from "./environment.ts";
import type { Cell } from "./metrics.ts";
import type { BenchOptions } from "./options.ts";
import { printProgress, printResult } from "./report.ts";
import { type Selected, selectSuites } from "./selection.ts";
import type { Suite } from "./suite.ts";
import { markdown, plainText, tableOf } from "./table.ts";
import { judge, type Threshold, type Verdict, verdictLine } from "./thresholds.ts";

/** What one suite has brought. */
interface Outcome {
  readonly suite: Suite;
  readonly cells: readonly Cell[];
  readonly skips: readonly string[];
  readonly environment: Environment;
  readonly verdicts: readonly Verdict[];
}

/** Runs those of the suites that are asked for, prints their tables, writes the files asked for; returns the exit code. */
export async function runSuites(available: readonly Suite[], options: BenchOptions): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const selected of selectSuites(available, options)) outcomes.push(await runSuite(selected));
  if (options.jsonFile !== null)
    writeFileSync(options.jsonFile, `${JSON.stringify(jsonOf(outcomes, options), null, 2)}\n`);
  if (options.markdownFile !== null) writeFileSync(options.markdownFile, markdownOf(outcomes, options));
  const hasFailures = outcomes.some(({ cells }) => cells.some((cell) => cell.failures.length > 0));
  const verdicts = outcomes.flatMap((outcome) => outcome.verdicts);
  const hasMisses = verdicts.length === 0 || verdicts.some(({ verdict }) => verdict !== "reached");
  return hasFailures || (options.isCheck && hasMisses) ? 1 : 0;
}

async function runSuite({ suite, options }: Selected): Promise<Outcome> {
  const skips = suite.skips(options);
  for (const skip of skips) printProgress(`SKIPPED: ${skip}`);
  const cells = await suite.run(options);
  const environment = describeEnvironment(suite.packages, suite.versions());
  const verdicts = judge(thresholdsFor(suite, options), cells, suite.contest);
  printResult(`\n${suite.title}\n${environmentLine(environment)}\n`);
  printResult(plainText(tableOf(cells, suite.shape)));
  for (const skip of skips) printResult(`SKIPPED: ${skip}`);
  for (const line of failureLines(cells)) printResult(line);
  if (options.isCheck) printResult(`\n${verdicts.map(verdictLine).join("\n")}`);
  return { suite, cells, skips, environment, verdicts };
}

/** The thresholds of the rows and sizes that were asked for; size 0 marks a row that has none. */
function thresholdsFor(suite: Suite, { rows, sizes }: BenchOptions): Threshold[] {
  return suite.thresholds.filter(
    ({ row, size }) => (rows?.includes(row) ?? true) && (size === 0 || (sizes?.includes(size) ?? true)),
  );
}

function failureLines(cells: readonly Cell[]): string[] {
  return cells.flatMap(({ row, size, contender, failures }) =>
    failures.map((failure) => `FAILED: ${row} ${size} B ${contender}: ${failure}`),
  );
}

function jsonOf(outcomes: readonly Outcome[], options: BenchOptions): object {
  const { repeat, seconds, protocolVersion } = options;
  const suites = outcomes.map(({ suite, cells, skips, environment, verdicts }) => ({
    name: suite.name,
    environment,
    skips,
    cells,
    verdicts,
  }));
  return { options: { repeat, seconds, protocolVersion }, suites };
}

function markdownOf(outcomes: readonly Outcome[], { repeat, seconds }: BenchOptions): string {
  const sections = outcomes.map(({ suite, cells, skips, environment, verdicts }) => {
    const notes = [
      ...suite.notes,
      `${repeat} rounds of about ${seconds} s per measurement.`,
      ...skips.map((skip) => `Skipped: ${skip}`),
    ];
    const lists = [notes, verdicts.map(verdictLine)].map((lines) => lines.map((line) => `- ${line}`).join("\n"));
    const table = markdown(tableOf(cells, suite.shape));
    return `## ${suite.title}\n\n${environmentLine(environment)}\n\n${lists[0]}\n\n${table}\n\n${lists[1]}\n`;
  });
  return sections.join("\n");
}
