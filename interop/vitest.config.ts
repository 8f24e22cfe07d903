import { defineConfig } from "vitest/config";
import { sourceAliases } from "../tidy/lib/source-aliases.ts";

/**
 * The interop tier (`npm run test:interop`): real brokers and real peer clients from Debian, see README.md here.
 * Browser tests have a configuration of their own at the root.
 */
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: ["interop/src/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/*.browser.test.ts"],
    pool: "forks",
    // RabbitMQ starts in three to six seconds on two cores, and is given two minutes where they have much else to do; some tests start it twice.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ["default", "json"],
    outputFile: { json: ".cache/vitest-interop.json" },
  },
});
