import { expect, test } from "vitest";
import { codeOf } from "./client-setup.test-support.ts";
import { toUserProperties, type UserPropertiesInput, userPropertyValues } from "./user-properties.ts";

test("pairs are kept in order, names may repeat", () => {
  const pairs = [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
  ] as const;
  expect(toUserProperties(pairs)).toEqual(pairs);
  expect(userPropertyValues(pairs, "a")).toEqual(["1", "3"]);
});

test("a record may give a list of values for a name", () => {
  expect(toUserProperties({ a: ["1", "2"], b: "3" })).toEqual([
    ["a", "1"],
    ["a", "2"],
    ["b", "3"],
  ]);
});

test("__proto__ is a name like any other", () => {
  const input = JSON.parse('{"__proto__": "x", "constructor": "y"}') as UserPropertiesInput;
  expect(toUserProperties(input)).toEqual([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  expect(userPropertyValues([["__proto__", "x"]], "__proto__")).toEqual(["x"]);
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
});

test.each([[{ a: 1 }], [[["a"]]], [[["a", 1]]], [["ab"]], [{ a: [1] }], [{ a: null }]])("%j is refused", (input) => {
  expect(codeOf(() => toUserProperties(input as unknown as UserPropertiesInput))).toBe("ERR_INVALID_MESSAGE");
});

test("without properties there are no values", () => {
  expect(userPropertyValues(undefined, "a")).toEqual([]);
});
