import type { Workspace } from "./workspaces.ts";

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** Dependencies without an exact version, and ours whose version is not the workspace's. Peers are ranges by nature. */
export function pinViolations(all: readonly Workspace[]): string[] {
  const own = new Map(all.map((workspace) => [workspace.manifest.name, workspace.manifest.version]));
  return all.flatMap(({ folder, manifest }) => {
    const path = folder === "." ? "package.json" : `${folder}/package.json`;
    const groups = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies];
    return groups.flatMap((group) =>
      Object.entries(group ?? {}).flatMap(([name, version]) => {
        const wanted = own.get(name);
        if (wanted !== undefined && wanted !== version) return [`${path}:1: ${name} is ${wanted} here, not ${version}`];
        return EXACT.test(version) ? [] : [`${path}:1: ${name} is not pinned: ${version}`];
      }),
    );
  });
}

/** Workspaces that could be published by mistake, and packages that could not be published. */
export function manifestViolations(all: readonly Workspace[]): string[] {
  return all
    .filter(({ folder, manifest }) => (manifest.private === true) === folder.startsWith("packages/"))
    .map(({ folder }) => `${folder}/package.json:1: what is in packages/ is public, everything else is private`);
}
