import { ChunkPool } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { UnsentLimit } from "./unsent-limit.ts";

describe("what may be unsent to one client", () => {
  test("is less while all outboxes together hold too much", () => {
    const pool = new ChunkPool(4);
    const limit = new UnsentLimit(pool, { unsentBytesMax: 1_000_000, unsentBytesInAllMax: 200_000 });
    expect(limit.bytesMax).toBe(1_000_000);
    const chunks = [pool.take(), pool.take(), pool.takeLarge(100_000)];
    expect(limit.bytesInAll).toBe(231_072);
    expect(limit.bytesMax).toBe(65_536);
    for (const chunk of chunks) pool.give(chunk);
    expect([limit.bytesInAll, limit.bytesMax]).toEqual([0, 1_000_000]);
  });
});
