import { expect, test } from "vitest";
import { kindOf, nameOf, programOf } from "./block-program.mjs";
import { readCodeBlocks } from "./code-blocks.mjs";

test("every line of a program has the number that it has in its document", () => {
  const text = "# Title\n\n<!-- before\nconst a = 1;\n-->\n```js\nuse(a);\n```\n<!-- after\ndone();\n-->\n";
  const lines = readCodeBlocks("a.md", text).map(programOf)[0]?.split("\n") ?? [];
  expect([lines.indexOf("const a = 1;"), lines.indexOf("use(a);"), lines.indexOf("done();")]).toEqual([3, 6, 9]);
});

test("a block is called after its document and line", () => {
  expect(readCodeBlocks("packages/a/README.md", "\n```js\n```\n").map(nameOf)).toEqual(["packages-a-README.md-L2"]);
});

test.each([
  ["js", "script"],
  ["ts", "typed"],
  ["sh", "shell"],
  ["yaml", "config"],
  ["text", "shown"],
  ["", "unknown"],
  ["go", "unknown"],
])("a block of %s is %s", (language, kind) => {
  expect(kindOf(language)).toBe(kind);
});
