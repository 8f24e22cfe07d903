#!/usr/bin/env node
/**
 * Runs the unit suite with the newest Node LTS line, whose binary comes from the npm package `node`.
 * Run: node scripts/test-latest-node.mjs [vitest arguments]
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "./ci/run-command.mjs";
import { LATEST_NODE, provideRuntime } from "./ci/runtimes.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const { binary, problem } = await provideRuntime(LATEST_NODE);
if (problem === undefined) {
  process.stdout.write(`unit suite with Node ${LATEST_NODE.version}\n`);
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const report = "--outputFile.json=.cache/vitest-latest-node.json";
  const args = [vitest, "run", "--config", "vitest.config.ts", report, ...process.argv.slice(2)];
  const result = await runCommand(binary, args, { cwd: ROOT, echo: "echo" });
  process.exitCode = result.code;
} else {
  process.stderr.write(`Node ${LATEST_NODE.version} cannot be had: ${problem}\n`);
  process.exitCode = 1;
}
