import { expect, test } from "vitest";
import { namesByLength } from "./names-by-length.ts";

test("names are found by their length, in their order", () => {
  const lists = namesByLength(["queue", "b", "group"]);
  expect([lists[5], lists[1], lists[0], lists[6]]).toEqual([["queue", "group"], ["b"], [], undefined]);
});
