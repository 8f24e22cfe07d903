import { expect, test } from "vitest";
import { checkTypes } from "./check-types.mjs";
import { readCodeBlocks } from "./code-blocks.mjs";

const IMPORT = 'import { connect } from "polymq";\n';

async function problems(language: string, code: string): Promise<string[]> {
  return await checkTypes(readCodeBlocks("docs/a.md", `\`\`\`${language}\n${IMPORT}${code}\n\`\`\`\n`));
}

test("a misspelt option in a block of JavaScript is found at its line", async () => {
  const found = await problems("js", 'const client = await connect("mqtt://h", { clientld: "a" });');
  expect(found).toEqual([expect.stringMatching(/^docs\/a\.md:3: error TS\d+: .*clientld/)]);
});

test("JavaScript may do with unknown values what it likes, TypeScript may not", async () => {
  const code = 'const client = await connect("mqtt://h");\nconst f = (x) => x.y;';
  expect(await problems("js", code)).toEqual([]);
  expect(await problems("ts", code)).toEqual([expect.stringContaining("docs/a.md:4: error TS7006")]);
});
