import { afterBrackets, findOutside, isName, splitOutside, stringValue, tokenize } from "./declaration-tokens.mjs";

/**
 * @typedef {object} Declaration
 * @property {string[][]} types type expressions that give the name its members: what it extends, or is an alias of
 * @property {string[] | undefined} body the tokens between the braces of a class, an interface or an enum
 */

/**
 * @typedef {object} DeclarationFile
 * @property {Map<string, Declaration[]>} declarations by local name
 * @property {Map<string, { from: string, name: string }>} imports by local name; `name` is "*" for a whole module
 * @property {Map<string, { from?: string, name: string }>} exports by exported name
 * @property {string[]} stars the modules of `export *`
 */

const LEADING = new Set(["declare", "abstract", "async", "default"]);
const COMMA = new Set([","]);
const SEMICOLON = (token) => token === ";";

/**
 * Reads what a .d.ts file written by the compiler declares, imports and exports.
 *
 * @param {string} text
 * @returns {DeclarationFile}
 */
export function parseDeclarationFile(text) {
  const file = { declarations: new Map(), imports: new Map(), exports: new Map(), stars: [] };
  const tokens = tokenize(text);
  for (let at = 0; at < tokens.length; ) {
    if (tokens[at] === "import") at = readImport(tokens, at + 1, file);
    else if (tokens[at] === "export") at = readExport(tokens, at + 1, file);
    else at = Math.max(readDeclaration(tokens, at, file).end, at + 1);
  }
  return file;
}

function readImport(tokens, start, file) {
  const end = findOutside(tokens, start, SEMICOLON);
  const clause = tokens.slice(start, end);
  const from = stringValue(clause.at(-1));
  if (from === undefined) return end + 1;
  const open = clause.indexOf("{");
  if (open >= 0) {
    for (const { name, alias } of namesInBraces(clause, open)) file.imports.set(alias, { from, name });
  }
  const star = clause.indexOf("*");
  if (star >= 0) file.imports.set(clause[star + 2], { from, name: "*" });
  const first = clause[0] === "type" ? clause[1] : clause[0];
  if (isName(first) && first !== "from") file.imports.set(first, { from, name: "default" });
  return end + 1;
}

function readExport(tokens, start, file) {
  const at = tokens[start] === "type" && ["{", "*"].includes(tokens[start + 1]) ? start + 1 : start;
  if (tokens[at] === "{" || tokens[at] === "*") return readExportList(tokens, at, file);
  const { end, names } = readDeclaration(tokens, at, file);
  for (const name of names) file.exports.set(tokens[at] === "default" ? "default" : name, { name });
  return Math.max(end, start + 1);
}

function readExportList(tokens, start, file) {
  const end = findOutside(tokens, start, SEMICOLON);
  const clause = tokens.slice(start, end);
  const from = stringValue(clause.at(-1));
  if (clause[0] === "{") {
    for (const { name, alias } of namesInBraces(clause, 0)) {
      file.exports.set(alias, from === undefined ? { name } : { from, name });
    }
  } else if (clause[1] === "as") file.exports.set(clause[2], { from, name: "*" });
  else if (from !== undefined) file.stars.push(from);
  return end + 1;
}

function namesInBraces(tokens, open) {
  const inside = tokens.slice(open + 1, afterBrackets(tokens, open) - 1);
  return splitOutside(inside, COMMA).map((part) => {
    const words = part[0] === "type" && part.length > 1 && part[1] !== "as" ? part.slice(1) : part;
    return { name: words[0], alias: words.at(-1) };
  });
}

/** Reads the declaration at `start`, if there is one. */
function readDeclaration(tokens, start, file) {
  let at = start;
  while (LEADING.has(tokens[at])) at++;
  const kind = tokens[at];
  if (kind === "const" && tokens[at + 1] === "enum") at++;
  const read = READERS[tokens[at]];
  if (!read) return { end: findOutside(tokens, start, SEMICOLON) + 1, names: [] };
  const { end, found } = read(tokens, at + 1);
  for (const [name, declaration] of found) {
    file.declarations.set(name, [...(file.declarations.get(name) ?? []), declaration]);
  }
  return { end, names: found.map(([name]) => name) };
}

const READERS = {
  class: readBlock,
  interface: readBlock,
  enum: readBlock,
  namespace: readNamespace,
  module: readNamespace,
  type: readAlias,
  function: readFunction,
  const: readVariables,
  let: readVariables,
  var: readVariables,
};

function readBlock(tokens, at) {
  const open = findOutside(tokens, afterTypeParameters(tokens, at + 1), (token) => token === "{");
  const end = afterBrackets(tokens, open);
  const heritage = tokens.slice(afterTypeParameters(tokens, at + 1), open);
  const from = heritage.indexOf("extends") + 1;
  const until = findOutside(heritage, from, (token) => token === "implements");
  const types = from > 0 ? splitOutside(heritage.slice(from, until), COMMA) : [];
  return { end, found: [[tokens[at], { types, body: tokens.slice(open + 1, end - 1) }]] };
}

function readNamespace(tokens, at) {
  const open = findOutside(tokens, at, (token) => token === "{");
  return { end: afterBrackets(tokens, open), found: [[tokens[at], { types: [], body: undefined }]] };
}

function readAlias(tokens, at) {
  const end = findOutside(tokens, at, SEMICOLON);
  const from = afterTypeParameters(tokens, at + 1) + 1;
  return { end: end + 1, found: [[tokens[at], { types: [tokens.slice(from, end)], body: undefined }]] };
}

function readFunction(tokens, at) {
  const end = findOutside(tokens, at, SEMICOLON) + 1;
  return { end, found: [[tokens[at], { types: [], body: undefined }]] };
}

function readVariables(tokens, at) {
  const end = findOutside(tokens, at, SEMICOLON);
  const found = splitOutside(tokens.slice(at, end), COMMA).map(([name, sign, ...type]) => [
    name,
    { types: sign === ":" ? [type] : [], body: undefined },
  ]);
  return { end: end + 1, found };
}

function afterTypeParameters(tokens, at) {
  return tokens[at] === "<" ? afterBrackets(tokens, at) : at;
}
