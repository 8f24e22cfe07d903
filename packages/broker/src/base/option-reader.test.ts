import { describe, expect, test } from "vitest";
import { OptionReader } from "./option-reader.ts";

function refusal(message: RegExp): unknown {
  return expect.objectContaining({ code: "ERR_INVALID_OPTIONS", message: expect.stringMatching(message) });
}

describe("OptionReader", () => {
  test.each([null, undefined, 7, "text", []])("%j is no options object", (value) => {
    expect(() => new OptionReader(value, "tls")).toThrow(refusal(/^tls: must be an object$/));
  });

  test("a missing field, or one that is undefined, gets its default", () => {
    const reader = new OptionReader({ a: undefined }, "");
    expect(reader.integer("a", { least: 0, most: 9, otherwise: 5 })).toBe(5);
    expect([reader.text("b"), reader.texts("c"), reader.list("d"), reader.function("e")]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect([reader.flag("f", "yes"), reader.flag("g", "no"), reader.oneOf("h", ["x", "y"], "y")]).toEqual([
      true,
      false,
      "y",
    ]);
    reader.done();
  });

  test.each([-1, 10, 1.5, Number.NaN, "5", null, 5n, {}])(
    "%s is refused where a whole number from 0 to 9 has to be",
    (a) => {
      const read = (): number => new OptionReader({ a }, "").integer("a", { least: 0, most: 9, otherwise: -7 });
      expect(read).toThrow(refusal(/^a: must be a whole number from 0 to 9$/));
    },
  );

  test.each([
    ["text", (r: OptionReader) => r.text("a"), 7],
    ["flag", (r: OptionReader) => r.flag("a", "yes"), "yes"],
    ["choice", (r: OptionReader) => r.oneOf("a", ["x", "y"], "x"), "z"],
    ["list of texts", (r: OptionReader) => r.texts("a"), ["x", 7]],
    ["list of texts", (r: OptionReader) => r.texts("a"), [""]],
    ["list", (r: OptionReader) => r.list("a"), "x"],
    ["function", (r: OptionReader) => r.function("a"), "x"],
    ["object", (r: OptionReader) => r.nested("a"), 7],
  ] as const)("something else than a %s is refused by name", (_, read, a) => {
    expect(() => read(new OptionReader({ a }, "outer"))).toThrow(refusal(/^outer\.a: must be /));
  });

  test("a secret of a wrong type does not get into the message", () => {
    expect(() => new OptionReader({ password: 123_456 }, "").text("password")).toThrow(refusal(/^(?!.*123456)/));
  });

  test("a field that nobody asked for is refused by its full path", () => {
    const reader = new OptionReader({ inner: { known: 1, unknwon: 2 } }, "").nested("inner");
    reader.integer("known", { least: 0, most: 9, otherwise: 0 });
    expect(() => reader.done()).toThrow(refusal(/^inner\.unknwon: is no known option$/));
  });

  test("__proto__ as a field is one that nobody asked for", () => {
    const reader = new OptionReader(JSON.parse('{"__proto__": {"a": 1}}'), "");
    expect(reader.has("a")).toBe(false);
    expect(() => reader.done()).toThrow(refusal(/^__proto__: /));
  });
});
