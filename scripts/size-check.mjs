#!/usr/bin/env node
/**
 * Bundles everything that each client exports for a browser and checks that it fits: no Node module, no Node global, it
 * loads in a context that has only a page's globals, and minified + gzip it stays within its limits: one for the entry point with everything that it
 * imports at once, one for each part that is loaded on first use, one for all together.
 * Needs a build. Run: node scripts/size-check.mjs [--modules]; the option lists what each module takes before it is minified.
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { failureInBrowser, gzipBytes, nodeNames } from "./ci/bundle-check.mjs";
import { clientChunks, staticClosure } from "./ci/client-chunks.mjs";

/**
 * Each client: what a page may load with its entry point; where that is too much, what it is to become, which the output says; what each part may
 * be, by its module's name, and what all may be together. A limit shrinks unless the client learns something new.
 */
const ENTRIES = [
  {
    name: "polymq/mqtt",
    atOnceMax: 25 * 1024,
    totalMax: 51_750,
    parts: {
      intake: 10_300,
      mqtt5: 5_400,
      recovery: 1_750,
      "queue-client": 5_100,
      requester: 1_200,
      "stored-session": 1_600,
      authenticator: 1_000,
    },
  },
  { name: "polymq/amqp091", atOnceMax: 41_500, goal: 25 * 1024, totalMax: 41_500, parts: {} },
];
const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

for (const entry of ENTRIES) await checkEntry(entry);

async function checkEntry({ name, atOnceMax, goal, totalMax, parts }) {
  try {
    const whole = await wholeScript(name);
    const problems = nodeNames(whole).map((used) => `the bundle uses ${used}, which no browser has`);
    const failure = failureInBrowser(whole);
    if (failure !== null) problems.push(`the bundle does not load in a browser: ${failure}`);
    const chunks = await clientChunks(name, ROOT);
    const atOnce = staticClosure(chunks);
    const bytes = check(name, [...atOnce], atOnceMax, problems);
    if (atOnce.size < chunks.length) check(`${name} with all parts`, chunks, totalMax, problems);
    for (const chunk of chunks) {
      if (!atOnce.has(chunk)) checkPart(chunk, parts, problems);
      if (process.argv.includes("--modules")) list(chunk);
    }
    if (goal !== undefined && bytes > goal) process.stdout.write(`  the goal of ${goal} bytes is not reached yet\n`);
    for (const problem of problems) process.stderr.write(`size check: ${name}: ${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  } catch (error) {
    // The bundler names the import that a browser cannot resolve, a `node:` module for one.
    process.stderr.write(`size check: ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** A part that no limit is known for is a problem of its own: it costs a page one more request. */
function checkPart(chunk, limits, problems) {
  const part = chunk.name.replace(/-[\w-]{8}\.js$/, "");
  const limit = limits[part];
  if (limit === undefined) problems.push(`${part} has no limit`);
  else check(`  ${part}, on first use`, [chunk], limit, problems);
}

/** Each chunk counts as compressed by itself, for so it travels. */
function check(what, chunks, limit, problems) {
  const bytes = chunks.reduce((sum, { code }) => sum + gzipBytes(code), 0);
  const minified = chunks.reduce((sum, { code }) => sum + code.length, 0);
  process.stdout.write(`${what}: ${minified} bytes minified, ${bytes} gzip, limit ${limit}\n`);
  if (bytes > limit) problems.push(`${what}: ${bytes - limit} bytes above the limit`);
  return bytes;
}

function list({ name, modules }) {
  process.stdout.write(`${name}\n`);
  for (const { path, bytes } of modules.toSorted((a, b) => b.bytes - a.bytes)) {
    process.stdout.write(`${String(bytes).padStart(8)}  ${path}\n`);
  }
}

/** The entry point with all parts as one readable script. */
async function wholeScript(name) {
  const result = await build({
    stdin: { contents: `export * from "${name}";`, resolveDir: ROOT, loader: "js" },
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "polymq",
    target: "es2022",
    legalComments: "none",
    logLevel: "silent",
    write: false,
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error("esbuild wrote nothing");
  return output.text;
}
