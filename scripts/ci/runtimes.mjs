import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand, withAttempts } from "./run-command.mjs";

/**
 * @typedef {object} Runtime
 * @property {string} name also that of the npm package that brings it
 * @property {string} version
 * @property {string} binary its path below `node_modules`
 * @property {readonly string[]} run arguments before the program's path
 */

/** @type {Runtime} the newest Node LTS line */
export const LATEST_NODE = { name: "node", version: "26.10.0", binary: "node/bin/node", run: [] };

/** @type {readonly Runtime[]} what the packages are tried with besides the Node that runs this */
export const RUNTIMES = [
  LATEST_NODE,
  { name: "bun", version: "1.4.4", binary: ".bin/bun", run: [] },
  { name: "deno", version: "2.9.6", binary: ".bin/deno", run: ["run", "--allow-all"] },
];

const CACHE = fileURLToPath(new URL("../../.cache/runtimes/", import.meta.url));

/**
 * Installs a runtime from its npm package unless it is there already.
 * @param {Runtime} runtime
 * @returns {Promise<{ binary: string, problem?: undefined } | { binary?: undefined, problem: string }>} the path of its binary, or why there is none
 */
export async function provideRuntime({ name, version, binary }) {
  const folder = join(CACHE, `${name}-${version}`);
  const path = join(folder, "node_modules", binary);
  if (await isRight(path, version)) return { binary: path };
  mkdirSync(folder, { recursive: true });
  // A project of its own: the package must not become a dependency of the repository, and its install script must run.
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-audit", "--no-fund", "--save-exact", `${name}@${version}`];
  const install = await withAttempts(3, () => runCommand("npm", args, { cwd: folder, env: outsideNpm() }));
  if (install.code !== 0) return { problem: install.output };
  return (await isRight(path, version)) ? { binary: path } : { problem: `${path} does not run as ${version}` };
}

async function isRight(path, version) {
  if (!existsSync(path)) return false;
  const { stdout } = await runCommand(path, ["--version"]);
  return stdout.split(/[\s(]+/).some((word) => word.replace(/^v/, "") === version);
}

/** The environment without what an outer `npm run` put there: it would send the installation to the outer project. */
function outsideNpm() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:config_local_prefix|package_|lifecycle_)/.test(name)),
  );
}
