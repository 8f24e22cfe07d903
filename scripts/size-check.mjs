#!/usr/bin/env node
/**
 * Bundles everything that `polymq/mqtt` exports for a browser and checks that it fits: no Node module, no Node global, it
 * loads in a context that has only a page's globals, and minified + gzip it stays within the limit.
 * Needs a build. Run: node scripts/size-check.mjs
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { failureInBrowser, gzipBytes, nodeNames } from "./ci/bundle-check.mjs";

/** What the bundle may have today, queues included. It shrinks unless the client learns something new: the goal is below. */
const LIMIT_BYTES = 43 * 1024;
/** What it is to become; said in the output as long as it is not reached. */
const GOAL_BYTES = 25 * 1024;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

try {
  const readable = await bundle({ minify: false });
  const small = await bundle({ minify: true });
  const problems = nodeNames(readable).map((name) => `the bundle uses ${name}, which no browser has`);
  const failure = failureInBrowser(small);
  if (failure !== null) problems.push(`the bundle does not load in a browser: ${failure}`);
  const bytes = gzipBytes(small);
  if (bytes > LIMIT_BYTES) problems.push(`${bytes - LIMIT_BYTES} bytes above the limit`);
  process.stdout.write(`polymq/mqtt: ${small.length} bytes minified, ${bytes} gzip, limit ${LIMIT_BYTES}\n`);
  if (bytes > GOAL_BYTES) process.stdout.write(`size check: the goal of ${GOAL_BYTES} bytes is not reached yet\n`);
  for (const problem of problems) process.stderr.write(`size check: ${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  // esbuild names the import that a browser cannot resolve, a `node:` module for one.
  process.stderr.write(`size check: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

/** The whole entry point as one script; nothing is shaken off, since everything is put into a global. */
async function bundle({ minify }) {
  const result = await build({
    stdin: { contents: 'export * from "polymq/mqtt";', resolveDir: ROOT, loader: "js" },
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "polymq",
    target: "es2022",
    legalComments: "none",
    logLevel: "silent",
    minify,
    write: false,
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error("esbuild wrote nothing");
  return output.text;
}
