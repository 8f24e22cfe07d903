import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";

/** What a result depends on: printed above every table. */
export interface Environment {
  readonly date: string;
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly memoryGib: number;
  /** Versions of the contenders, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Describes this machine and the versions of the given npm packages, plus versions found elsewhere. */
export function describeEnvironment(
  packages: readonly string[],
  others: Readonly<Record<string, string>>,
): Environment {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    system: `${type()} ${release()}`,
    cpu: `${processors.length} x ${processors[0]?.model.trim() ?? "unknown"}`,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    versions: { ...Object.fromEntries(packages.map((name) => [name, packageVersion(name)])), ...others },
  };
}

/** The environment in one line of text. */
export function environmentLine(environment: Environment): string {
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`);
  const machine = `${environment.cpu}, ${environment.memoryGib} GiB, ${environment.system}`;
  return `${environment.date}; Node ${environment.node}; ${machine}; ${versions.join(", ")}`;
}

function packageVersion(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const file = folders.map((folder) => join(folder, name, "package.json")).find((path) => existsSync(path));
  if (file === undefined) return "not installed";
  const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}
