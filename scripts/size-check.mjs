#!/usr/bin/env node
/**
 * Bundles everything that each client exports for a browser and checks that it fits: no Node module, no Node global, it
 * loads in a context that has only a page's globals, and minified + gzip it stays within the limit.
 * Needs a build. Run: node scripts/size-check.mjs
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { failureInBrowser, gzipBytes, nodeNames } from "./ci/bundle-check.mjs";

/**
 * Each client's entry point: what its bundle may have today, queues included, and what it is to become, which the output says as long as it is not
 * reached. A limit shrinks unless the client learns something new.
 */
const ENTRIES = [
  { name: "polymq/mqtt", limitBytes: 43 * 1024, goalBytes: 25 * 1024 },
  { name: "polymq/amqp091", limitBytes: 40 * 1024, goalBytes: 25 * 1024 },
];
const ROOT = fileURLToPath(new URL("..", import.meta.url));

for (const entry of ENTRIES) await check(entry);

async function check({ name, limitBytes, goalBytes }) {
  try {
    const readable = await bundle(name, { minify: false });
    const small = await bundle(name, { minify: true });
    const problems = nodeNames(readable).map((used) => `the bundle uses ${used}, which no browser has`);
    const failure = failureInBrowser(small);
    if (failure !== null) problems.push(`the bundle does not load in a browser: ${failure}`);
    const bytes = gzipBytes(small);
    if (bytes > limitBytes) problems.push(`${bytes - limitBytes} bytes above the limit`);
    process.stdout.write(`${name}: ${small.length} bytes minified, ${bytes} gzip, limit ${limitBytes}\n`);
    if (bytes > goalBytes) process.stdout.write(`size check: the goal of ${goalBytes} bytes is not reached yet\n`);
    for (const problem of problems) process.stderr.write(`size check: ${name}: ${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  } catch (error) {
    // esbuild names the import that a browser cannot resolve, a `node:` module for one.
    process.stderr.write(`size check: ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** The whole entry point as one script; nothing is shaken off, since everything is put into a global. */
async function bundle(name, { minify }) {
  const result = await build({
    stdin: { contents: `export * from "${name}";`, resolveDir: ROOT, loader: "js" },
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
