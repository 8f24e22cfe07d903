import { describe, expect, test } from "vitest";
import { failureInBrowser, gzipBytes, nodeNames } from "./bundle-check.mjs";

describe("nodeNames", () => {
  test.each([
    ["Buffer.from([1]);", "Buffer"],
    ["var e = process.env.A;", "process"],
    ['var n = require("net");', "require"],
    ["new Buffer(1);", "Buffer"],
    ["f({ process });", "process"],
    ["global.x = 1;", "global"],
  ])("%s uses %s", (code, name) => {
    expect(nodeNames(code)).toEqual([name]);
  });

  test.each([
    'var text = "Buffer.from";',
    "a.process(1);",
    "var x = { Buffer: 1 };",
    "var a = typeof process;",
    "globalThis.Buffer;",
    "(function (require) { require(1); })(f);",
    "class A { process() {} }",
  ])("%s uses none", (code) => {
    expect(nodeNames(code)).toEqual([]);
  });
});

describe("failureInBrowser", () => {
  test.each(["Buffer.alloc(1);", "process.nextTick(f);", 'require("net");', "setImmediate(f);"])("%s fails", (code) => {
    expect(failureInBrowser(code)).toMatch(/ReferenceError/);
  });

  test("a script of the web platform runs", () => {
    expect(failureInBrowser('new TextEncoder().encode("a"); new AbortController(); self.a = 1;')).toBeNull();
  });
});

describe("gzipBytes", () => {
  test("repetition costs next to nothing, noise its own size", () => {
    expect(gzipBytes("a".repeat(10_000))).toBeLessThan(100);
    expect(gzipBytes("")).toBeGreaterThan(0);
  });
});
