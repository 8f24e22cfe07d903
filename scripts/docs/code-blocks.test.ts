import { expect, test } from "vitest";
import { readCodeBlocks } from "./code-blocks.mjs";

const DOCUMENT = `# Title

\`\`\`js
first();
\`\`\`

<!-- broker { "port": 0 } -->
<!-- before
const a = 1;

const b = 2;
-->
\`\`\`ts
second(a, b);
\`\`\`
<!-- after
done();
-->

\`\`\`sh
third
\`\`\`
*Not run: it needs the moon.*
`;

test("a block has its language, its code and the line where that stands", () => {
  const [first] = readCodeBlocks("a.md", DOCUMENT);
  expect(first).toEqual({
    document: "a.md",
    line: 3,
    language: "js",
    code: { line: 4, lines: ["first();"] },
    before: null,
    after: null,
    broker: null,
    notRun: null,
  });
});

test("comments right around a block are its own, blank lines in them included", () => {
  const second = readCodeBlocks("a.md", DOCUMENT)[1];
  expect([second?.before, second?.after, second?.broker]).toEqual([
    { line: 9, lines: ["const a = 1;", "", "const b = 2;"] },
    { line: 17, lines: ["done();"] },
    '{ "port": 0 }',
  ]);
});

test("a visible line below a block says why it is not run", () => {
  expect(readCodeBlocks("a.md", DOCUMENT).map((block) => block.notRun)).toEqual([null, null, "it needs the moon."]);
});

test("a comment that something else follows belongs to no block", () => {
  const text = "<!-- before\nx();\n-->\nSome words.\n\n```js\ny();\n```\n";
  expect(readCodeBlocks("a.md", text)[0]?.before).toBeNull();
});

test.each([
  ["a block", "```js\nx();\n"],
  ["a comment", "<!-- before\nx();\n"],
])("%s without an end is refused", (_, text) => {
  expect(() => readCodeBlocks("a.md", text)).toThrow("no end");
});
