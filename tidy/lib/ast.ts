import { parseSync } from "rolldown/utils";
import type { RepoFile } from "./repo.ts";

/** A node of the ESTree with TypeScript; `start` and `end` are character offsets. */
export interface AstNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Called for each node before its children; returning false leaves the children out. */
export type Visit = (node: AstNode, parent: AstNode | null) => boolean | undefined;

const parsed = new WeakMap<RepoFile, AstNode>();

/** The file's syntax tree; throws on a syntax error. */
export function parse(file: RepoFile): AstNode {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const result = parseSync(file.path, file.text);
  const [error] = result.errors;
  if (error !== undefined) throw new SyntaxError(`${file.path}: ${error.message}`);
  const program = result.program as unknown as AstNode;
  parsed.set(file, program);
  return program;
}

export function walk(node: AstNode, visit: Visit, parent: AstNode | null = null): void {
  if (visit(node, parent) === false) return;
  for (const key in node) {
    const value = node[key];
    if (Array.isArray(value)) for (const item of value) if (isNode(item)) walk(item, visit, node);
    if (isNode(value)) walk(value, visit, node);
  }
}

/** The child node under `key`, or null. */
export function child(node: AstNode, key: string): AstNode | null {
  const value = node[key];
  return isNode(value) ? value : null;
}

/** The list of child nodes under `key`. */
export function children(node: AstNode, key: string): AstNode[] {
  const value = node[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The name of an identifier or private identifier, or the value of a string literal; null for anything else. */
export function nameOf(node: AstNode | null): string | null {
  if (node === null) return null;
  if (node.type === "Identifier" || node.type === "PrivateIdentifier") return String(node["name"]);
  return node.type === "Literal" && typeof node["value"] === "string" ? node["value"] : null;
}

/** `Date.now` of a member expression without computed parts, `Date` of an identifier; null for anything else. */
export function dottedName(node: AstNode | null): string | null {
  if (node === null) return null;
  if (node.type === "Identifier") return nameOf(node);
  if (node.type !== "MemberExpression" || node["computed"] === true) return null;
  const object = dottedName(child(node, "object"));
  const property = nameOf(child(node, "property"));
  return object === null || property === null ? null : `${object}.${property}`;
}

/** An identifier used as a value. */
export interface Reference {
  readonly name: string;
  /** The dotted name it starts (`Math.random`), or its own name. */
  readonly dotted: string;
  readonly start: number;
}

const EXPRESSION_WRAPPERS = new Set([
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
  "TSParameterProperty",
]);

/** Identifiers in value positions: no types, no property names, no import and export specifiers. */
export function valueReferences(program: AstNode): Reference[] {
  const found: Reference[] = [];
  walk(program, (node, parent) => {
    if (node.type.startsWith("TS") && !EXPRESSION_WRAPPERS.has(node.type)) return false;
    if (node.type.startsWith("Import") && node.type !== "ImportExpression") return false;
    if (node.type === "ExportSpecifier") return false;
    if (node.type !== "Identifier" || parent === null || isPropertyName(node, parent)) return undefined;
    const name = String(node["name"]);
    found.push({ name, dotted: dottedName(parent) ?? name, start: node.start });
    return undefined;
  });
  return found;
}

function isPropertyName(node: AstNode, parent: AstNode): boolean {
  if (parent["computed"] === true) return false;
  if (parent.type === "MemberExpression") return parent["property"] === node;
  return parent["key"] === node;
}

function isNode(value: unknown): value is AstNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}
