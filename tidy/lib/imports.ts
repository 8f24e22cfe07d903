import { posix } from "node:path";
import { type AstNode, child, children, nameOf, parse, walk } from "./ast.ts";
import type { RepoFile } from "./repo.ts";

/** One import, re-export, dynamic import, import type or `new URL(…, import.meta.url)` of a file. */
export interface ImportEdge {
  readonly specifier: string;
  /** A `type` edge vanishes when compiled. */
  readonly kind: "type" | "value";
  /** Names taken by name; empty for namespaces, side effects and dynamic imports. */
  readonly names: readonly string[];
  readonly start: number;
}

/** All imports of a file, in source order. */
export function importsOf(file: RepoFile): ImportEdge[] {
  const edges: ImportEdge[] = [];
  walk(parse(file), (node) => {
    const edge = edgeOf(node);
    if (edge !== null) edges.push(edge);
    return undefined;
  });
  return edges;
}

/** The repository path of a relative specifier, or null for a package. `dist/x.js` stands for its source `src/x.ts`. */
export function resolveRelative(from: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  return posix.join(posix.dirname(from), specifier).replace("/dist/", "/src/").replace(/\.js$/, ".ts");
}

/** The package of a bare specifier: `ws`, `@polymq/broker`, `node:net`. */
export function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function edgeOf(node: AstNode): ImportEdge | null {
  switch (node.type) {
    case "ImportDeclaration":
      return staticEdge(node, "imported", "importKind");
    case "ExportNamedDeclaration":
      return child(node, "source") === null ? null : staticEdge(node, "local", "exportKind");
    case "ExportAllDeclaration":
      return edge(node, "source", node["exportKind"] === "type" ? "type" : "value");
    case "ImportExpression":
      return edge(node, "source", "value");
    case "TSImportType":
      return edge(node, "source", "type");
    case "NewExpression":
      return urlEdge(node);
    default:
      return null;
  }
}

function staticEdge(node: AstNode, nameKey: string, kindKey: string): ImportEdge | null {
  const specifiers = children(node, "specifiers");
  const isType = (item: AstNode): boolean => item[kindKey] === "type";
  const onlyTypes = isType(node) || (specifiers.length > 0 && specifiers.every(isType));
  const names = specifiers.map((item) => nameOf(child(item, nameKey))).filter((name) => name !== null);
  return edge(node, "source", onlyTypes ? "type" : "value", names);
}

function urlEdge(node: AstNode): ImportEdge | null {
  const first = children(node, "arguments")[0];
  if (nameOf(child(node, "callee")) !== "URL" || first === undefined) return null;
  const specifier = nameOf(first);
  return specifier === null || !/^\.\.?\/.*\.[jt]s$/.test(specifier)
    ? null
    : { specifier, kind: "value", names: [], start: node.start };
}

function edge(node: AstNode, key: string, kind: ImportEdge["kind"], names: readonly string[] = []): ImportEdge | null {
  const specifier = nameOf(child(node, key));
  return specifier === null ? null : { specifier, kind, names, start: node.start };
}
