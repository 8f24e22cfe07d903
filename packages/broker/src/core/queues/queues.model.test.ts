import { expect, test } from "vitest";
import { checkAgainstModel } from "./queue-model-commands.test-support.ts";

test("queues, groups and settlement do what the model does, over restarts and crashes, in 10,000 steps", () => {
  expect(checkAgainstModel(10_000)).toBeGreaterThanOrEqual(10_000);
}, 120_000);
