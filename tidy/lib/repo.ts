import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A text file of the repository: `path` is relative to its root, with slashes. Checks take these, so tests can plant some. */
export interface RepoFile {
  readonly path: string;
  readonly text: string;
}

/** Absolute path of the repository. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

const NOT_SOURCE = new Set([".git", ".cache", "node_modules", "dist", "coverage"]);
const BINARY = /\.(?:png|jpe?g|gif|ico|woff2?|gz|tgz|zip|bin|mdb|der|p12|pcap)$/;

/** Paths of all files that are, or would be, in version control. */
export function repoPaths(): string[] {
  const git = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = git.status === 0 ? git.stdout.split("\0").filter((path) => path !== "") : walkPaths("");
  return [...new Set(paths)].filter((path) => existsSync(join(ROOT, path))).sort();
}

/** Text files whose path passes `wanted`, sorted by path. */
export function repoFiles(wanted: (path: string) => boolean): RepoFile[] {
  return repoPaths()
    .filter((path) => wanted(path) && !BINARY.test(path) && statSync(join(ROOT, path)).isFile())
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** TypeScript sources of the packages, tests included. */
export function isPackageSource(path: string): boolean {
  return /^packages\/[^/]+\/src\/.*\.ts$/.test(path);
}

/** TypeScript anywhere in the repository. */
export function isTypeScript(path: string): boolean {
  return /\.m?ts$/.test(path) && !path.endsWith(".d.ts");
}

/** Code that is not shipped: `foo.test.ts`, `foo.chaos.test.ts`, `foo.test-d.ts`, and `foo.test-support.ts`, which tests share. */
export function isTest(path: string): boolean {
  return /\.test(?:-d|-support)?\.ts$/.test(path);
}

/** `path:line: message`, with the line of a character offset. */
export function violation(file: RepoFile, offset: number, message: string): string {
  return `${file.path}:${lineAt(file.text, offset)}: ${message}`;
}

/** 1-based line of a character offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

/** Every match of `pattern` (which must be global) as a violation. */
export function matches(file: RepoFile, pattern: RegExp, message: (found: string) => string): string[] {
  return [...file.text.matchAll(pattern)].map((match) => violation(file, match.index, message(match[0])));
}

function walkPaths(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_SOURCE.has(entry.name) ? [] : walkPaths(path);
    return entry.name.endsWith(".tsbuildinfo") ? [] : [path];
  });
}
