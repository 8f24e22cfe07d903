import { expect, test } from "vitest";
import { textTable } from "./text-table.ts";

test("columns are as wide as what is in them, numbers stand to the right, lists are counted", () => {
  const rows = [
    { name: "orders", depth: 5, groups: ["a", "b"], extra: 1 },
    { name: "a", depth: 12_345, groups: [], extra: 2 },
  ];
  expect(textTable(["name", "depth", "groups"], rows)).toBe(
    "name    depth  groups\norders      5  2\na       12345  0\n",
  );
});

test("nothing is its head alone, and missing values are empty", () => {
  expect(textTable(["name", "depth"], [])).toBe("name  depth\n");
  expect(textTable(["name", "depth"], [{ name: null }])).toBe("name  depth\n\n");
});

test("characters that a terminal acts on are left out", () => {
  expect(textTable(["name"], [{ name: "a\u001b[31mb" }])).toBe("name\na[31mb\n");
});
