import { describe, expect, test } from "vitest";
import { isTypeScript, type RepoFile, repoFiles } from "./lib/repo.ts";
import { FILE_LINES_MAX, FUNCTION_LINES_MAX, functionLines, type Ratchet, sizeViolations } from "./lib/size.ts";
import ratchet from "./ratchet.json" with { type: "json" };

const NOTHING: Ratchet = { files: {}, functions: {}, tables: [] };

function lines(count: number): string {
  return "f();\n".repeat(count);
}

function fileOf(count: number): RepoFile[] {
  return [{ path: "packages/a/src/a.ts", text: lines(count) }];
}

function functionOf(count: number, path = "packages/a/src/a.ts"): RepoFile[] {
  return [{ path, text: `function big() {\n${lines(count - 2)}}\n` }];
}

test("no file and no function of the repository is too long, and what is only shrinks", () => {
  expect(
    sizeViolations(
      repoFiles((path) => isTypeScript(path) || /\.m?js$/.test(path)),
      ratchet,
    ),
  ).toEqual([]);
}, 120_000);

describe("file size", () => {
  test("the limit itself is allowed", () => {
    expect(sizeViolations(fileOf(FILE_LINES_MAX), NOTHING)).toEqual([]);
  });

  test("one line more is found", () => {
    expect(sizeViolations(fileOf(FILE_LINES_MAX + 1), NOTHING)).toEqual([expect.stringContaining("501 lines")]);
  });

  test("a recorded file may keep its size", () => {
    expect(sizeViolations(fileOf(600), { ...NOTHING, files: { "packages/a/src/a.ts": 600 } })).toEqual([]);
  });

  test("a recorded file that grew is found", () => {
    expect(sizeViolations(fileOf(601), { ...NOTHING, files: { "packages/a/src/a.ts": 600 } })).toHaveLength(1);
  });

  test("a recorded file that shrank must lower its record", () => {
    expect(sizeViolations(fileOf(550), { ...NOTHING, files: { "packages/a/src/a.ts": 600 } })).toHaveLength(1);
  });

  test("a table may be long, but must exist", () => {
    expect(sizeViolations(fileOf(900), { ...NOTHING, tables: ["packages/a/src/a.ts"] })).toEqual([]);
    expect(sizeViolations(fileOf(9), { ...NOTHING, tables: ["packages/a/src/gone.ts"] })).toHaveLength(1);
  });
});

describe("function size", () => {
  test("the limit itself is allowed", () => {
    expect(sizeViolations(functionOf(FUNCTION_LINES_MAX), NOTHING)).toEqual([]);
  });

  test("one line more is found, by name", () => {
    expect(sizeViolations(functionOf(FUNCTION_LINES_MAX + 1), NOTHING)).toEqual([
      expect.stringContaining("a.ts#big: 71"),
    ]);
  });

  test("a recorded function may shrink only", () => {
    const known = { ...NOTHING, functions: { "packages/a/src/a.ts#big": 80 } };
    expect(sizeViolations(functionOf(80), known)).toEqual([]);
    expect(sizeViolations(functionOf(81), known)).toHaveLength(1);
    expect(sizeViolations(functionOf(79), known)).toHaveLength(1);
  });

  test("a record of a function that is gone is found", () => {
    expect(sizeViolations(fileOf(1), { ...NOTHING, functions: { "packages/a/src/a.ts#big": 80 } })).toHaveLength(1);
  });

  test.each([
    ["class A { m(): void {\n} }", "m"],
    ["class A { #m(): void {\n} }", "m"],
    ["class A { m = (): void => {\n} }", "m"],
    ["const m = function () {\n};", "m"],
    ["a.on('data', () => {\n});", 'a.on "data"'],
    ["export default function () {\n}", "anonymous"],
  ])("%s is measured as %s", (text, name) => {
    expect(functionLines({ path: "a.ts", text })).toEqual([[`a.ts#${name}`, 2]]);
  });

  test("what registers tests is no function, a test is one", () => {
    const suite = 'describe.each([1])("d", () => {\n  test("t", () => {\n    f();\n  });\n});\n';
    expect(functionLines({ path: "a.test.ts", text: suite })).toEqual([['a.test.ts#test "t"', 3]]);
    const contract = `export function contract(): void {\n${suite}}\n`;
    expect(functionLines({ path: "a.test-support.ts", text: contract })).toHaveLength(1);
    expect(functionLines({ path: "a.ts", text: contract })).toHaveLength(3);
  });
});
