#!/usr/bin/env node
/**
 * Packs every published package and looks at the tarballs as a user gets them: contents, publint, attw, installation into
 * an empty project, every entry point through `import` and `require`, the types for a strict consumer, the command, and a program that uses
 * all protocols, under this Node, the newest Node LTS line, Bun and Deno. A runtime that cannot be had is skipped, which is said.
 * Needs a build. Run: node scripts/package-check.mjs
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { contentProblems } from "./ci/package-contents.mjs";
import { runCommand, withAttempts } from "./ci/run-command.mjs";
import { provideRuntime, RUNTIMES } from "./ci/runtimes.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");
const EXPORTS_SOMETHING = 'if (Object.keys(loaded).length === 0) throw new Error("exports nothing");';
/** Entry points that need an optional peer dependency; all others have to do without. */
const WITH_PEERS = new Set(["polymq/otel"]);
const failures = [];
const skipped = [];

const work = mkdtempSync(join(tmpdir(), "polymq-packages-"));
try {
  const packages = await packAll();
  for (const one of packages) await checkTarball(one);
  if (failures.length === 0) await checkInstalled(packages);
} catch (error) {
  report("package check", [error instanceof Error ? error.message : String(error)]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.stdout.write(failures.length === 0 ? "package check passed\n" : `package check: ${failures.length} failures\n`);
if (skipped.length > 0) process.stdout.write(`skipped: ${skipped.join(", ")}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;

/** Packs the workspaces under packages/. */
async function packAll() {
  const { workspaces } = readJson(join(ROOT, "package.json"));
  const packed = [];
  for (const folder of workspaces.filter((path) => path.startsWith("packages/"))) {
    const result = await runCommand("npm", ["pack", "--json", "--pack-destination", work], { cwd: join(ROOT, folder) });
    if (result.code !== 0) throw new Error(`npm pack in ${folder} failed:\n${result.output}`);
    const [{ filename }] = Object.values(JSON.parse(result.stdout));
    packed.push({ folder, manifest: readJson(join(ROOT, folder, "package.json")), tarball: join(work, filename) });
  }
  return packed;
}

async function checkTarball({ folder, manifest, tarball }) {
  const unpacked = join(work, "unpacked", folder);
  mkdirSync(unpacked, { recursive: true });
  const tar = await runCommand("tar", ["-xzf", tarball, "-C", unpacked, "--strip-components=1"]);
  if (tar.code !== 0) throw new Error(`${tarball}: ${tar.output}`);
  report(
    `${manifest.name}: contents`,
    contentProblems(readAll(unpacked), (path) => existsSync(join(ROOT, folder, path))),
  );
  await step(`${manifest.name}: publint`, join(BIN, "publint"), ["run", tarball, "--strict", "--pack", "false"]);
  if (specifiersOf(manifest).length === 0) return;
  const attw = [tarball, "--profile", "esm-only", "--format", "ascii", "--no-color", "--no-emoji"];
  await step(`${manifest.name}: attw`, join(BIN, "attw"), attw);
}

/** Installs the tarballs into an empty project and uses them there. */
async function checkInstalled(packages) {
  const project = join(work, "project");
  mkdirSync(project);
  const dependencies = Object.fromEntries(packages.map((one) => [one.manifest.name, `file:${one.tarball}`]));
  writeJson(join(project, "package.json"), { private: true, type: "module", dependencies });
  const install = await withAttempts(3, () =>
    runCommand("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund"], { cwd: project }),
  );
  report("install into an empty project", install.code === 0 ? [] : [install.output]);
  if (install.code !== 0) return;
  for (const { manifest } of packages) {
    for (const specifier of specifiersOf(manifest)) {
      if (!WITH_PEERS.has(specifier)) await checkEntry(project, specifier);
    }
    for (const specifier of specifiersOf(manifest, "browser")) await checkBrowserEntry(project, specifier);
  }
  await installPeers(project, packages);
  for (const specifier of WITH_PEERS) await checkEntry(project, specifier);
  await checkTypes(
    project,
    packages.flatMap((one) => specifiersOf(one.manifest)),
  );
  for (const { manifest } of packages) await checkCommands(project, manifest);
  cpSync(join(ROOT, "scripts", "ci", "smoke"), project, { recursive: true });
  const current = { name: "node", version: process.versions.node, run: [] };
  await checkRuntime(project, packages, { ...current, binary: process.execPath });
  for (const runtime of RUNTIMES) await checkOtherRuntime(project, packages, runtime);
}

/** As a runtime that may be missing. */
async function checkOtherRuntime(project, packages, runtime) {
  const { binary, problem } = await provideRuntime(runtime);
  if (problem === undefined) return await checkRuntime(project, packages, { ...runtime, binary });
  skipped.push(`${runtime.name} ${runtime.version}`);
  process.stdout.write(`skip ${runtime.name} ${runtime.version} cannot be had: ${problem.trim()}\n`);
}

/** Loads every entry point and runs the program that uses all protocols, as an ES module and as CommonJS. */
async function checkRuntime(cwd, packages, { name, version, binary, run }) {
  const specifiers = packages.flatMap((one) => specifiersOf(one.manifest));
  const command = join("node_modules", "@polymq", "cli", "bin", "polymq.js");
  await step(`${name} ${version}: polymq --version`, binary, [...run, command, "--version"], cwd);
  for (const [kind, extension] of [
    ["ESM", "mjs"],
    ["CommonJS", "cjs"],
  ]) {
    const program = extension === "mjs" ? "from-esm.mjs" : "from-commonjs.cjs";
    const load = [...run, `load-all.${extension}`, ...specifiers];
    await step(`${name} ${version}, ${kind}: every entry point`, binary, load, cwd);
    await step(`${name} ${version}, ${kind}: every protocol and transport`, binary, [...run, program], cwd);
  }
}

/** Adds the peer dependencies, in the versions that are tested with. */
async function installPeers(project, packages) {
  const peers = packages.flatMap(({ manifest: { peerDependencies = {}, devDependencies = {} } }) =>
    Object.keys(peerDependencies).map((name) => `${name}@${devDependencies[name]}`),
  );
  const install = await withAttempts(3, () =>
    runCommand("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--no-save", ...peers], {
      cwd: project,
    }),
  );
  report("install the peer dependencies", install.code === 0 ? [] : [install.output]);
}

/** An entry point must load and export something, in both ways to load it. */
async function checkEntry(cwd, specifier) {
  await step(`${specifier}: import`, process.execPath, importing(specifier), cwd);
  const cjs = `const loaded = require(${JSON.stringify(specifier)}); ${EXPORTS_SOMETHING}`;
  await step(`${specifier}: require`, process.execPath, ["--input-type=commonjs", "-e", cjs], cwd);
}

/** What a bundler for browsers takes instead must load as well. */
async function checkBrowserEntry(cwd, specifier) {
  const args = ["--conditions=browser", ...importing(specifier)];
  await step(`${specifier}: import under the browser condition`, process.execPath, args, cwd);
}

function importing(specifier) {
  return [
    "--input-type=module",
    "-e",
    `const loaded = await import(${JSON.stringify(specifier)}); ${EXPORTS_SOMETHING}`,
  ];
}

/** The declarations must compile in a strict project that checks libraries too. */
async function checkTypes(cwd, specifiers) {
  const lines = specifiers.map((specifier, index) => `import * as m${index} from ${JSON.stringify(specifier)};`);
  const uses = `export const all: readonly object[] = [${specifiers.map((_, index) => `m${index}`).join(", ")}];`;
  writeFileSync(join(cwd, "consumer.ts"), [...lines, uses, ""].join("\n"));
  const typeRoots = [join(ROOT, "node_modules", "@types")];
  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, target: "es2023", types: ["node"] };
    const lib = ["es2023", "esnext.disposable", "dom"];
    const files = ["consumer.ts"];
    writeJson(join(cwd, "tsconfig.json"), {
      compilerOptions: { ...compilerOptions, lib, typeRoots, module, moduleResolution },
      files,
    });
    await step(`types for a consumer (${moduleResolution})`, join(BIN, "tsc"), ["-p", cwd], cwd);
  }
}

async function checkCommands(cwd, manifest) {
  for (const command of Object.keys(manifest.bin ?? {})) {
    const result = await runCommand("npx", ["--no-install", command, "--version"], { cwd });
    const right = result.code === 0 && result.stdout.trim() === manifest.version;
    report(
      `npx ${command} --version`,
      right ? [] : [`expected ${manifest.version}, got code ${result.code}:\n${result.output}`],
    );
  }
}

/** The entry points of a package that are code and have `condition`. */
function specifiersOf({ name, exports = {} }, condition = "default") {
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object" && condition in target)
    .map(([subpath]) => name + subpath.slice(1));
}

async function step(title, command, args, cwd = work) {
  const result = await runCommand(command, args, { cwd });
  report(title, result.code === 0 ? [] : [result.output]);
}

function report(title, problems) {
  process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"} ${title}\n`);
  for (const problem of problems) process.stdout.write(`     ${problem.trim().replaceAll("\n", "\n     ")}\n`);
  failures.push(...problems);
}

/** @returns {Map<string, string>} path below `folder` to text */
function readAll(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), readFileSync(path, "utf8")];
    }),
  );
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
