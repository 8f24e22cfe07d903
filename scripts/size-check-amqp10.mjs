#!/usr/bin/env node
/**
 * Bundles everything that `polymq/amqp10` exports for a browser, in the form of the check of `polymq/mqtt`: no Node module, no Node global, it loads
 * in a context that has only a page's globals, and stays within the limit. Needs a build. Run: node scripts/size-check-amqp10.mjs
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { failureInBrowser, gzipBytes, nodeNames } from "./ci/bundle-check.mjs";

/** What the bundle may have, minified and compressed. */
const LIMIT_BYTES = 53 * 1024;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

try {
  const small = await bundle(true);
  const problems = nodeNames(await bundle(false)).map((name) => `the bundle uses ${name}, which no browser has`);
  const failure = failureInBrowser(small);
  if (failure !== null) problems.push(`the bundle does not load in a browser: ${failure}`);
  const bytes = gzipBytes(small);
  if (bytes > LIMIT_BYTES) problems.push(`${bytes - LIMIT_BYTES} bytes above the limit`);
  process.stdout.write(`polymq/amqp10: ${small.length} bytes minified, ${bytes} gzip, limit ${LIMIT_BYTES}\n`);
  for (const problem of problems) process.stderr.write(`size check: ${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`size check: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

/** The whole entry point as one script. */
async function bundle(minify) {
  const result = await build({
    stdin: { contents: 'export * from "polymq/amqp10";', resolveDir: ROOT, loader: "js" },
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
