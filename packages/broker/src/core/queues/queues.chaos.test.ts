import { expect, test } from "vitest";
import { checkAgainstModel } from "./queue-model-commands.test-support.ts";
import { checkStreamAgainstModel } from "./stream-model-commands.test-support.ts";

test("queues, groups and settlement do what the model does, over restarts and crashes, in 100,000 steps", () => {
  expect(checkAgainstModel(100_000)).toBeGreaterThanOrEqual(100_000);
});

test("streams, positions and commits do what the model does, over restarts and crashes, in 50,000 steps", () => {
  expect(checkStreamAgainstModel(50_000)).toBeGreaterThanOrEqual(50_000);
});
