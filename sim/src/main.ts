import { parseOptions, type SimOptions, USAGE, UsageError } from "./options.ts";
import { describeFailure, runSeeds } from "./run/seeds.ts";

/** How often a long row says how far it is. */
const PROGRESS_MS = 5_000;

/** Runs seeds as the command line says; exit code 1 when one found something. */
async function main(options: SimOptions): Promise<number> {
  if (options.help) {
    print(USAGE);
    return 0;
  }
  const startedMs = performance.now();
  let saidMs = startedMs;
  const report = await runSeeds({
    from: options.from,
    count: options.count,
    print: options.trace ? print : null,
    onRun: (run, done) => {
      if (run.violations.length > 0) print(describeFailure(run));
      const nowMs = performance.now();
      if (nowMs - saidMs < PROGRESS_MS) return;
      saidMs = nowMs;
      print(`${done} of ${options.count} seeds, ${rate(done, nowMs - startedMs)}`);
    },
  });
  const { runs, events, failed } = report;
  print(`${runs} seeds, ${events} events, ${failed.length} failed, ${rate(runs, performance.now() - startedMs)}`);
  return failed.length === 0 ? 0 : 1;
}

function rate(runs: number, ms: number): string {
  return `${((runs * 1_000) / Math.max(1, ms)).toFixed(1)} seeds/s`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  print(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
