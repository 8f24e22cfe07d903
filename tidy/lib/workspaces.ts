import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./repo.ts";

/** The parts of a package.json that checks read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A workspace: its folder relative to the root and its manifest. */
export interface Workspace {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** An entry point of a package under one condition, mapped back to its source. */
export interface EntryPoint {
  /** `polymq/mqtt` */
  readonly specifier: string;
  /** `default`, `browser`, `types` or another condition of the exports map. */
  readonly condition: string;
  /** `packages/polymq/src/mqtt/index.ts` */
  readonly source: string;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as Manifest;
}

/** All workspaces of the root manifest, in its order. */
export function workspaces(): Workspace[] {
  const root = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { workspaces: string[] };
  return root.workspaces.map((folder) => ({ folder, manifest: readManifest(folder) }));
}

/** The workspaces that are published: those under `packages/`. */
export function publishedPackages(): Workspace[] {
  return workspaces().filter((workspace) => workspace.folder.startsWith("packages/"));
}

/** Every entry point under every condition, sources instead of build output: `./dist/x.js` is `src/x.ts`. */
export function entryPoints(workspace: Workspace): EntryPoint[] {
  return Object.entries(workspace.manifest.exports ?? {}).flatMap(([subpath, target]) => {
    const conditions = typeof target === "string" ? { default: target } : target;
    return Object.entries(conditions)
      .filter(([, path]) => !path.endsWith(".json"))
      .map(([condition, path]) => ({
        specifier: workspace.manifest.name + subpath.slice(1),
        condition,
        source:
          workspace.folder +
          path
            .slice(1)
            .replace("/dist/", "/src/")
            .replace(/(?:\.d)?\.[jt]s$/, ".ts"),
      }));
  });
}

/** The files of a package's commands, relative to the repository; what they import from `../dist/` counts as source. */
export function binSources(workspace: Workspace): string[] {
  return Object.values(workspace.manifest.bin ?? {}).map((path) => `${workspace.folder}/${path.replace(/^\.\//, "")}`);
}
