import { defineConfig } from "vitest/config";
import { sourceAliases } from "./tidy/lib/source-aliases.ts";

/** Folders whose code computes: no sockets, files, child processes or native add-ons. Their test files share processes. */
const COMPUTING = [
  "packages/*/src/**/{base,bytes,codec,engine,supervisor,store}/**/*.test.ts",
  "packages/polymq/src/*/client/**/*.test.ts",
  "packages/broker/src/{auth,config,core,metrics,sessions}/**/*.test.ts",
  "bench/src/**/*.test.ts",
];

const EXCLUDED = ["**/node_modules/**", "**/dist/**", "**/*.chaos.test.ts", "**/*.browser.test.ts"];

/** The unit tier (`npm test`): everything that needs Node alone. Chaos, browser and interop have configurations of their own. */
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    projects: [
      {
        extends: true,
        // Loading modules anew for each file took more than half of the tier's time.
        test: { name: "computing", include: COMPUTING, exclude: EXCLUDED, isolate: false },
      },
      {
        extends: true,
        // A process per file: native add-ons, open handles and process-wide settings of one file cannot reach another.
        test: {
          name: "isolated",
          include: [
            "packages/*/src/**/*.test.ts",
            "tidy/**/*.test.ts",
            "scripts/**/*.test.ts",
            "examples/src/**/*.test.ts",
            "sim/src/**/*.test.ts",
          ],
          exclude: [...EXCLUDED, ...COMPUTING],
        },
      },
    ],
    pool: "forks",
    // By default one core is left alone: with two of them the tests would go one file after the other.
    maxWorkers: "100%",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ["default", "json"],
    outputFile: { json: ".cache/vitest.json" },
  },
});
