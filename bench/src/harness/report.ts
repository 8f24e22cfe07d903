/** The one place of the benchmarks that writes to the terminal: results to stdout, progress to stderr. */

/** Writes one line of results to stdout. */
export function printResult(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes one line of progress to stderr, so that stdout holds the results alone. */
export function printProgress(text: string): void {
  process.stderr.write(`${text}\n`);
}
