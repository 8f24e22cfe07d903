#!/usr/bin/env node
/**
 * Runs every code block of the README files and guides against an embedded broker, each in a process of its own, and checks
 * the types of those in JavaScript and TypeScript; and follows the links of all documents. A block that cannot run alone has a line `*Not run: reason*` below it.
 * Needs a build. Run: node scripts/docs-check.mjs [part of `document:line`]
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { kindOf } from "./docs/block-program.mjs";
import { checkTypes } from "./docs/check-types.mjs";
import { readCodeBlocks } from "./docs/code-blocks.mjs";
import { brokenLinks } from "./docs/links.mjs";
import { runBlock } from "./docs/run-block.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** More exceptions than this mean that they became a habit. */
const NOT_RUN_MAX = 6;
const AT_A_TIME = 2;

const wanted = process.argv[2] ?? "";
const blocks = documents()
  .flatMap((document) => readCodeBlocks(document, readFileSync(join(ROOT, document), "utf8")))
  .filter((block) => kindOf(block.language) !== "shown" && placeOf(block).includes(wanted));
const runnable = blocks.filter((block) => block.notRun === null && kindOf(block.language) !== "unknown");
let failed = 0;

for (const document of allDocuments()) for (const problem of brokenLinks(ROOT, document)) fail("link", problem);
for (const problem of await checkTypes(blocks)) fail("types", problem);
await runAll([...runnable]);
const notRun = blocks.filter((block) => block.notRun !== null);
for (const block of notRun) print(`skip ${placeOf(block)}: ${block.notRun}\n`);
for (const block of blocks.filter((one) => kindOf(one.language) === "unknown")) {
  fail(placeOf(block), block.language === "" ? "the block names no language" : `what is ${block.language}?`);
}
if (notRun.length > NOT_RUN_MAX) fail("not run", `${notRun.length} blocks, ${NOT_RUN_MAX} are allowed`);
if (runnable.length === 0) fail("blocks", "none found");
print(`${runnable.length} code blocks ran, ${notRun.length} not run, ${failed} failures\n`);
process.exitCode = failed === 0 ? 0 : 1;

function documents() {
  const packages = readdirSync(join(ROOT, "packages")).map((name) => `packages/${name}/README.md`);
  const guides = readdirSync(join(ROOT, "docs", "guides")).map((name) => `docs/guides/${name}`);
  return ["README.md", ...packages, ...guides.filter((path) => path.endsWith(".md"))];
}

/** Those and everything else that is written for readers. */
function allDocuments() {
  const inFolder = (folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
  const others = [".", "docs", "examples", "interop", "sim", "bench"].flatMap(inFolder);
  return [...new Set([...documents(), ...others])].filter((path) => path.endsWith(".md"));
}

async function runAll(waiting) {
  const worker = async () => {
    for (let block = waiting.shift(); block !== undefined; block = waiting.shift()) {
      const problem = await runBlock(block);
      if (problem === null) print(`ok   ${placeOf(block)}\n`);
      else fail(placeOf(block), problem);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

function placeOf(block) {
  return `${block.document}:${block.line} ${block.language}`;
}

function fail(place, problem) {
  failed++;
  print(`FAIL ${place}: ${problem.trimEnd()}\n`);
}

function print(text) {
  process.stdout.write(text);
}
