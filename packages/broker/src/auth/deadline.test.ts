import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { isPromiseLike, withinDeadline } from "./deadline.ts";

describe("withinDeadline", () => {
  test("settles as the promise does and leaves no timer", async () => {
    const clock = new VirtualClock();
    expect(await withinDeadline(Promise.resolve(7), { clock, timeoutMs: 100 })).toBe(7);
    await expect(withinDeadline(Promise.reject(new Error("no")), { clock, timeoutMs: 100 })).rejects.toThrow("no");
    expect(clock.pendingTimers).toBe(0);
  });

  test("rejects when the time is over", async () => {
    const clock = new VirtualClock();
    const late = withinDeadline(new Promise(() => {}), { clock, timeoutMs: 100 });
    const outcome = expect(late).rejects.toThrow("100 ms");
    await clock.advance(100);
    await outcome;
  });
});

describe("isPromiseLike", () => {
  test.each([
    [Promise.resolve(), true],
    // biome-ignore lint/suspicious/noThenProperty: any thenable has to be awaited
    [{ then: () => {} }, true],
    // biome-ignore lint/suspicious/noThenProperty: a field of that name makes no promise
    [{ then: true }, false],
    [null, false],
    [true, false],
  ])("%j: %s", (value, expected) => {
    expect(isPromiseLike<unknown>(value)).toBe(expected);
  });
});
