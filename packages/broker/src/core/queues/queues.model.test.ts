import { expect, test } from "vitest";
import { checkAgainstModel } from "./queue-model-commands.test-support.ts";
import { checkStreamAgainstModel } from "./stream-model-commands.test-support.ts";

test("queues, groups and settlement do what the model does, over restarts and crashes, in 10,000 steps", () => {
  expect(checkAgainstModel(10_000)).toBeGreaterThanOrEqual(10_000);
}, 120_000);

test("streams, positions and commits do what the model does, over restarts and crashes, in 5,000 steps", () => {
  expect(checkStreamAgainstModel(5_000)).toBeGreaterThanOrEqual(5_000);
}, 120_000);
