import { type ImportEdge, importsOf, packageOf, resolveRelative } from "./imports.ts";
import { BROKER_LAYERS, type LayerTable, POLYMQ_LAYERS } from "./layers.ts";
import { isPackageSource, isTest, type RepoFile, violation } from "./repo.ts";
import type { Workspace } from "./workspaces.ts";

const TABLES = new Map<string, LayerTable>([
  ["packages/polymq/src/", POLYMQ_LAYERS],
  ["packages/broker/src/", BROKER_LAYERS],
]);

/** Imports between the layers of a package that do not go down, and files in no known layer. Tests may import anything. */
export function layeringViolations(files: readonly RepoFile[]): string[] {
  return files.flatMap((file) => {
    const source = sourceFolder(file.path);
    const table = source === null ? undefined : TABLES.get(source);
    if (source === null || table === undefined || isTest(file.path)) return [];
    const from = table.layerOf(file.path.slice(source.length));
    if (from === null) return [`${file.path}:1: in no known layer; add it to tidy/lib/layers.ts on purpose`];
    return importsOf(file).flatMap((edge) => {
      const target = resolveRelative(file.path, edge.specifier);
      if (target === null) return [];
      const to = target.startsWith(source) ? table.layerOf(target.slice(source.length)) : null;
      return mayImport(table, from, to, edge)
        ? []
        : [violation(file, edge.start, `layer ${from} must not import ${to ?? "another tree"} (${edge.specifier})`)];
    });
  });
}

/** Packages that a package's shipped code imports without declaring them, and packages that point the wrong way. */
export function packageImportViolations(files: readonly RepoFile[], all: readonly Workspace[]): string[] {
  return files.flatMap((file) => {
    const workspace = all.find((candidate) => file.path.startsWith(`${candidate.folder}/src/`));
    if (workspace === undefined || isTest(file.path)) return [];
    const { name, dependencies = {}, peerDependencies = {} } = workspace.manifest;
    return importsOf(file).flatMap((edge) => {
      const wanted = packageOf(edge.specifier);
      if (edge.specifier.startsWith(".") || wanted.startsWith("node:")) return [];
      if (wanted === name) return [violation(file, edge.start, `${name} imports itself by name; use a relative path`)];
      if (wanted in dependencies || wanted in peerDependencies) return [];
      return [violation(file, edge.start, `${wanted} is no dependency of ${name}`)];
    });
  });
}

/** What the broker's neutral layers take from `polymq`: only `polymq/internal`, and of that only what lies in base or bytes. */
export function neutralCoreViolations(
  files: readonly RepoFile[],
  declaredIn: (name: string) => string | null,
): string[] {
  return files.flatMap((file) => {
    if (!isNeutral(file.path) || isTest(file.path)) return [];
    return importsOf(file).flatMap((edge) => {
      if (packageOf(edge.specifier) !== "polymq") return [];
      if (edge.specifier !== "polymq/internal" || edge.names.length === 0) {
        return [violation(file, edge.start, `${edge.specifier}: the core takes named exports of polymq/internal only`)];
      }
      return edge.names
        .filter((name) => !/^packages\/polymq\/src\/(?:base|bytes)\//.test(declaredIn(name) ?? ""))
        .map((name) => violation(file, edge.start, `${name} is not declared in polymq's base or bytes`));
    });
  });
}

/** True for the broker's layers that know no protocol. */
export function isNeutral(path: string): boolean {
  return /^packages\/broker\/src\/(?:base|core|storage)\//.test(path);
}

/** Node-only files that a browser entry point reaches through value imports, with the way there. */
export function browserReachViolations(files: readonly RepoFile[], entries: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return entries.flatMap((entry) => {
    const seen = new Set<string>();
    const visit = (path: string, way: string): string[] => {
      if (seen.has(path)) return [];
      seen.add(path);
      if (/\/node\/|\.node\.ts$/.test(path)) return [`${way}: a browser entry point reaches a Node file`];
      const file = byPath.get(path);
      return file === undefined ? [] : valueEdges(file).flatMap((edge) => follow(file, edge, way, visit));
    };
    return visit(entry, entry);
  });
}

function follow(
  file: RepoFile,
  edge: ImportEdge,
  way: string,
  visit: (path: string, way: string) => string[],
): string[] {
  const target = resolveRelative(file.path, edge.specifier);
  if (target !== null) return visit(target, `${way} > ${target}`);
  return [`${way} > ${edge.specifier}: a browser entry point reaches a package`];
}

function valueEdges(file: RepoFile): ImportEdge[] {
  return importsOf(file).filter((edge) => edge.kind === "value");
}

function mayImport(table: LayerTable, from: string, to: string | null, edge: ImportEdge): boolean {
  if (to === null) return false;
  if (to === from) return true;
  const rule = table.rules.get(from);
  if (rule === undefined) return false;
  return rule.values.includes(to) || (edge.kind === "type" && rule.types?.includes(to) === true);
}

function sourceFolder(path: string): string | null {
  return isPackageSource(path) ? path.slice(0, path.indexOf("/src/") + 5) : null;
}
