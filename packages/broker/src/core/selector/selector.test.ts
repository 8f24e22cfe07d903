import fc from "fast-check";
import { isMessagingError } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { Selector } from "./selector.ts";
import type { SelectorValue } from "./selector-expression.ts";

type Properties = Readonly<Record<string, SelectorValue>>;

function matches(selector: string, properties: Properties = {}): boolean {
  return new Selector(selector).matches({
    property: (name) => (Object.hasOwn(properties, name) ? properties[name] : undefined),
  });
}

/** Neither the condition nor its opposite holds. */
function isUnknown(selector: string, properties: Properties = {}): boolean {
  return !matches(selector, properties) && !matches(`NOT (${selector})`, properties);
}

const MESSAGE: Properties = {
  colour: "red",
  size: 5,
  ratio: 0.5,
  big: 2n ** 62n,
  urgent: true,
  empty: "",
  "x-y": 1,
};

describe("what matches", () => {
  test.each([
    "colour = 'red'",
    "colour <> 'blue'",
    "size > 4 AND size < 6",
    "size >= 5 and size <= 5",
    "size = 5.0",
    "urgent",
    "urgent = TRUE",
    "urgent <> false",
    "NOT (colour = 'blue')",
    "not not urgent",
    "colour = 'blue' OR urgent",
    "colour = 'red' OR colour = 'blue' AND size = 9",
    "size BETWEEN 1 AND 5",
    "size NOT BETWEEN 6 AND 9",
    "colour IN ('blue', 'red')",
    "colour NOT IN ('blue')",
    "colour LIKE 'r%'",
    "colour LIKE '_e_'",
    "colour NOT LIKE 'r_'",
    "missing IS NULL",
    "colour IS NOT NULL",
    "empty IS NOT NULL AND empty = ''",
    "size + 2 * 3 = 11",
    "(size + 2) * 3 = 21",
    "size - 2 - 1 = 2",
    "-size = -5 AND +size = 5",
    "size / 2 = 2",
    "size / 2.0 = 2.5",
    "ratio * 2 = 1",
    "big = 4611686018427387904",
    "big > 4611686018427387903",
    "big + 1 = 4611686018427387905",
    "0x10 = 16 AND 1e3 = 1000 AND 7L = 7 AND .5 = ratio",
    '"x-y" = 1',
    "'it''s' = 'it''s'",
    "$a_b.c IS NULL",
  ])("%s", (selector) => {
    expect(matches(selector, MESSAGE)).toBe(true);
  });

  test.each([
    "colour = 'Red'",
    "COLOUR = 'red'",
    "size = '5'",
    "size <> '5'",
    "colour < 'z'",
    "urgent > false",
    "colour = TRUE",
    "size IN ('5')",
    "size LIKE '5'",
    "colour",
    "FALSE",
  ])("and what does not: %s", (selector) => {
    expect(matches(selector, MESSAGE)).toBe(false);
  });
});

describe("what is missing is unknown", () => {
  test.each([
    "missing = 1",
    "missing <> 1",
    "missing BETWEEN 1 AND 2",
    "1 BETWEEN missing AND 2",
    "missing IN ('a')",
    "missing LIKE '%'",
    "missing + 1 = 1",
    "-missing = 1",
    "missing",
    "NULL = NULL",
    "missing AND urgent",
    "missing OR colour = 'blue'",
    "size / 0 = 1",
    "colour + 1 = 2",
  ])("%s", (selector) => {
    expect(isUnknown(selector, MESSAGE)).toBe(true);
  });

  test("unless the rest decides", () => {
    expect(matches("NOT (missing AND FALSE)")).toBe(true);
    expect(matches("missing OR TRUE")).toBe(true);
    expect(matches("NOT (5 BETWEEN 6 AND missing)")).toBe(true);
  });
});

