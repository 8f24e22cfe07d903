// Hot path: `matches` runs per message. No closure, promise, spread, iterator or regex here.
import { unreachable } from "polymq/internal";
import type { Arithmetic, Comparison, Expression, SelectorValue } from "./selector-expression.ts";
import { parseExpression } from "./selector-parser.ts";

/** Finds a message's property by the name that stands in a selector; undefined and null for one that it has not. */
export interface SelectorProperties {
  property(name: string): SelectorValue | undefined;
}

/**
 * A condition on messages' properties in the manner of SQL-92's WHERE: comparisons, BETWEEN, IN, LIKE, IS NULL, AND, OR, NOT and arithmetic, with three
 * truth values. Words of the language in any case; names of properties as they are, in `"` where they are no identifiers.
 *
 * A comparison with a property that is missing is unknown, one of values of different kinds is false; texts and booleans are only equal or not. Whole numbers
 * divide as whole numbers, unless one is written with a point or exponent. A division by zero is unknown. What is unknown does not match.
 */
export class Selector {
  readonly text: string;
  readonly #expression: Expression;

  /** @throws {MessagingError} ERR_INVALID_ARGUMENT with the place of what is wrong, and beyond 4,096 characters, 512 words, or a nesting of 32 */
  constructor(text: string) {
    this.text = text;
    this.#expression = parseExpression(text);
  }

  matches(message: SelectorProperties): boolean {
    return evaluate(this.#expression, message) === true;
  }
}

function evaluate(expression: Expression, message: SelectorProperties): SelectorValue {
  switch (expression.is) {
    case "value":
      return expression.value;
    case "property":
      return message.property(expression.name) ?? null;
    case "not":
      return not(evaluate(expression.of, message));
    case "negative":
      return negative(evaluate(expression.of, message));
    case "and":
      return combined(expression.parts, message, false);
    case "or":
      return combined(expression.parts, message, true);
    case "compare":
      return compare(expression.how, evaluate(expression.left, message), evaluate(expression.right, message));
    case "calculate":
      return calculate(expression.how, expression, message);
    case "between":
      return between(expression, message);
    case "in": {
      const value = evaluate(expression.of, message);
      return value === null ? null : typeof value === "string" && expression.list.has(value);
    }
    case "like": {
      const value = evaluate(expression.of, message);
      return value === null ? null : typeof value === "string" && expression.pattern.matches(value);
    }
    case "null":
      return evaluate(expression.of, message) === null;
    default:
      return unreachable(expression);
  }
}

/** What is neither true nor false is unknown. */
function truth(value: SelectorValue): boolean | null {
  return typeof value === "boolean" ? value : null;
}

function not(value: SelectorValue): boolean | null {
  const found = truth(value);
  return found === null ? null : !found;
}

/** @param decisive what settles it whatever the others are */
function combined(parts: readonly Expression[], message: SelectorProperties, decisive: boolean): boolean | null {
  let isUnknown = false;
  for (let i = 0; i < parts.length; i++) {
    const found = truth(evaluate(parts[i] as Expression, message));
    if (found === decisive) return decisive;
    if (found === null) isUnknown = true;
  }
  return isUnknown ? null : !decisive;
}

function isNumber(value: SelectorValue): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function compare(how: Comparison, left: SelectorValue, right: SelectorValue): boolean | null {
  if (left === null || right === null) return null;
  if (isNumber(left) && isNumber(right)) return compareNumbers(how, left, right);
  if (typeof left !== typeof right) return false;
  if (how === "=") return left === right;
  return how === "<>" && left !== right;
}

/** Numbers and bigints are compared by what they are worth. */
function compareNumbers(how: Comparison, left: number | bigint, right: number | bigint): boolean {
  switch (how) {
    case "=":
      return left >= right && left <= right;
    case "<>":
      return left < right || left > right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    case "<=":
      return left <= right;
    case ">=":
      return left >= right;
    default:
      return unreachable(how);
  }
}

function between(
  expression: Extract<Expression, { readonly is: "between" }>,
  message: SelectorProperties,
): boolean | null {
  const value = evaluate(expression.of, message);
  const low = compare(">=", value, evaluate(expression.low, message));
  const high = compare("<=", value, evaluate(expression.high, message));
  if (low === false || high === false) return false;
  return low === null || high === null ? null : true;
}

function negative(value: SelectorValue): SelectorValue {
  return isNumber(value) ? -value : null;
}

function calculate(
  how: Arithmetic,
  parts: { readonly left: Expression; readonly right: Expression },
  message: SelectorProperties,
): SelectorValue {
  const left = evaluate(parts.left, message);
  const right = evaluate(parts.right, message);
  if (!isNumber(left) || !isNumber(right)) return null;
  const isExact = isWhole(left) && isWhole(right);
  if (how === "/") {
    if (compareNumbers("=", right, 0)) return null;
    const writtenWhole = isWrittenExact(parts.left) && isWrittenExact(parts.right);
    return isExact && writtenWhole ? shortest(BigInt(left) / BigInt(right)) : Number(left) / Number(right);
  }
  const result = ofNumbers(how, Number(left), Number(right));
  return isExact && !Number.isSafeInteger(result) ? shortest(ofBigints(how, BigInt(left), BigInt(right))) : result;
}

function isWhole(value: number | bigint): boolean {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

/** False with a number in it that is written with a point or exponent. */
function isWrittenExact(expression: Expression): boolean {
  if (expression.is === "value") return expression.isExact;
  if (expression.is === "negative") return isWrittenExact(expression.of);
  return expression.is !== "calculate" || (isWrittenExact(expression.left) && isWrittenExact(expression.right));
}

function ofNumbers(how: "+" | "-" | "*", left: number, right: number): number {
  return how === "+" ? left + right : how === "-" ? left - right : left * right;
}

/** In 64 bits, so that no expression grows without end. */
function ofBigints(how: "+" | "-" | "*", left: bigint, right: bigint): bigint {
  return BigInt.asIntN(64, how === "+" ? left + right : how === "-" ? left - right : left * right);
}

function shortest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
