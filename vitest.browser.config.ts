import { defineConfig } from "vitest/config";
import { sourceAliases } from "./tidy/lib/source-aliases.ts";

/** The browser tier (`npm run test:browser`): tests run in Node and drive Debian's chromium through playwright-core. */
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: [
      "packages/*/src/**/*.browser.test.ts",
      "interop/**/*.browser.test.ts",
      "examples/src/**/*.browser.test.ts",
    ],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "json"],
    outputFile: { json: ".cache/vitest-browser.json" },
  },
});
