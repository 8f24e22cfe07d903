import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { brokenLinks } from "./links.mjs";

function repository(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "polymq-links-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "docs"));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
  return root;
}

test("links to files, folders and headings that are there are fine, and so is everything beyond the repository", () => {
  const root = repository({
    "README.md":
      "[a](docs/a.md) [b](docs/a.md#what-is-it-the-codec) [c](docs) [d](https://x.example/y) [e](#title)\n\n# Title\n",
    "docs/a.md": "## What is it: the `codec`?\n",
  });
  expect(brokenLinks(root, "README.md")).toEqual([]);
});

test("a file and a heading that are not there are found, each at its line", () => {
  const root = repository({ "docs/a.md": "[x](../b.md)\n\n[y](#nothing)\n" });
  expect(brokenLinks(root, "docs/a.md")).toEqual([
    "docs/a.md:1: there is no b.md",
    "docs/a.md:3: docs/a.md has no heading #nothing",
  ]);
});

test("code is not looked at", () => {
  const root = repository({ "docs/a.md": "`[x](y)`\n\n```js\n[x](y);\n# z\n```\n[z](#z)\n" });
  expect(brokenLinks(root, "docs/a.md")).toEqual(["docs/a.md:7: docs/a.md has no heading #z"]);
});
