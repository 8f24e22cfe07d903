import { describe, expect, test } from "vitest";
import { changelogViolations } from "./lib/changelog.ts";
import { deadFileViolations } from "./lib/dead-files.ts";
import { fileFinder } from "./lib/exports.ts";
import { limitsTableViolations } from "./lib/limits-table.ts";
import { manifestViolations, pinViolations } from "./lib/pins.ts";
import { isPackageSource, type RepoFile, repoFiles, repoPaths } from "./lib/repo.ts";
import { strayFileViolations, testPlaceViolations } from "./lib/test-places.ts";
import {
  binSources,
  entryPoints,
  type Manifest,
  publishedPackages,
  readManifest,
  workspaces,
} from "./lib/workspaces.ts";

describe("the repository", () => {
  test("ships no file that no entry point reaches", () => {
    const roots = publishedPackages().flatMap((one) => [
      ...entryPoints(one).map((entry) => entry.source),
      ...binSources(one),
    ]);
    expect(
      deadFileViolations(
        repoFiles((path) => isPackageSource(path) || roots.includes(path)),
        roots,
      ),
    ).toEqual([]);
  });

  test("keeps every test beside what it tests", () => {
    expect(testPlaceViolations(repoPaths())).toEqual([]);
  });

  test("keeps nothing that a tool left behind", () => {
    expect(strayFileViolations(repoPaths())).toEqual([]);
  });

  test("pins every dependency", () => {
    expect(pinViolations([{ folder: ".", manifest: readManifest(".") }, ...workspaces()])).toEqual([]);
  });

  test("publishes what lies in packages/ and nothing else", () => {
    expect(manifestViolations(workspaces())).toEqual([]);
  });

  test("names its limits in SECURITY.md as they are in the code", () => {
    const [file] = repoFiles((path) => path === "SECURITY.md");
    expect(limitsTableViolations(file?.text ?? "", fileFinder(repoFiles(isPackageSource)))).toEqual([]);
  });

  test("keeps a changelog in the agreed form", () => {
    const [file] = repoFiles((path) => path === "CHANGELOG.md");
    expect(changelogViolations(file?.text ?? "")).toEqual([]);
  });
});

describe("stray files", () => {
  test("are those of profilers, loggers and editors", () => {
    const stray = ["isolate-0x1-1-v8.log", "a/b.cpuprofile", "perf.data", "a/perf.data.old", "a.ts.orig"];
    expect(strayFileViolations([...stray, "a/logger.ts"])).toHaveLength(stray.length);
    expect(strayFileViolations(["a/logger.ts", "docs/log.md"])).toEqual([]);
  });
});

describe("dead files", () => {
  const file = (name: string, text: string): RepoFile => ({ path: `packages/p/src/${name}`, text });
  const files = [
    file("index.ts", 'export { a } from "./a.ts";'),
    file("a.ts", 'import type { T } from "./types.ts"; new URL("./worker.js", import.meta.url);'),
    file("types.ts", ""),
    file("worker.ts", ""),
    file("dead.ts", ""),
    file("dead.test.ts", 'import "./dead.ts";'),
    file("helper.test-support.ts", ""),
  ];

  test("a file that only its test imports is dead, helpers of tests are not", () => {
    expect(deadFileViolations(files, ["packages/p/src/index.ts"])).toEqual([expect.stringContaining("src/dead.ts")]);
  });
});

describe("places of tests", () => {
  test.each(["a/foo.test.ts", "a/foo.chaos.test.ts", "a/foo.bar.test.ts", "a/foo.test-d.ts", "tidy/any.test.ts"])(
    "%s is in place",
    (path) => {
      expect(testPlaceViolations(["a/foo.ts", path])).toEqual([]);
    },
  );

  test.each(["b/foo.test.ts", "a/fo.test.ts", "tests/foo.test.ts"])("%s is not", (path) => {
    expect(testPlaceViolations(["a/foo.ts", path])).toHaveLength(1);
  });
});

describe("pins", () => {
  const manifest: Manifest = { name: "p", version: "1.0.0" };

  test.each(["^1.0.0", "~1.0.0", "1.x", "*", "latest", ">=1.0.0", "file:../a"])("%s is no pin", (version) => {
    expect(pinViolations([{ folder: "a", manifest: { ...manifest, dependencies: { ws: version } } }])).toHaveLength(1);
    expect(pinViolations([{ folder: "a", manifest: { ...manifest, devDependencies: { ws: version } } }])).toHaveLength(
      1,
    );
  });

  test("a peer dependency may be a range", () => {
    expect(pinViolations([{ folder: "a", manifest: { ...manifest, peerDependencies: { ws: ">=2 <4" } } }])).toEqual([]);
  });

  test("a workspace must ask for its sibling's own version", () => {
    const other = { folder: "b", manifest: { name: "q", version: "1.0.0", dependencies: { p: "0.9.0" } } };
    expect(pinViolations([{ folder: "a", manifest }, other])).toHaveLength(1);
  });

  test("a public workspace outside packages/ and a private one inside are found", () => {
    expect(manifestViolations([{ folder: "bench", manifest }])).toHaveLength(1);
    expect(manifestViolations([{ folder: "packages/p", manifest: { ...manifest, private: true } }])).toHaveLength(1);
  });
});

describe("the changelog's form", () => {
  const good =
    "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.10.0] - 2025-02-01\n\n### Fixed\n\n- B.\n\n## [0.9.0] - 2025-01-01\n";

  test("of Keep a Changelog passes", () => {
    expect(changelogViolations(good)).toEqual([]);
  });

  test.each([
    ["# Changelog", "# News"],
    ["## [Unreleased]\n\n### Added\n\n- A thing.\n", ""],
    ["## [Unreleased]", "## Unreleased"],
    [" - 2025-02-01", ""],
    ["### Added", "### New"],
    ["### Added\n\n", ""],
    ["0.10.0", "0.8.0"],
    ["0.10.0", "0.9.0"],
  ])("with %j as %j is refused", (from, to) => {
    expect(changelogViolations(good.replace(from, to))).not.toEqual([]);
  });

  test("of an empty file is refused", () => {
    expect(changelogViolations("")).not.toEqual([]);
  });
});

describe("the table of limits", () => {
  const find = fileFinder([{ path: "a.ts", text: "export const A_MAX = 1_000;\nconst B_MAX: number = 0x10;\n" }]);
  const table = (...rows: string[]): string =>
    ["| what | limit | name |", "| --- | ---: | --- |", ...rows, ""].join("\n");

  test("with the values of the code passes", () => {
    expect(limitsTableViolations(table("| a | 1,000 | `a.ts#A_MAX` |", "| b | 16 | `a.ts#B_MAX` |"), find)).toEqual([]);
  });

  test.each([
    ["another value", "| a | 999 | `a.ts#A_MAX` |"],
    ["an unknown name", "| a | 1,000 | `a.ts#C_MAX` |"],
    ["an unknown file", "| a | 1,000 | `b.ts#A_MAX` |"],
    ["another form", "| a | about 1,000 | `a.ts#A_MAX` |"],
  ])("with %s is refused", (_, row) => {
    expect(limitsTableViolations(table(row), find)).toHaveLength(1);
  });

  test("must be there and not empty", () => {
    expect(limitsTableViolations("", find)).toHaveLength(1);
    expect(limitsTableViolations(table(), find)).toHaveLength(1);
  });
});
