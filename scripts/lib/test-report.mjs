import { existsSync, readFileSync, realpathSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";

/** Where a test run leaves its report: `vitest run --reporter=json --outputFile=.cache/vitest.json`. */
export const REPORT = ".cache/vitest.json";

/**
 * @typedef {object} Test
 * @property {string} file path from the repository's root, with "/"
 * @property {string} title its own title
 * @property {string} fullName the titles of the suites around it and its own, joined by blanks
 * @property {string[]} names every way to write its name: title, `fullName`, or the last titles joined by " > "
 * @property {string} status `passed` or anything else
 */

/**
 * @param {string} root the repository's root
 * @returns {Test[]} the report's tests; those of a file that is gone are left out
 */
export function readTestReport(root) {
  const path = join(root, REPORT);
  if (!existsSync(path)) throw new Error(`${REPORT} is missing: run the tests with the json reporter first`);
  const report = JSON.parse(readFileSync(path, "utf8"));
  return report.testResults.flatMap((file) => testsOfFile(root, file));
}

function testsOfFile(root, { name, assertionResults }) {
  if (!existsSync(resolve(root, name))) return [];
  const file = relative(realpathSync(root), realpathSync(resolve(root, name)));
  if (isAbsolute(file) || file.startsWith("..")) return [];
  return assertionResults.map(({ title, fullName, ancestorTitles = [], status }) => {
    const chain = [...ancestorTitles, title];
    const names = [fullName, ...chain.map((_, from) => chain.slice(from).join(" > "))];
    return { file: file.split(sep).join("/"), title, fullName, names, status };
  });
}
