import { describe, expect, test } from "vitest";
import { Progress } from "./progress.ts";

describe("Progress", () => {
  test("a phase ends with its last message and tells when the marked one came", async () => {
    const progress = new Progress();
    const finished = progress.begin(10, 5);
    const before = Number(process.hrtime.bigint());
    progress.advance(6);
    const between = Number(process.hrtime.bigint());
    progress.advance(4);
    const markNs = await finished;
    expect(markNs).toBeGreaterThanOrEqual(before);
    expect(markNs).toBeLessThanOrEqual(between);
  });

  test("a message more than the phase has is refused", () => {
    const progress = new Progress();
    void progress.begin(2, 2);
    expect(() => progress.advance(3)).toThrow("1 messages more than asked for");
  });

  test("a phase cannot start inside another", () => {
    const progress = new Progress();
    void progress.begin(2, 2);
    progress.advance(1);
    expect(() => progress.begin(2, 2)).toThrow("before the last one ended");
  });
});
