import { MessagingError } from "polymq/internal";

/** Characters of a selector. */
export const SELECTOR_LENGTH_MAX = 4_096;

/** What a selector is made of. */
export type Token = { readonly at: number } & (
  | { readonly is: "end" }
  /** A word of the language in capitals, or an operator. */
  | { readonly is: "symbol"; readonly text: string }
  | { readonly is: "name"; readonly text: string }
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "number"; readonly value: number | bigint; readonly isExact: boolean }
);

const WORDS = new Set("AND OR NOT BETWEEN IN LIKE ESCAPE IS NULL TRUE FALSE".split(" "));

const SPACE = /\s+/y;
/** A letter, `_` or `$`, then those, digits and points, as for identifiers of Java. */
const NAME = /[\p{L}_$][\p{L}\p{N}_$.]*/uy;
const NUMBER = /(?:0[xX][\da-fA-F]+|(?:\d+(\.\d*)?|(\.\d+))([eE][+-]?\d+)?)[lLdDfF]?/y;
const OPERATOR = /<>|<=|>=|[=<>+\-*/(),]/y;
const TEXT = /'((?:[^']|'')*)'/y;
const QUOTED_NAME = /"((?:[^"]|"")+)"/y;

/** What is wrong with a selector, and where. */
export function badSelector(at: number, what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", `selector, character ${at + 1}: ${what}`);
}

/** Takes a selector apart; the last token is `end`. @throws {MessagingError} ERR_INVALID_ARGUMENT with the place of what is none */
export function tokensOf(selector: string): Token[] {
  if (selector.length > SELECTOR_LENGTH_MAX) {
    throw badSelector(SELECTOR_LENGTH_MAX, `longer than ${SELECTOR_LENGTH_MAX} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(selector);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  for (;;) {
    take(SPACE);
    if (at === selector.length) break;
    tokens.push(next(at, take));
  }
  tokens.push({ is: "end", at });
  return tokens;
}

function next(at: number, take: (pattern: RegExp) => RegExpExecArray | null): Token {
  const name = take(NAME);
  if (name !== null) {
    const word = name[0].toUpperCase();
    return WORDS.has(word) ? { is: "symbol", text: word, at } : { is: "name", text: name[0], at };
  }
  const number = take(NUMBER);
  if (number !== null) return numberToken(at, number);
  const operator = take(OPERATOR);
  if (operator !== null) return { is: "symbol", text: operator[0], at };
  const text = take(TEXT);
  if (text !== null) return { is: "text", text: (text[1] ?? "").replaceAll("''", "'"), at };
  const quoted = take(QUOTED_NAME);
  if (quoted !== null) return { is: "name", text: (quoted[1] ?? "").replaceAll('""', '"'), at };
  throw badSelector(at, "nothing of a selector begins so");
}

function numberToken(at: number, [text, fraction, bareFraction, exponent]: RegExpExecArray): Token {
  const isHex = /^0x/i.test(text);
  const digits = isHex ? text.replace(/[lL]$/, "") : text.replace(/[lLdDfF]$/, "");
  const isExact =
    isHex || (fraction === undefined && bareFraction === undefined && exponent === undefined && !/[dDfF]$/.test(text));
  const value = Number(digits);
  if (isExact && !Number.isSafeInteger(value)) return { is: "number", value: BigInt(digits), isExact, at };
  if (!Number.isFinite(value)) throw badSelector(at, "a number beyond any that is");
  return { is: "number", value, isExact, at };
}
