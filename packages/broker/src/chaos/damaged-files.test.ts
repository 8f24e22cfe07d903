import { expect, test } from "vitest";
import { damageFiles } from "./damaged-files.test-support.ts";

test("a damaged data file is reported or does no harm: 24 cases", async () => {
  const { wrong, reported, harmless } = await damageFiles(20_000, 24);
  expect(wrong).toEqual([]);
  expect(reported).toBeGreaterThan(5);
  expect(reported + harmless).toBe(24);
}, 60_000);
