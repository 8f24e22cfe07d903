import { createContext, Script } from "node:vm";
import { gzipSync } from "node:zlib";
import { parseSync } from "rolldown/utils";

/** Names that no browser has. Using one would need a shim. */
const NODE_NAMES = new Set([
  "Buffer",
  "process",
  "require",
  "global",
  "setImmediate",
  "__dirname",
  "__filename",
  "module",
]);

/** What a page offers to a script, as far as a messaging client may want it. */
const BROWSER_GLOBALS = [
  ..."AbortController AbortSignal Blob DOMException Event EventTarget MessageChannel TextDecoder TextEncoder URL".split(
    " ",
  ),
  ..."URLSearchParams WebSocket atob btoa crypto fetch performance queueMicrotask structuredClone".split(" "),
  ..."setTimeout clearTimeout setInterval clearInterval".split(" "),
];

/**
 * Node's names that a bundle uses as free variables: not as property names, not in strings, not declared by the bundle.
 * `typeof process` alone is allowed, it needs no shim.
 * @param {string} code a script
 * @returns {string[]} sorted, each once
 */
export function nodeNames(code) {
  const { program, errors } = parseSync("bundle.js", code);
  if (errors.length > 0) throw new SyntaxError(errors[0].message);
  const declared = new Set();
  const used = new Set();
  visit(program, null, (node, parent) => {
    if (node.type !== "Identifier" || !NODE_NAMES.has(node.name)) return;
    if (isDeclaration(node, parent)) declared.add(node.name);
    else if (!isName(node, parent)) used.add(node.name);
  });
  return [...used].filter((name) => !declared.has(name)).sort();
}

/**
 * Runs a script that has a page's globals and none of Node's.
 * @param {string} code
 * @returns {string | null} why it failed
 */
export function failureInBrowser(code) {
  const page = Object.fromEntries(
    BROWSER_GLOBALS.filter((name) => name in globalThis).map((name) => [name, globalThis[name]]),
  );
  const context = createContext({ ...page });
  try {
    new Script("globalThis.self = globalThis; globalThis.window = globalThis;").runInContext(context);
    new Script(code, { filename: "bundle.js" }).runInContext(context);
    return null;
  } catch (error) {
    return String(error);
  }
}

/** @param {string} code @returns {number} bytes after gzip at its highest level */
export function gzipBytes(code) {
  return gzipSync(code, { level: 9 }).length;
}

function isDeclaration(node, parent) {
  if (parent === null) return false;
  if (/^(?:VariableDeclarator|FunctionDeclaration|FunctionExpression|ClassDeclaration)$/.test(parent.type)) {
    return parent.id === node || parent.params?.includes(node) === true;
  }
  if (parent.type === "ArrowFunctionExpression") return parent.params.includes(node);
  return parent.type === "CatchClause" && parent.param === node;
}

function isName(node, parent) {
  if (parent === null || parent.computed === true) return false;
  if (parent.type === "UnaryExpression") return parent.operator === "typeof";
  if (parent.type === "MemberExpression") return parent.property === node;
  return parent.key === node;
}

function visit(node, parent, callback) {
  callback(node, parent);
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item?.type === "string") visit(item, node, callback);
    }
  }
}
