/** Finds links of Markdown documents that lead nowhere: to a file, folder or heading of this repository that is not there. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;
const ELSEWHERE = /^[a-z]+:/;

/**
 * @param {string} root folder of the repository
 * @param {string} document path below it
 * @returns {string[]} `docs/a.md:3: there is no docs/b.md`
 */
export function brokenLinks(root, document) {
  const problems = [];
  proseLines(readFileSync(join(root, document), "utf8")).forEach((line, index) => {
    for (const [, target] of line.replaceAll(/`[^`]*`/g, "").matchAll(LINK)) {
      const problem = ELSEWHERE.test(target) ? null : problemOf(root, document, target);
      if (problem !== null) problems.push(`${document}:${index + 1}: ${problem}`);
    }
  });
  return problems;
}

function problemOf(root, document, target) {
  const [path, anchor] = target.split("#");
  const file = path === "" ? document : normalize(join(dirname(document), path));
  if (!existsSync(join(root, file))) return `there is no ${file}`;
  if (anchor === undefined) return null;
  if (statSync(join(root, file)).isDirectory()) return `${file} is a folder`;
  return headingsOf(readFileSync(join(root, file), "utf8")).has(anchor) ? null : `${file} has no heading #${anchor}`;
}

/** The names under which headings are linked to: GitHub's. */
function headingsOf(text) {
  const names = new Set();
  for (const line of proseLines(text)) {
    const heading = /^#{1,6}\s+(.*?)\s*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const name = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let unique = name;
    for (let count = 1; names.has(unique); count++) unique = `${name}-${count}`;
    names.add(unique);
  }
  return names;
}

/** All lines, those of code blocks empty. */
function proseLines(text) {
  let fence = null;
  return text.split("\n").map((line) => {
    const mark = /^(```+)/.exec(line)?.[1];
    if (fence === null && mark !== undefined) fence = mark;
    else if (fence !== null && mark?.startsWith(fence)) fence = null;
    else return fence === null ? line : "";
    return "";
  });
}
