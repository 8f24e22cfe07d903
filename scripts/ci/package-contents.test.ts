import { expect, test } from "vitest";
import { contentProblems } from "./package-contents.mjs";

const GOOD: readonly [string, string][] = [
  ["package.json", "{}"],
  ["README.md", ""],
  ["LICENSE", ""],
  ["bin/polymq.js", ""],
  ["dist/a.js", "\n//# sourceMappingURL=a.js.map"],
  ["dist/a.d.ts", ""],
  ["dist/a.js.map", '{"sources":["../src/a.ts"],"sourcesContent":["export {}"]}'],
];

function problems(...more: [string, string][]): string[] {
  return contentProblems(new Map([...GOOD, ...more]), (path) => path === "src/a.ts");
}

test("a package of build output, commands, README and LICENSE is in order", () => {
  expect(problems()).toEqual([]);
});

test.each(["README.md", "LICENSE"])("a missing %s is found", (path) => {
  expect(contentProblems(new Map(GOOD.filter(([name]) => name !== path)), () => true)).toEqual([`${path} is missing`]);
});

test.each(["src/a.ts", "tsconfig.json", "dist/tsconfig.tsbuildinfo", "a.tgz"])("%s does not belong", (path) => {
  expect(problems([path, ""])).toContain(`${path} does not belong into the package`);
});

test.each(["dist/a.test.js", "dist/a.test-support.d.ts"])("%s is for tests", (path) => {
  expect(problems([path, ""])).toContain(`${path} is for tests`);
});

test("output of a deleted source is found", () => {
  expect(problems(["dist/b.d.ts", ""])).toEqual(["dist/b.d.ts is left over: its source is gone"]);
});

test("a source map without its sources is found", () => {
  expect(problems(["dist/a.js.map", '{"sources":["../src/a.ts"]}'])).toEqual([
    "dist/a.js.map refers to ../src/a.ts, which is not in the package",
  ]);
});

test("a reference to a missing source map is found", () => {
  const files = new Map(GOOD.filter(([path]) => path !== "dist/a.js.map"));
  expect(contentProblems(files, () => true)).toEqual(["dist/a.js names a source map that is missing"]);
});

test.each(["export declare const a: any;", "export declare function f(\n  b: Map<string, readonly any[]>): void;"])(
  "a declaration that says any is found: %s",
  (text) => {
    const line = text.split("\n").length;
    expect(problems(["dist/a.d.ts", text])).toEqual([`dist/a.d.ts:${line} says any`]);
  },
);

test("the word any elsewhere in a declaration is fine", () => {
  const text = "/** any: of any kind */ export interface Any { readonly any: 'any'; }";
  expect(problems(["dist/a.d.ts", text])).toEqual([]);
});

test("a declaration that cannot be read is a problem", () => {
  expect(problems(["dist/a.d.ts", "export declare const"])).toEqual([
    expect.stringContaining("dist/a.d.ts cannot be read"),
  ]);
});

test("a README links to what is in the package, to the web, and within itself", () => {
  expect(problems(["README.md", "[a](LICENSE) [b](https://h/x) [c](#here) [d](../../docs/d.md#e) [f](f.md)"])).toEqual([
    "README.md links to ../../docs/d.md, which is not in the package",
    "README.md links to f.md, which is not in the package",
  ]);
});
