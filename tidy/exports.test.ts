import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { snapshots, snapshotViolations } from "./lib/api-snapshot.ts";
import {
  exportedNames,
  exportStarViolations,
  fileFinder,
  missingEntryPoints,
  unequalConditions,
} from "./lib/exports.ts";
import { pathMappingViolations } from "./lib/path-mapping.ts";
import { isPackageSource, isTypeScript, type RepoFile, ROOT, repoFiles } from "./lib/repo.ts";
import { type EntryPoint, entryPoints, publishedPackages } from "./lib/workspaces.ts";

const find = fileFinder(repoFiles(isPackageSource));
const entries = publishedPackages().flatMap(entryPoints);

describe("the repository", () => {
  test("exports are listed by name", () => {
    expect(exportStarViolations(repoFiles(isTypeScript))).toEqual([]);
  });

  test("every entry point of every package exists", () => {
    expect(entries).not.toEqual([]);
    expect(missingEntryPoints(entries, find)).toEqual([]);
  });

  test("an entry point exports the same names under every condition", () => {
    expect(unequalConditions(entries, find)).toEqual([]);
  });

  test("tsconfig.test.json maps every entry point to its source", () => {
    const [file] = repoFiles((path) => path === "tsconfig.test.json");
    const config = JSON.parse(file?.text ?? "{}") as { compilerOptions: { paths: Record<string, string[]> } };
    expect(pathMappingViolations(config.compilerOptions.paths, entries)).toEqual([]);
  });

  test("the exported names are those recorded in docs/api (npm run api:update)", () => {
    const wanted = snapshots(entries, find);
    if (process.env["API_UPDATE"] === "1") {
      mkdirSync(join(ROOT, "docs/api"), { recursive: true });
      for (const [path, text] of wanted) writeFileSync(join(ROOT, path), text);
    }
    const recorded = repoFiles((path) => /^docs\/api\/.*\.api\.txt$/.test(path));
    expect(snapshotViolations(wanted, new Map(recorded.map((file) => [file.path, file.text])))).toEqual([]);
  });
});

const ENTRY: EntryPoint = { specifier: "p/a", condition: "default", source: "packages/p/src/a.ts" };

function planted(files: Record<string, string>): (path: string) => RepoFile | undefined {
  return fileFinder(Object.entries(files).map(([path, text]) => ({ path: `packages/p/src/${path}`, text })));
}

describe("export lists", () => {
  test.each([
    'export * from "./b.ts";',
    'export * as b from "./b.ts";',
    'export type * from "./b.ts";',
    "export default 1;",
  ])("%s is found", (text) => {
    expect(exportStarViolations([{ path: "a.ts", text }])).toHaveLength(1);
  });

  test.each(["index.ts", "p/index.browser.ts"])("%s may hand on the list that its runtimes share", (path) => {
    expect(exportStarViolations([{ path, text: 'export * from "./exports.ts";' }])).toEqual([]);
  });

  test.each([
    ["index.ts", 'export * as all from "./exports.ts";'],
    ["index.ts", 'export * from "./other.ts";'],
    ["other.ts", 'export * from "./exports.ts";'],
  ])("%s may not: %s", (path, text) => {
    expect(exportStarViolations([{ path, text }])).toHaveLength(1);
  });

  test("a missing entry point is found", () => {
    expect(missingEntryPoints([ENTRY], planted({}))).toHaveLength(1);
  });

  test("a name that only one condition exports is found", () => {
    const browser = { ...ENTRY, condition: "browser", source: "packages/p/src/a.browser.ts" };
    const files = planted({
      "a.ts": "export const x = 1;\nexport const y = 1;",
      "a.browser.ts": "export const x = 1;",
    });
    expect(unequalConditions([ENTRY, browser], files)).toEqual([
      expect.stringContaining("y is not in every condition"),
    ]);
  });

  test("a wrong, a missing and a stale path mapping are found", () => {
    expect(pathMappingViolations({ "p/a": ["./packages/p/src/b.ts"] }, [ENTRY])).toHaveLength(1);
    expect(pathMappingViolations({}, [ENTRY])).toHaveLength(1);
    expect(pathMappingViolations({ "p/a": ["./packages/p/src/a.ts"], "p/b": ["./b.ts"] }, [ENTRY])).toHaveLength(1);
  });
});

describe("exported names", () => {
  const files = planted({
    "a.ts": [
      'export { C, f as g, type T } from "./b.ts";',
      'import { k } from "./b.ts";',
      "export { k };",
      "export interface I {}",
      "export const one = 1, two = 2;",
    ].join("\n"),
    "b.ts": "export class C {}\nexport function f(): void {}\nexport type T = 1;\nconst k = 1;\nexport { k };",
  });

  test("are resolved to their declarations", () => {
    expect(exportedNames("packages/p/src/a.ts", files).map((item) => `${item.kind} ${item.name}`)).toEqual([
      "class C",
      "type I",
      "type T",
      "function g",
      "const k",
      "const one",
      "const two",
    ]);
  });

  test("of a shared list count", () => {
    const shared = planted({ "index.ts": 'export * from "./exports.ts";', "exports.ts": "export const x = 1;" });
    expect(exportedNames("packages/p/src/index.ts", shared).map((item) => item.name)).toEqual(["x"]);
  });

  test("carry the file that declares them", () => {
    expect(exportedNames("packages/p/src/a.ts", files)[0]?.path).toBe("packages/p/src/b.ts");
  });
});

describe("the record of exported names", () => {
  const wanted = snapshots([ENTRY], planted({ "a.ts": "export const x = 1;" }));
  const path = "docs/api/p-a.api.txt";

  test("equal to the exports passes", () => {
    expect(snapshotViolations(wanted, wanted)).toEqual([]);
  });

  test("a missing record is found", () => {
    expect(snapshotViolations(wanted, new Map())).toHaveLength(1);
  });

  test("an added, a removed and a changed name are found", () => {
    const record = (names: string): Map<string, string> =>
      new Map([[path, (wanted.get(path) ?? "").replace("const x", names)]]);
    expect(snapshotViolations(wanted, record("const w\nconst x"))).toEqual([`${path}: - const w`]);
    expect(snapshotViolations(wanted, record(""))).toContain(`${path}: + const x`);
    expect(snapshotViolations(wanted, record("class x"))).toHaveLength(2);
  });

  test("a record without an entry point is found", () => {
    expect(snapshotViolations(wanted, new Map([...wanted, ["docs/api/old.api.txt", ""]]))).toHaveLength(1);
  });

  test("a name that is declared nowhere is found", () => {
    const broken = snapshots([ENTRY], planted({ "a.ts": 'export { x } from "./gone.ts";' }));
    expect(snapshotViolations(broken, broken)).toEqual([expect.stringContaining("declared nowhere")]);
  });
});
