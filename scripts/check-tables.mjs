#!/usr/bin/env node
/**
 * Checks the conformance and parity tables in docs/ against the tests and the public names.
 *
 * Run it after a build and a complete test run with `--reporter=json --outputFile=.cache/vitest.json`:
 *   node scripts/check-tables.mjs            check; exits 1 and lists everything that is wrong
 *   node scripts/check-tables.mjs --write    fill the conformance tables' test column first
 *   --root DIR                               another repository root than this one
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkConformanceTables } from "./lib/conformance-tables.mjs";
import { checkParityTables } from "./lib/parity-tables.mjs";
import { readTestReport } from "./lib/test-report.mjs";

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    root: { type: "string", default: fileURLToPath(new URL("..", import.meta.url)) },
  },
});

try {
  const root = resolve(values.root);
  const tests = readTestReport(root);
  const results = [checkConformanceTables(root, tests, { write: values.write }), checkParityTables(root, tests)];
  const failures = results.flatMap((result) => result.failures);
  for (const summary of results.flatMap((result) => result.summaries)) process.stdout.write(`${summary}\n`);
  for (const failure of failures) process.stderr.write(`${failure}\n`);
  if (failures.length > 0) {
    process.stderr.write(`check-tables: ${failures.length} failures\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`check-tables: ${error.message}\n`);
  process.exitCode = 1;
}
