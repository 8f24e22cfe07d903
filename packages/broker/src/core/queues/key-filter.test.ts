import { expect, test } from "vitest";
import { KeyFilter } from "./key-filter.ts";

test.each([
  ["", ["", "a", "a/b"], []],
  ["#", ["", "a", "a/b"], []],
  ["a", ["a"], ["", "a/b", "b"]],
  ["a/b", ["a/b"], ["a", "a/b/c"]],
  ["a/#", ["a", "a/b", "a/b/c", "a/"], ["", "b", "ab", "b/a"]],
  ["+", ["a", "b"], ["", "a/b"]],
  ["+/b", ["a/b", "/b"], ["b", "a/b/c", "a/c"]],
  ["a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b", "a/b/c/d"]],
  ["+/+/#", ["a/b", "a/b/c"], ["a"]],
])("the filter %j matches %j and not %j", (text, matching, others) => {
  const filter = new KeyFilter(text);
  // Twice, for the last answer is remembered.
  for (const key of [...matching, ...matching]) expect(filter.matches(key), key).toBe(true);
  for (const key of [...others, ...others]) expect(filter.matches(key), key).toBe(false);
});

test.each(["a+", "#/a", "a#", "+a/b"])("%s is no filter", (text) => {
  expect(() => new KeyFilter(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_TOPIC" }));
});
