import { VirtualClock } from "polymq/testing";
import { expect, test } from "vitest";
import { ProcessClock } from "./process-clock.ts";

test("what a process had planned happens, until it is killed", async () => {
  const clock = new VirtualClock();
  const process = new ProcessClock(clock);
  const done: string[] = [];
  process.setTimer(10, () => done.push("timer"));
  process.nextTurn(() => done.push("turn"));
  process.setTimer(5, () => done.push("cancelled")).cancel();
  await clock.advance(10);
  expect(done).toEqual(["turn", "timer"]);
  process.setTimer(10, () => done.push("too late"));
  process.nextTurn(() => done.push("too late"));
  process.kill();
  process.setTimer(1, () => done.push("too late"));
  process.nextTurn(() => done.push("too late"));
  await clock.advance(100);
  expect(done).toEqual(["turn", "timer"]);
  expect([process.isAlive, process.pendingTimers, clock.pendingTimers, clock.pendingTurns]).toEqual([false, 0, 0, 0]);
});

test("another process goes on", async () => {
  const clock = new VirtualClock();
  const [one, other] = [new ProcessClock(clock), new ProcessClock(clock)];
  const done: string[] = [];
  one.setTimer(1, () => done.push("one"));
  other.setTimer(1, () => done.push("other"));
  expect([one.pendingTimers, one.nowMs(), one.epochMs()]).toEqual([1, clock.nowMs(), clock.epochMs()]);
  one.kill();
  await clock.advance(1);
  expect(done).toEqual(["other"]);
});
