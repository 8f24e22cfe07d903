import { expect, test } from "vitest";
import { damageFiles } from "./damaged-files.test-support.ts";
import { runSeed, say } from "./progress.test-support.ts";

test("a data file with flipped bits, cut off or torn is reported, or proven to be harmless, and never served as data: 200 cases", async () => {
  const { wrong, reported, harmless } = await damageFiles(runSeed(), 200);
  say(`${reported} reported, ${harmless} harmless`);
  expect(wrong).toEqual([]);
  expect(reported).toBeGreaterThan(100);
});