describe("patterns", () => {
  test.each([
    ["a", "_", true],
    ["ab", "_", false],
    ["", "%", true],
    ["😀", "_", true],
    ["a😀b", "a%b", true],
    ["aXbXc", "a%b%c", true],
    ["abab", "%ab", true],
    ["abc", "%ab", false],
    ["line\nbreak", "line%break", true],
  ] as const)("%j LIKE %j", (text, pattern, expected) => {
    expect(matches(`t LIKE '${pattern}'`, { t: text })).toBe(expected);
  });

  test("what follows the escape character is itself", () => {
    const like = (t: string): boolean => matches("t LIKE '\\_%' ESCAPE '\\'", { t });
    expect([like("_foo"), like("bar")]).toEqual([true, false]);
  });

  test("agree with regular expressions", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "%", "_"), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (t, pattern) => {
        const source = pattern.replaceAll("%", ".*").replaceAll("_", ".");
        expect(matches(`t LIKE '${pattern}'`, { t })).toBe(new RegExp(`^${source}$`, "s").test(t));
      }),
    );
  });
});

describe("a selector that is none is refused with its place", () => {
  test.each([
    ["", 1],
    ["a =", 4],
    ["a = 1 b", 7],
    ["= 1", 1],
    ["(a = 1", 7],
    ["a BETWEEN 1", 12],
    ["a IN (1)", 7],
    ["a IN ()", 7],
    ["a LIKE b", 8],
    ["a LIKE 'x' ESCAPE 'yz'", 12],
    ["a LIKE 'x!' ESCAPE '!'", 8],
    ["a IS 5", 6],
    ["a NOT = 1", 7],
    ["a = 'open", 5],
    ["a ~ 1", 3],
    ["1 + 2", 1],
    ["a AND 5", 8],
    ["a = 1e999", 5],
  ])("%j at %i", (selector, at) => {
    let found: unknown;
    try {
      new Selector(selector);
    } catch (error) {
      found = error;
    }
    if (!isMessagingError(found)) throw new Error("it was taken");
    expect(found.code).toBe("ERR_INVALID_ARGUMENT");
    expect(found.message).toContain(`character ${at}:`);
  });

  test.each([
    ["its length", `a = '${"x".repeat(4_100)}'`],
    ["parentheses", `${"(".repeat(40)}a${")".repeat(40)}`],
    ["NOT", `${"NOT ".repeat(40)}a`],
    ["signs", `a = ${"- ".repeat(40)}1`],
    ["words", Array.from({ length: 300 }, () => "a").join(" OR ")],
    ["a pattern", `a LIKE '${"x".repeat(300)}'`],
  ])("and beyond the limit of %s", (_, selector) => {
    expect(() => new Selector(selector)).toThrowError(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });

  test("whatever it is: nothing but a typed error is thrown", () => {
    const word = fc.constantFrom(
      ..."a 'x' 1 2.5 + - * / ( ) , = <> < > <= >= AND OR NOT BETWEEN IN LIKE ESCAPE IS NULL TRUE FALSE".split(" "),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (words) => {
        try {
          matches(words.join(" "), MESSAGE);
        } catch (error) {
          if (!isMessagingError(error) || error.code !== "ERR_INVALID_ARGUMENT") throw error;
        }
      }),
    );
  });
});

test("a condition holds, its opposite does, or neither, never both", () => {
  const operand = fc.constantFrom("size", "missing", "3", "colour", "'red'", "urgent", "big", "ratio / 0");
  const atom = fc
    .tuple(operand, fc.constantFrom("=", "<>", "<", ">", "<=", ">="), operand)
    .map((three) => three.join(" "));
  const condition = fc.tuple(atom, fc.constantFrom("AND", "OR"), atom).map(([a, how, b]) => `(${a}) ${how} (${b})`);
  fc.assert(
    fc.property(condition, (text) => {
      expect(matches(text, MESSAGE) && matches(`NOT (${text})`, MESSAGE)).toBe(false);
    }),
  );
});
