#!/usr/bin/env node
/**
 * Runs every example program, `examples/src/<name>.ts`, one after the other. Each brings its own embedded broker, ends by
 * itself within a minute and exits with 0. Needs a build. Run: node scripts/ci/run-examples.mjs
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "./run-command.mjs";

const FOLDER = fileURLToPath(new URL("../../examples/", import.meta.url));
const LIMIT_SECONDS = "60";

const names = readdirSync(join(FOLDER, "src"))
  .filter((name) => name.endsWith(".ts") && !name.includes(".test"))
  .map((name) => name.slice(0, -".ts".length));
const failed = [];
for (const name of names) if (!(await runExample(name))) failed.push(name);
if (names.length === 0) failed.push("no example found");
process.stdout.write(failed.length === 0 ? `${names.length} examples ran\n` : `failed: ${failed.join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runExample(name) {
  const program = join(FOLDER, "dist", `${name}.js`);
  if (!existsSync(program)) {
    process.stdout.write(`FAIL ${name}: not built\n`);
    return false;
  }
  const result = await runCommand("timeout", ["--kill-after=5", LIMIT_SECONDS, process.execPath, program], {
    cwd: FOLDER,
  });
  const end = result.code === 0 ? "ok  " : `FAIL (code ${result.code})`;
  process.stdout.write(`${end} ${name}\n${result.code === 0 ? "" : result.output}`);
  return result.code === 0;
}
