import { afterEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "./system-clock.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("systemClock", () => {
  test("a timer fires once after its delay", () => {
    vi.useFakeTimers();
    let fired = 0;
    systemClock().setTimer(50, () => fired++);
    vi.advanceTimersByTime(49);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(fired).toBe(1);
  });

  test("a delay longer than the runtime keeps is kept all the same", () => {
    vi.useFakeTimers();
    const days40 = 40 * 86_400_000;
    let fired = 0;
    systemClock().setTimer(days40, () => fired++);
    vi.advanceTimersByTime(days40 - 1);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(fired).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a timer is cancelled in any of its hops", () => {
    vi.useFakeTimers();
    const timer = systemClock().setTimer(5_000_000_000, () => expect.unreachable());
    vi.advanceTimersByTime(3_000_000_000);
    timer.cancel();
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([-5, 0, Number.NaN])("a delay of %d fires in a later turn, not inside the call", (delayMs) => {
    vi.useFakeTimers();
    let fired = 0;
    systemClock().setTimer(delayMs, () => fired++);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(fired).toBe(1);
  });

  test("the monotonic scale and the wall clock move on", async () => {
    const clock = systemClock();
    const [now, epoch] = [clock.nowMs(), clock.epochMs()];
    await new Promise<void>((resolve) => clock.setTimer(5, resolve));
    expect(clock.nowMs()).toBeGreaterThan(now);
    expect(clock.epochMs()).toBeGreaterThanOrEqual(epoch);
    expect(Math.abs(clock.epochMs() - Date.now())).toBeLessThan(1_000);
  });

  test.each(["with setImmediate", "without it"])("turns run in order and not inside the call, %s", async (how) => {
    if (how === "without it") vi.stubGlobal("setImmediate", undefined);
    const clock = systemClock();
    const seen: number[] = [];
    const done = new Promise<void>((resolve) => {
      for (let i = 0; i < 3; i++) clock.nextTurn(() => seen.push(i));
      clock.nextTurn(resolve);
    });
    expect(seen).toEqual([]);
    await done;
    expect(seen).toEqual([0, 1, 2]);
  });

  test("promise reactions run before the next turn", async () => {
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      systemClock().nextTurn(() => {
        seen.push("turn");
        resolve();
      });
    });
    await Promise.resolve().then(() => seen.push("reaction"));
    await done;
    expect(seen).toEqual(["reaction", "turn"]);
  });
});
