import type { EntryPoint } from "./workspaces.ts";

/** Differences between the `paths` of tsconfig.test.json and the entry points of the packages. */
export function pathMappingViolations(
  paths: Readonly<Record<string, readonly string[]>>,
  entries: readonly EntryPoint[],
): string[] {
  const wanted = new Map(
    entries.filter((entry) => entry.condition === "default").map((entry) => [entry.specifier, `./${entry.source}`]),
  );
  const wrong = [...wanted]
    .filter(([specifier, source]) => paths[specifier]?.join() !== source)
    .map(([specifier, source]) => `tsconfig.test.json:1: paths needs "${specifier}": ["${source}"]`);
  const stale = Object.keys(paths)
    .filter((specifier) => !wanted.has(specifier))
    .map((specifier) => `tsconfig.test.json:1: ${specifier} is no entry point`);
  return [...wrong, ...stale];
}
