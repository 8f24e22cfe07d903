import { LikePattern, PATTERN_LENGTH_MAX } from "./like-pattern.ts";
import type { Arithmetic, Comparison, Expression } from "./selector-expression.ts";
import { badSelector, type Token, tokensOf } from "./selector-tokens.ts";

/** How deep parentheses, NOT and signs may stand in each other. */
export const SELECTOR_DEPTH_MAX = 32;

/** Operators, operands and words of one selector. */
export const SELECTOR_TOKENS_MAX = 512;

const COMPARISONS: ReadonlySet<string> = new Set(["=", "<>", "<", ">", "<=", ">="]);

/**
 * Reads a selector:
 *
 *   or          and ("OR" and)*
 *   and         not ("AND" not)*
 *   not         "NOT" not | predicate
 *   predicate   sum [comparison sum | ["NOT"] "BETWEEN" sum "AND" sum | ["NOT"] "IN" "(" text ("," text)* ")"
 *               | ["NOT"] "LIKE" text ["ESCAPE" text] | "IS" ["NOT"] "NULL"]
 *   sum         product (("+" | "-") product)*
 *   product     factor (("*" | "/") factor)*
 *   factor      ("+" | "-") factor | "(" or ")" | name | text | number | "TRUE" | "FALSE" | "NULL"
 *
 * @throws {MessagingError} ERR_INVALID_ARGUMENT with the place of what is none, and beyond a limit
 */
export function parseExpression(selector: string): Expression {
  return new Parser(tokensOf(selector)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    if (tokens.length > SELECTOR_TOKENS_MAX) {
      throw badSelector((tokens[SELECTOR_TOKENS_MAX] as Token).at, `more than ${SELECTOR_TOKENS_MAX} words`);
    }
  }

  whole(): Expression {
    const expression = this.#or();
    if (this.#token().is !== "end") throw this.#unexpected("the end");
    if (!isCondition(expression)) throw badSelector(0, "a value where a condition was expected");
    return expression;
  }

  #token(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #takes(symbol: string): boolean {
    const token = this.#token();
    if (token.is !== "symbol" || token.text !== symbol) return false;
    this.#next++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#takes(symbol)) throw this.#unexpected(symbol);
  }

  #unexpected(instead: string): Error {
    const token = this.#token();
    const found = token.is === "end" ? "the end" : token.is === "number" ? "a number" : token.text;
    return badSelector(token.at, `${found} where ${instead} was expected`);
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > SELECTOR_DEPTH_MAX)
      throw badSelector(this.#token().at, `nested deeper than ${SELECTOR_DEPTH_MAX}`);
    const result = read();
    this.#depth--;
    return result;
  }

  #or(): Expression {
    return this.#joined("or", () => this.#joined("and", () => this.#not()));
  }

  #joined(is: "and" | "or", part: () => Expression): Expression {
    const first = part();
    const word = is === "and" ? "AND" : "OR";
    if (!this.#isSymbol(word)) return first;
    const parts = [this.#condition(first)];
    while (this.#takes(word)) parts.push(this.#condition(part()));
    return { is, parts };
  }

  #isSymbol(text: string): boolean {
    const token = this.#token();
    return token.is === "symbol" && token.text === text;
  }

  #not(): Expression {
    if (!this.#takes("NOT")) return this.#predicate();
    return { is: "not", of: this.#condition(this.#nested(() => this.#not())) };
  }

  #condition(expression: Expression): Expression {
    if (!isCondition(expression)) throw badSelector(this.#token().at, "a value where a condition was expected");
    return expression;
  }

  #predicate(): Expression {
    const left = this.#sum();
    const token = this.#token();
    if (token.is !== "symbol") return left;
    if (COMPARISONS.has(token.text)) {
      this.#next++;
      return { is: "compare", how: token.text as Comparison, left, right: this.#sum() };
    }
    if (this.#takes("IS")) {
      const isNot = this.#takes("NOT");
      this.#expect("NULL");
      return negated(isNot, { is: "null", of: left });
    }
    const isNot = this.#takes("NOT");
    if (this.#takes("BETWEEN")) return negated(isNot, this.#between(left));
    if (this.#takes("IN")) return negated(isNot, this.#in(left));
    if (this.#takes("LIKE")) return negated(isNot, this.#like(left));
    if (isNot) throw this.#unexpected("BETWEEN, IN or LIKE");
    return left;
  }

  #between(of: Expression): Expression {
    const low = this.#sum();
    this.#expect("AND");
    return { is: "between", of, low, high: this.#sum() };
  }

  #in(of: Expression): Expression {
    this.#expect("(");
    const list = new Set([this.#text()]);
    while (this.#takes(",")) list.add(this.#text());
    this.#expect(")");
    return { is: "in", of, list };
  }

  #like(of: Expression): Expression {
    const { at } = this.#token();
    const text = this.#text();
    if (text.length > PATTERN_LENGTH_MAX)
      throw badSelector(at, `a pattern longer than ${PATTERN_LENGTH_MAX} characters`);
    const escapeAt = this.#token().at;
    const escaping = this.#takes("ESCAPE") ? this.#text() : null;
    if (escaping !== null && Array.from(escaping).length !== 1)
      throw badSelector(escapeAt, "ESCAPE takes one character");
    const pattern = LikePattern.of(text, escaping ?? "");
    if (pattern === null) throw badSelector(at, "a pattern that ends with its escape character");
    return { is: "like", of, pattern };
  }

  #text(): string {
    const token = this.#token();
    if (token.is !== "text") throw this.#unexpected("a text");
    this.#next++;
    return token.text;
  }

  #sum(): Expression {
    return this.#chain(["+", "-"], () => this.#chain(["*", "/"], () => this.#factor()));
  }

  #chain(operators: readonly Arithmetic[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const how = operators.find((operator) => this.#takes(operator));
      if (how === undefined) return left;
      left = { is: "calculate", how, left, right: operand() };
    }
  }

  #factor(): Expression {
    if (this.#takes("+")) return this.#nested(() => this.#factor());
    if (this.#takes("-")) return negativeOf(this.#nested(() => this.#factor()));
    if (this.#takes("(")) {
      const inner = this.#nested(() => this.#or());
      this.#expect(")");
      return inner;
    }
    const token = this.#token();
    switch (token.is) {
      case "name":
        this.#next++;
        return { is: "property", name: token.text };
      case "text":
        this.#next++;
        return { is: "value", value: token.text, isExact: true };
      case "number":
        this.#next++;
        return { is: "value", value: token.value, isExact: token.isExact };
      default:
        return this.#constant();
    }
  }

  #constant(): Expression {
    if (this.#takes("TRUE")) return { is: "value", value: true, isExact: true };
    if (this.#takes("FALSE")) return { is: "value", value: false, isExact: true };
    if (this.#takes("NULL")) return { is: "value", value: null, isExact: true };
    throw this.#unexpected("a value");
  }
}

function negated(isNot: boolean, of: Expression): Expression {
  return isNot ? { is: "not", of } : of;
}

function negativeOf(of: Expression): Expression {
  if (of.is !== "value" || (typeof of.value !== "number" && typeof of.value !== "bigint"))
    return { is: "negative", of };
  return { ...of, value: -of.value };
}

/** Whether it can be true: a property, for it may be a boolean, but no number and no text. */
function isCondition(expression: Expression): boolean {
  switch (expression.is) {
    case "value":
      return expression.value === null || typeof expression.value === "boolean";
    case "calculate":
    case "negative":
      return false;
    default:
      return true;
  }
}
