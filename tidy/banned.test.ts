import { describe, expect, test } from "vitest";
import {
  consoleViolations,
  focusedTestViolations,
  moduleStateViolations,
  noteViolations,
  privateGetterViolations,
  sleepViolations,
  typeEscapeViolations,
} from "./lib/banned-code.ts";
import { machineTraceViolations } from "./lib/machine-traces.ts";
import { isPackageSource, isTypeScript, type RepoFile, repoFiles } from "./lib/repo.ts";

const typescript = repoFiles(isTypeScript);
const sources = typescript.filter((file) => isPackageSource(file.path));

function planted(text: string, path = "packages/polymq/src/a.ts"): RepoFile[] {
  return [{ path, text }];
}

function plantedTest(text: string): RepoFile[] {
  return planted(text, "packages/polymq/src/a.test.ts");
}

describe("the repository", () => {
  test("does not switch the type checker off", () => {
    expect(typeEscapeViolations(typescript)).toEqual([]);
  });

  test("holds no notes to oneself", () => {
    expect(noteViolations(repoFiles((path) => path !== "package-lock.json"))).toEqual([]);
  });

  test("runs every test", () => {
    expect(focusedTestViolations(typescript)).toEqual([]);
  });

  test("uses no console in shipped code", () => {
    expect(consoleViolations(sources)).toEqual([]);
  });

  test("keeps no state in modules", () => {
    expect(moduleStateViolations(sources)).toEqual([]);
  });

  test("has no private getters in shipped code", () => {
    expect(privateGetterViolations(sources)).toEqual([]);
  });

  test("never sleeps in a test", () => {
    expect(sleepViolations(typescript)).toEqual([]);
  });

  test("names no machine's paths and no registry's host", () => {
    expect(machineTraceViolations(repoFiles(() => true))).toEqual([]);
  });
});

describe("private getters", () => {
  test("are found; private methods and public getters are not", () => {
    expect(privateGetterViolations(planted("class A { get #a() { return 1; } }"))).toHaveLength(1);
    expect(
      privateGetterViolations(planted("class A { #a() { return 1; } get b() { return 2; } set #c(v) {} }")),
    ).toEqual([]);
  });
});

describe("type escapes", () => {
  test.each([
    "let x: any;",
    "const x = y as any;",
    "y!.z();",
    "enum E { A }",
    "namespace N { f(); }",
    "class A { constructor(readonly b: string) {} }",
    `// @ts-${"ignore"}`,
    `// @ts-${"nocheck"}`,
  ])("%s is found", (text) => {
    expect(typeEscapeViolations(planted(text))).toHaveLength(1);
  });

  test("the word any and the operator ! are fine", () => {
    expect(typeEscapeViolations(planted("// any\nconst any = !x && a !== b;"))).toEqual([]);
  });
});

describe("notes", () => {
  test.each(["TO", "FIX"].map((word, index) => word + ["DO", "ME"][index]))("%s is found", (word) => {
    expect(noteViolations(planted(`// ${word}: later`))).toHaveLength(1);
  });

  test("a template of mktemp is fine", () => {
    expect(noteViolations(planted("mktemp -d /tmp/a.XXXXXX"))).toEqual([]);
  });
});

describe("focused tests", () => {
  test.each([
    "test.only('a', f)",
    "describe.skip('a', f)",
    "it.todo('a')",
    "test.concurrent.only('a', f)",
    "test.fails('a', f)",
  ])("%s is found", (text) => {
    expect(focusedTestViolations(plantedTest(text))).toHaveLength(1);
  });

  test.each(["test.skipIf(noBroker)('a', f)", "describe.runIf(x)('a', f)", "reader.skip(4)", "test.each([1])('a', f)"])(
    "%s is fine",
    (text) => {
      expect(focusedTestViolations(plantedTest(text))).toEqual([]);
    },
  );
});

describe("console", () => {
  test("is found in shipped code", () => {
    expect(consoleViolations(planted("console.warn(1);"))).toHaveLength(1);
  });
});

describe("module-level state", () => {
  test.each([
    "let n = 0;",
    "var n = 0;",
    "export let n = 0;",
    "const seen = new Map<string, number>();",
    "const seen = new WeakSet();",
    "const list: string[] = [];",
    "const table = {} as Record<string, number>;",
  ])("%s is found", (text) => {
    expect(moduleStateViolations(planted(text))).toHaveLength(1);
  });

  test.each(["const N = 1;", "const T = new Map([[1, 2]]);", "function f() { let n = 0; n++; }", "const A = [1];"])(
    "%s is fine",
    (text) => {
      expect(moduleStateViolations(planted(text))).toEqual([]);
    },
  );
});

describe("sleeping in tests", () => {
  test.each([
    "await new Promise((r) => setTimeout(r, 10));",
    "await new Promise((resolve) => setTimeout(() => resolve(1), 10));",
    "await new Promise((resolve) => globalThis.setTimeout(resolve, 10));",
    "await sleep(10);",
    'import { setTimeout as later } from "node:timers/promises";',
  ])("%s is found", (text) => {
    expect(sleepViolations(plantedTest(text))).toHaveLength(1);
  });

  test("a virtual timer is fine", () => {
    expect(sleepViolations(plantedTest("clock.setTimer(10, done); clock.advance(10);"))).toEqual([]);
  });
});

describe("traces of a machine", () => {
  test.each(["work/main/a.ts", "root/.npmrc", "home/jane/project", "Users/jane/project"])("/%s is found", (path) => {
    expect(machineTraceViolations(planted(`see "/${path}"`))).toHaveLength(1);
  });

  test.each(["registry.npm" + "js.org", "py" + "pi.org", "deb.deb" + "ian.org"])("%s is found", (host) => {
    expect(machineTraceViolations(planted(`https://${host}/a`))).toHaveLength(1);
  });

  test.each(["a/work/b", "homes/a/b", "../root/a", "/home/kitchen", "$(pwd)/work/x"])("%s is fine", (text) => {
    expect(machineTraceViolations(planted(text))).toEqual([]);
  });
});
