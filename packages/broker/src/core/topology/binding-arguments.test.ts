import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { argumentsText, headersMatch, readArguments, valuesEqual } from "./binding-arguments.ts";
import type { ArgumentValue, HeaderMatch } from "./topology-port.ts";

const values: fc.Arbitrary<ArgumentValue> = fc.letrec<{ value: ArgumentValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true }).map((value) => value + 0 || 0),
    fc.bigInt(),
    fc.string(),
    fc.uint8Array({ maxLength: 5 }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

const records = fc.dictionary(fc.string(), values, { maxKeys: 5, noNullPrototype: true });

function isChosen(
  match: HeaderMatch,
  asked: Record<string, ArgumentValue>,
  has: Record<string, ArgumentValue>,
): boolean {
  return headersMatch({ match, values: asked }, (name) => has[name]);
}

describe("a binding's arguments", () => {
  test("read back from their text, which does not depend on the order of names", () => {
    fc.assert(
      fc.property(records, (record) => {
        const args = { match: "any", values: record } as const;
        const reversed = { match: "any", values: Object.fromEntries(Object.entries(record).reverse()) } as const;
        expect(readArguments(argumentsText(args))).toEqual(args);
        expect(argumentsText(reversed)).toBe(argumentsText(args));
      }),
    );
    expect(readArguments(argumentsText(null))).toBeNull();
  });

  test("nested deeper than any use are refused", () => {
    let value: ArgumentValue = [];
    for (let depth = 0; depth < 10_000; depth++) value = [value];
    expect(() => argumentsText({ match: "all", values: { value } })).toThrow(RangeError);
  });

  test.each(["some {}", "all 5", "all [1"])("are not read out of %j", (text) => {
    expect(() => readArguments(text)).toThrow(SyntaxError);
  });
});

describe("values", () => {
  const pairs: readonly (readonly [ArgumentValue, ArgumentValue, boolean])[] = [
    [1, 1, true],
    [1, 1n, true],
    [1, "1", false],
    ["a", "a", true],
    [true, 1, false],
    [null, null, true],
    [null, false, false],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2), true],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 3), false],
    [[1, "a"], [1, "a"], true],
    [[1, "a"], ["a", 1], false],
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
    [{ a: 1 }, [1], false],
  ];

  test("are equal when type and contents are; all numbers are of one type", () => {
    for (const [a, b, isEqual] of pairs) {
      expect([a, b, valuesEqual(a, b), valuesEqual(b, a)]).toEqual([a, b, isEqual, isEqual]);
    }
  });
});

describe("headers", () => {
  test("all: each that is asked for is there with that value", () => {
    expect(isChosen("all", { a: 1, b: "x" }, { a: 1, b: "x", c: 3 })).toBe(true);
    expect(isChosen("all", { a: 1, b: "x" }, { a: 1 })).toBe(false);
    expect(isChosen("all", { a: 1, b: "x" }, { a: 1, b: "y" })).toBe(false);
    expect(isChosen("all", {}, {})).toBe(true);
  });

  test("any: one is enough", () => {
    expect(isChosen("any", { a: 1, b: "x" }, { b: "x" })).toBe(true);
    expect(isChosen("any", { a: 1, b: "x" }, { a: 2 })).toBe(false);
    expect(isChosen("any", {}, { a: 1 })).toBe(false);
  });

  test("null asks only that it is there", () => {
    expect(isChosen("all", { a: null }, { a: "anything" })).toBe(true);
    expect(isChosen("all", { a: null }, {})).toBe(false);
  });

  test("names that begin with x- count only where that is said", () => {
    expect(isChosen("all", { "x-a": 1, b: 2 }, { b: 2 })).toBe(true);
    expect(isChosen("all-with-x", { "x-a": 1, b: 2 }, { b: 2 })).toBe(false);
    expect(isChosen("any", { "x-a": 1 }, { "x-a": 1 })).toBe(false);
    expect(isChosen("any-with-x", { "x-a": 1 }, { "x-a": 1 })).toBe(true);
  });

  test("a message without headers meets nothing but what asks for nothing", () => {
    expect([headersMatch({ match: "all", values: { a: 1 } }, null), headersMatch(null, null)]).toEqual([false, true]);
  });
});
