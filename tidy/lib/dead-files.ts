import { importsOf, resolveRelative } from "./imports.ts";
import { isPackageSource, isTest, type RepoFile } from "./repo.ts";

/**
 * Shipped source files that no entry point reaches. A file that only tests import is dead as well: it would be published
 * for nobody. What tests share lies in `*.test-support.ts` files, which are not shipped.
 */
export function deadFileViolations(files: readonly RepoFile[], roots: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const queue = roots.filter((path) => byPath.has(path));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const edge of importsOf(file)) {
      const target = resolveRelative(path, edge.specifier);
      if (target !== null) queue.push(target);
    }
  }
  return files
    .map((file) => file.path)
    .filter((path) => isPackageSource(path) && !isTest(path) && !reached.has(path))
    .map((path) => `${path}:1: no entry point reaches this file`);
}
