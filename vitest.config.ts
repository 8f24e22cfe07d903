import { defineConfig } from "vitest/config";
import { sourceAliases } from "./tidy/lib/source-aliases.ts";

/** The unit tier (`npm test`): everything that needs Node alone. Chaos, browser and interop have configurations of their own. */
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "tidy/**/*.test.ts",
      "scripts/**/*.test.ts",
      "bench/src/**/*.test.ts",
      "examples/src/**/*.test.ts",
      "sim/src/**/*.test.ts",
    ],
    exclude: ["**/node_modules/**", "**/dist/**", "**/*.chaos.test.ts", "**/*.browser.test.ts"],
    // A process per file: native add-ons, open handles and process-wide settings of one file cannot reach another.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ["default", "json"],
    outputFile: { json: ".cache/vitest.json" },
  },
});
