import { describe, expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

describe("VirtualClock", () => {
  test("timers run in order of their time, and equal ones in the order they were set", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.setTimer(20, () => seen.push("20"));
    clock.setTimer(10, () => seen.push("10 a"));
    clock.setTimer(10, () => seen.push("10 b"));
    clock.setTimer(0, () => seen.push("0"));
    await clock.advance(19);
    expect(seen).toEqual(["0", "10 a", "10 b"]);
    await clock.advance(1);
    expect(seen.at(-1)).toBe("20");
  });

  test("a timer sees the time it was set for, and timers set by timers run in the same advance", async () => {
    const clock = new VirtualClock();
    const start = clock.nowMs();
    const seen: number[] = [];
    const tick = (): void => {
      seen.push(clock.nowMs() - start);
      clock.setTimer(10, tick);
    };
    clock.setTimer(10, tick);
    await clock.advance(35);
    expect(seen).toEqual([10, 20, 30]);
    expect(clock.nowMs() - start).toBe(35);
  });

  test("turns run before timers that are due, and before time moves", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.setTimer(0, () => {
      seen.push("timer");
      clock.nextTurn(() => seen.push("turn of timer"));
    });
    clock.setTimer(0, () => seen.push("second timer"));
    clock.nextTurn(() => seen.push("turn"));
    await clock.advance(0);
    expect(seen).toEqual(["turn", "timer", "turn of timer", "second timer"]);
  });

  test("promise reactions, however long the chain, run between two tasks", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.setTimer(1, () => {
      void (async () => {
        for (let i = 0; i < 50; i++) await null;
        seen.push("chain");
      })();
    });
    clock.setTimer(1, () => seen.push("next"));
    await clock.advance(1);
    expect(seen).toEqual(["chain", "next"]);
  });

  test("advanceSync runs tasks without promise reactions and says how many", () => {
    const clock = new VirtualClock();
    clock.nextTurn(() => clock.setTimer(5, () => undefined));
    clock.setTimer(6, () => undefined);
    expect(clock.advanceSync(5)).toBe(2);
    expect(clock.pendingTimers).toBe(1);
  });

  test("a cancelled timer neither runs nor counts", async () => {
    const clock = new VirtualClock();
    const timer = clock.setTimer(5, () => expect.unreachable());
    expect(clock.pendingTimers).toBe(1);
    timer.cancel();
    timer.cancel();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(10);
  });

  test("cancelling a timer that has fired leaves the others", async () => {
    const clock = new VirtualClock();
    let fired = 0;
    const first = clock.setTimer(1, () => fired++);
    await clock.advance(1);
    clock.setTimer(1, () => fired++);
    first.cancel();
    await clock.advance(1);
    expect(fired).toBe(2);
  });

  test("tells what is waiting and when the next timer is due", () => {
    const clock = new VirtualClock();
    expect(clock.nextTimerMs).toBeNull();
    clock.setTimer(30, () => undefined);
    clock.nextTurn(() => undefined);
    clock.advanceSync(10);
    expect([clock.nextTimerMs, clock.pendingTimers, clock.pendingTurns]).toEqual([20, 1, 0]);
  });

  test("the wall clock moves with it from the given start", async () => {
    const clock = new VirtualClock(5_000);
    await clock.advance(250);
    expect(clock.epochMs()).toBe(5_250);
  });

  test("settle lets everything that is due run while time stands still", async () => {
    const clock = new VirtualClock();
    const before = clock.nowMs();
    let ran = 0;
    clock.nextTurn(() => clock.nextTurn(() => ran++));
    await clock.settle();
    expect([ran, clock.nowMs()]).toEqual([1, before]);
  });

  test("turns that arm each other for ever are an error, not a hang", () => {
    const clock = new VirtualClock();
    const again = (): void => clock.nextTurn(again);
    again();
    expect(() => clock.advanceSync(1)).toThrow("does not come to rest");
  });

  test("a task that throws does not lose the others", () => {
    const clock = new VirtualClock();
    let ran = false;
    clock.nextTurn(() => {
      throw new Error("mine");
    });
    clock.nextTurn(() => {
      ran = true;
    });
    expect(() => clock.advanceSync(0)).toThrow("mine");
    clock.advanceSync(0);
    expect(ran).toBe(true);
  });
});
