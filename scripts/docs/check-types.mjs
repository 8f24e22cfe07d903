import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "../ci/run-command.mjs";
import { kindOf, nameOf, programOf } from "./block-program.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WORK = join(ROOT, ".cache", "docs-types");

const STRICT = {
  target: "es2023",
  module: "nodenext",
  lib: ["es2023", "esnext.disposable", "dom"],
  types: ["node"],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
};
/** JavaScript says no types: what is then unknown or may be missing is its own affair, but a misspelt option or method is found. */
const LENIENT = { ...STRICT, noImplicitAny: false, useUnknownInCatchVariables: false, strictNullChecks: false };
const USE_OF_UNKNOWN = /error TS(18046|2571):|does not exist on type 'unknown'/;

/**
 * Checks the types of all code blocks in JavaScript and TypeScript, against the declarations that users get.
 * @param {readonly import("./code-blocks.mjs").CodeBlock[]} blocks
 * @returns {Promise<string[]>} what the compiler says, each at its place in the document
 */
export async function checkTypes(blocks) {
  rmSync(WORK, { recursive: true, force: true });
  const problems = [];
  const typed = blocks.filter((block) => kindOf(block.language) === "typed");
  if (typed.length > 0) problems.push(...(await compile(join(WORK, "typed"), typed, STRICT)));
  const scripts = blocks.filter((block) => kindOf(block.language) === "script");
  if (scripts.length === 0) return problems;
  const said = await compile(join(WORK, "script"), scripts, LENIENT);
  problems.push(...said.filter((problem) => !USE_OF_UNKNOWN.test(problem)));
  return problems;
}

async function compile(folder, blocks, compilerOptions) {
  mkdirSync(folder, { recursive: true });
  const documents = new Map();
  for (const block of blocks) {
    documents.set(`${nameOf(block)}.mts`, block.document);
    writeFileSync(join(folder, `${nameOf(block)}.mts`), programOf(block));
  }
  writeFileSync(join(folder, "globals.d.ts"), "declare function printed(text: string): Promise<void>;\n");
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["."] }));
  const result = await runCommand(join(ROOT, "node_modules", ".bin", "tsc"), ["-p", ".", "--pretty", "false"], {
    cwd: folder,
  });
  if (result.code === 0) return [];
  const said = result.output.split("\n").filter((line) => line.trim() !== "");
  return said.map((line) => inDocument(line, documents));
}

/** `docs-guides-mqtt.md-L6.mts(9,3): error` -> `docs/guides/mqtt.md:9: error`, for lines are those of the document. */
function inDocument(line, documents) {
  const found = /^([^(]+)\((\d+),\d+\): (.*)$/.exec(line);
  const document = found === null ? undefined : documents.get(found[1]);
  return document === undefined ? line : `${document}:${found[2]}: ${found[3]}`;
}
