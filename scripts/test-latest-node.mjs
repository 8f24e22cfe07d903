#!/usr/bin/env node
/**
 * Runs the unit suite with the newest Node LTS line, whose binary comes from the npm package `node`.
 * Run: node scripts/test-latest-node.mjs [vitest arguments]
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand, withAttempts } from "./ci/run-command.mjs";

const NODE_VERSION = "26.10.0";
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = join(ROOT, ".cache", "node-latest");
const BINARY = join(FOLDER, "node_modules", "node", "bin", "node");

const problem = await provideNode();
if (problem === null) {
  process.stdout.write(`unit suite with Node ${NODE_VERSION}\n`);
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const report = "--outputFile.json=.cache/vitest-latest-node.json";
  const args = [vitest, "run", "--config", "vitest.config.ts", report, ...process.argv.slice(2)];
  const result = await runCommand(BINARY, args, { cwd: ROOT, echo: "echo" });
  process.exitCode = result.code;
} else {
  process.stderr.write(`Node ${NODE_VERSION} cannot be had: ${problem}\n`);
  process.exitCode = 1;
}

/** Installs the binary unless it is there. Resolves with what went wrong, or null. */
async function provideNode() {
  if (await isRightNode()) return null;
  mkdirSync(FOLDER, { recursive: true });
  // A project of its own: the package must not become a dependency of the repository, and its install script must run.
  writeFileSync(join(FOLDER, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-audit", "--no-fund", "--save-exact", `node@${NODE_VERSION}`];
  const install = await withAttempts(3, () => runCommand("npm", args, { cwd: FOLDER, env: outsideNpm() }));
  if (install.code !== 0) return install.output;
  return (await isRightNode()) ? null : `${BINARY} does not run as v${NODE_VERSION}`;
}

async function isRightNode() {
  return existsSync(BINARY) && (await runCommand(BINARY, ["--version"])).stdout.trim() === `v${NODE_VERSION}`;
}

/** The environment without what an outer `npm run` put there: it would send the installation to the outer project. */
function outsideNpm() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:config_local_prefix|package_|lifecycle_)/.test(name)),
  );
}
