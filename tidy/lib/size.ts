import { type AstNode, child, children, dottedName, nameOf, parse, walk } from "./ast.ts";
import { isTest, isTypeScript, lineAt, type RepoFile } from "./repo.ts";

/** Lines a file may have. */
export const FILE_LINES_MAX = 500;
/** Lines a function may have, its signature included. */
export const FUNCTION_LINES_MAX = 70;

/** `tidy/ratchet.json`: what is larger than the limit today. Recorded sizes only shrink. */
export interface Ratchet {
  /** Path to lines. */
  readonly files: Readonly<Record<string, number>>;
  /** `path#function` to lines. */
  readonly functions: Readonly<Record<string, number>>;
  /** Paths of tables and constants of a specification: exempt from the file limit, not from the function limit. */
  readonly tables: readonly string[];
}

/** Files and functions above their limit that the ratchet does not know, or that grew, shrank or vanished since. */
export function sizeViolations(files: readonly RepoFile[], ratchet: Ratchet): string[] {
  const sources = files.filter((file) => isTypeScript(file.path) || /\.m?js$/.test(file.path));
  const fileSizes = new Map(sources.map((file) => [file.path, countLines(file.text)]));
  const functionSizes = new Map(sources.flatMap(functionLines));
  const tables = new Set(ratchet.tables);
  return [
    ...compare(fileSizes, new Map(Object.entries(ratchet.files)), FILE_LINES_MAX).filter(
      (message) => !tables.has(message.slice(0, message.indexOf(":"))),
    ),
    ...compare(functionSizes, new Map(Object.entries(ratchet.functions)), FUNCTION_LINES_MAX),
    ...ratchet.tables.filter((path) => !fileSizes.has(path)).map((path) => `${path}: listed as a table but gone`),
  ];
}

/** Lines of each named function, method or callback of a file, keyed `path#name`; equal names get the largest. */
export function functionLines(file: RepoFile): [string, number][] {
  const largest = new Map<string, number>();
  const visit = (node: AstNode, parent: AstNode | null): undefined => {
    if (!isFunction(node) || isSuite(file, node)) return;
    const key = `${file.path}#${functionName(node, parent)}`;
    const lines = lineAt(file.text, node.end) - lineAt(file.text, node.start) + 1;
    largest.set(key, Math.max(lines, largest.get(key) ?? 0));
  };
  walk(parse(file), visit);
  return [...largest];
}

function compare(actual: ReadonlyMap<string, number>, recorded: ReadonlyMap<string, number>, max: number): string[] {
  const grown = [...actual]
    .filter(([key, lines]) => lines > Math.max(max, recorded.get(key) ?? 0))
    .map(([key, lines]) => `${key}: ${lines} lines, at most ${recorded.get(key) ?? max}`);
  const stale = [...recorded]
    .filter(([key, lines]) => (actual.get(key) ?? 0) < lines)
    .map(
      ([key, lines]) => `${key}: recorded with ${lines} lines, has ${actual.get(key) ?? 0}; lower or remove the record`,
    );
  return [...grown, ...stale];
}

function countLines(text: string): number {
  return lineAt(text, text.length) - (text.endsWith("\n") ? 1 : 0);
}

function isFunction(node: AstNode): boolean {
  return /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
}

/** In tests, a function that registers tests (the callback of `describe`, a contract suite) is not read in one piece. */
function isSuite(file: RepoFile, node: AstNode): boolean {
  const body = child(node, "body");
  return isTest(file.path) && body !== null && children(body, "body").some(registersTests);
}

/** `test(…)`, `test.each(…)(…)`, `describe.skipIf(…)(…)`. */
function registersTests(statement: AstNode): boolean {
  const call = child(statement, "expression");
  if (call?.type !== "CallExpression") return false;
  const callee = child(call, "callee");
  const name = dottedName(callee) ?? dottedName(callee === null ? null : child(callee, "callee"));
  return name !== null && /^(?:describe|test|it)(?:\.|$)/.test(name);
}

function functionName(node: AstNode, parent: AstNode | null): string {
  const own = nameOf(child(node, "id"));
  if (own !== null || parent === null) return own ?? "anonymous";
  if (parent.type === "CallExpression") return callName(parent);
  return nameOf(child(parent, "key")) ?? nameOf(child(parent, "id")) ?? nameOf(child(parent, "left")) ?? "anonymous";
}

/** A callback is named after its call and first literal argument: `test "a packet id of 0 is refused"`. */
function callName(call: AstNode): string {
  const [first] = children(call, "arguments");
  const label = first?.type === "Literal" ? ` "${nameOf(first) ?? ""}"` : "";
  return `${dottedName(child(call, "callee")) ?? "callback"}${label}`;
}
