/** Cuts TypeScript declarations into tokens: names, strings with their quotes, numbers, "=>", "..." and single signs. */

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|=>|\.\.\.|#?[\p{L}_$][\p{L}\p{N}_$]*|\d[\w.]*|[\s\S])/gu;

const OPENING = new Set(["{", "(", "[", "<"]);
const CLOSING = new Set(["}", ")", "]", ">"]);

/** @param {string} text @returns {string[]} */
export function tokenize(text) {
  const tokens = [];
  for (const match of text.matchAll(TOKEN)) {
    if (match[1] !== undefined) tokens.push(match[1]);
  }
  return tokens;
}

/**
 * @param {string[]} tokens
 * @param {number} from
 * @param {(token: string) => boolean} stops
 * @returns {number} where the first token outside brackets stands for which `stops`, or the bracket that closes the
 * surrounding text, or the end
 */
export function findOutside(tokens, from, stops) {
  let depth = 0;
  for (let index = from; index < tokens.length; index++) {
    const token = tokens[index];
    if (depth === 0 && (stops(token) || CLOSING.has(token))) return index;
    if (OPENING.has(token)) depth++;
    else if (CLOSING.has(token)) depth--;
  }
  return tokens.length;
}

/** @param {string[]} tokens @param {number} open @returns {number} the index after the bracket that closes `open` */
export function afterBrackets(tokens, open) {
  return findOutside(tokens, open + 1, () => false) + 1;
}

/** @param {string[]} tokens @param {Set<string>} separators @returns {string[][]} the non-empty parts between them */
export function splitOutside(tokens, separators) {
  const parts = [];
  for (let from = 0; from <= tokens.length; ) {
    const end = findOutside(tokens, from, (token) => separators.has(token));
    if (end > from) parts.push(tokens.slice(from, end));
    from = end + 1;
  }
  return parts;
}

/** @param {string | undefined} token @returns {boolean} */
export function isName(token) {
  return token !== undefined && /^[\p{L}_$]/u.test(token);
}

/** @param {string | undefined} token @returns {string | undefined} what a string token says */
export function stringValue(token) {
  return token !== undefined && /^["']/.test(token) ? token.slice(1, -1) : undefined;
}
