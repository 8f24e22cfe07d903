import { type AstNode, child, children, nameOf, parse } from "./ast.ts";
import { resolveRelative } from "./imports.ts";
import { type RepoFile, violation } from "./repo.ts";
import type { EntryPoint } from "./workspaces.ts";

/** What an exported name stands for, and where it is declared. */
export interface ExportedName {
  readonly name: string;
  readonly kind: "class" | "function" | "const" | "type" | "unknown";
  readonly path: string;
}

/** Finds a file of the repository by path. */
export type FindFile = (path: string) => RepoFile | undefined;

export function fileFinder(files: readonly RepoFile[]): FindFile {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return (path) => byPath.get(path);
}

/** The one list of names that the conditions of an entry point have in common. */
const SHARED_LIST = "./exports.ts";

/**
 * `export *` in any form, and default exports: both hide what a file offers. Configuration files must export a default, and an entry point that has one file for
 * each runtime may hand on the list of names that these share.
 */
export function exportStarViolations(files: readonly RepoFile[]): string[] {
  return files.flatMap((file) =>
    children(parse(file), "body").flatMap((node) => {
      if (node.type === "ExportAllDeclaration" && !sharesList(node, file))
        return [violation(file, node.start, "export *: list the names")];
      if (node.type === "ExportDefaultDeclaration" && !file.path.endsWith(".config.ts")) {
        return [violation(file, node.start, "export default: give it a name")];
      }
      return [];
    }),
  );
}

function sharesList(node: AstNode, file: RepoFile): boolean {
  const isEntry = /(?:^|\/)index(?:\.browser)?\.ts$/.test(file.path);
  return (
    isEntry &&
    nameOf(child(node, "source")) === SHARED_LIST &&
    node["exportKind"] !== "type" &&
    child(node, "exported") === null
  );
}

/** Entry points of the exports maps without a source file. */
export function missingEntryPoints(entries: readonly EntryPoint[], find: FindFile): string[] {
  return entries
    .filter((entry) => find(entry.source) === undefined)
    .map((entry) => `${entry.source}: missing, but ${entry.specifier} (${entry.condition}) points to it`);
}

/** Names that one condition of an entry point exports and another does not: both serve the same type declarations. */
export function unequalConditions(entries: readonly EntryPoint[], find: FindFile): string[] {
  const groups = groupBySpecifier(entries);
  return [...groups.values()].flatMap((group) => {
    const [first, ...others] = group.map((entry) => ({ entry, names: exportNames(entry.source, find) }));
    return others.flatMap((other) =>
      difference(first?.names ?? [], other.names).map(
        (name) => `${other.entry.source}: ${name} is not in every condition`,
      ),
    );
  });
}

/** The exported names of a file, resolved through re-exports, sorted by name. */
export function exportedNames(path: string, find: FindFile): ExportedName[] {
  const file = find(path);
  if (file === undefined) return [];
  return children(parse(file), "body")
    .flatMap((node) => namesOf(node, file, find))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesOf(node: AstNode, file: RepoFile, find: FindFile): ExportedName[] {
  if (node.type === "ExportAllDeclaration") {
    return exportedNames(resolveRelative(file.path, nameOf(child(node, "source")) ?? "") ?? "", find);
  }
  if (node.type !== "ExportNamedDeclaration") return [];
  const declaration = child(node, "declaration");
  if (declaration !== null) return declaredNames(declaration, file.path);
  return children(node, "specifiers").map((specifier) => {
    const name = nameOf(child(specifier, "exported")) ?? "";
    const local = nameOf(child(specifier, "local")) ?? "";
    const source = nameOf(child(node, "source"));
    const found = source === null ? resolveLocal(local, file, find) : resolveIn(source, local, file, find);
    const isType = node["exportKind"] === "type" || specifier["exportKind"] === "type";
    return { name, kind: isType ? "type" : found.kind, path: found.path };
  });
}

function resolveIn(source: string, name: string, from: RepoFile, find: FindFile): ExportedName {
  const target = resolveRelative(from.path, source);
  const found = target === null ? undefined : exportedNames(target, find).find((item) => item.name === name);
  return found ?? { name, kind: "unknown", path: target ?? source };
}

function resolveLocal(name: string, file: RepoFile, find: FindFile): ExportedName {
  for (const node of children(parse(file), "body")) {
    const declared = declaredNames(node, file.path).find((item) => item.name === name);
    if (declared !== undefined) return declared;
    if (node.type !== "ImportDeclaration") continue;
    const specifier = children(node, "specifiers").find((item) => nameOf(child(item, "local")) === name);
    const source = nameOf(child(node, "source"));
    if (specifier === undefined || source === null) continue;
    return resolveIn(source, nameOf(child(specifier, "imported")) ?? name, file, find);
  }
  return { name, kind: "unknown", path: file.path };
}

function declaredNames(node: AstNode, path: string): ExportedName[] {
  const kind = DECLARATIONS.get(node.type);
  if (kind === undefined) return [];
  const owners = kind === "const" ? children(node, "declarations") : [node];
  return owners.map((owner) => ({ name: nameOf(child(owner, "id")) ?? "", kind, path }));
}

const DECLARATIONS = new Map<string, ExportedName["kind"]>([
  ["ClassDeclaration", "class"],
  ["FunctionDeclaration", "function"],
  ["TSDeclareFunction", "function"],
  ["VariableDeclaration", "const"],
  ["TSInterfaceDeclaration", "type"],
  ["TSTypeAliasDeclaration", "type"],
]);

function exportNames(path: string, find: FindFile): string[] {
  return exportedNames(path, find).map((item) => item.name);
}

function difference(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((name) => !b.includes(name)), ...b.filter((name) => !a.includes(name))];
}

function groupBySpecifier(entries: readonly EntryPoint[]): Map<string, EntryPoint[]> {
  const groups = new Map<string, EntryPoint[]>();
  for (const entry of entries) groups.set(entry.specifier, [...(groups.get(entry.specifier) ?? []), entry]);
  return groups;
}
