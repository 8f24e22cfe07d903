import { defineConfig } from "vitest/config";
import { sourceAliases } from "./tidy/lib/source-aliases.ts";

/** The chaos tier (`npm run test:chaos`): kills and link faults under load. One file at a time, so that each has the machine. */
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: ["packages/*/src/**/*.chaos.test.ts", "bench/src/**/*.chaos.test.ts", "sim/src/**/*.chaos.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 60_000,
    reporters: ["default", "json"],
    outputFile: { json: ".cache/vitest-chaos.json" },
  },
});
