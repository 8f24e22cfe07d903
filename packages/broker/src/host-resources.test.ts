import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { hostResources } from "./host-resources.ts";

describe("what there is", () => {
  test("is the process's memory, and the free bytes of the directory's file system", () => {
    const { memoryBytes, diskFreeBytes } = hostResources(tmpdir());
    expect(memoryBytes).toBeGreaterThan(1_000_000);
    expect(Number.isSafeInteger(diskFreeBytes)).toBe(true);
  });

  test("is endless disk without a directory, or one that cannot be asked", () => {
    expect(hostResources(null).diskFreeBytes).toBe(Number.POSITIVE_INFINITY);
    expect(hostResources(`${tmpdir()}/there/is/none`).diskFreeBytes).toBe(Number.POSITIVE_INFINITY);
  });
});
