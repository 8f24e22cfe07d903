import { join } from "node:path";
import { ROOT } from "./repo.ts";
import { entryPoints, publishedPackages } from "./workspaces.ts";

/** A vitest alias for exactly one specifier. */
export interface SourceAlias {
  readonly find: RegExp;
  readonly replacement: string;
}

/** Aliases that resolve each entry point of our packages to its TypeScript source, so that tests need no build. */
export function sourceAliases(): SourceAlias[] {
  return publishedPackages()
    .flatMap(entryPoints)
    .filter((entry) => entry.condition === "default")
    .map((entry) => ({
      find: new RegExp(`^${entry.specifier.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`),
      replacement: join(ROOT, entry.source),
    }));
}
