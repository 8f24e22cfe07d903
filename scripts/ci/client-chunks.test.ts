import { expect, test } from "vitest";
import { staticClosure } from "./client-chunks.mjs";

const chunk = (
  name: string,
  imports: string[] = [],
  isEntry = false,
): { name: string; isEntry: boolean; imports: string[] } => ({
  name,
  isEntry,
  imports,
});

test("what the entry point imports counts, however far away; what it only loads does not", () => {
  const chunks = [chunk("entry", ["a"], true), chunk("a", ["b"]), chunk("b", ["entry"]), chunk("later", ["a"])];
  expect([...staticClosure(chunks)].map((each) => each.name)).toEqual(["entry", "a", "b"]);
});
