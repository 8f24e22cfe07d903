import fc from "fast-check";
import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { type Deadline, Schedule } from "./schedule.ts";

function make(): { clock: VirtualClock; schedule: Schedule; log: string[]; note: (text: string) => () => void } {
  const clock = new VirtualClock();
  const log: string[] = [];
  const schedule = new Schedule(clock, (error) => void log.push(String(error)));
  return { clock, schedule, log, note: (text) => () => void log.push(text) };
}

describe("a schedule", () => {
  test("tasks run at their times, not before", async () => {
    const { clock, schedule, log, note } = make();
    schedule.after(20, note("b"));
    schedule.after(10, note("a"));
    await clock.advance(9);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect(log).toEqual(["a"]);
    await clock.advance(10);
    expect(log).toEqual(["a", "b"]);
  });

  test("tasks of the same time run in the order in which they were made", async () => {
    const { clock, schedule, log, note } = make();
    for (const name of ["a", "b", "c", "d", "e"]) schedule.after(5, note(name));
    await clock.advance(5);
    expect(log.join("")).toBe("abcde");
  });

  test("a time of day is taken as such; one that is past runs soon, but not inside the call", async () => {
    const { clock, schedule, log, note } = make();
    const deadline = schedule.at(clock.epochMs() + 100, note("later"));
    schedule.at(clock.epochMs() - 5000, note("past"));
    expect([log, deadline.atMs]).toEqual([[], clock.epochMs() + 100]);
    await clock.advance(0);
    expect(log).toEqual(["past"]);
    await clock.advance(100);
    expect(log).toEqual(["past", "later"]);
  });

  test("a cancelled task does not run", async () => {
    const { clock, schedule, log, note } = make();
    const deadline = schedule.after(5, note("a"));
    schedule.after(6, note("b"));
    deadline.cancel();
    deadline.cancel();
    expect(schedule.size).toBe(1);
    await clock.advance(10);
    expect(log).toEqual(["b"]);
    deadline.cancel();
    expect(schedule.size).toBe(0);
  });

  test("one timer serves all, and none is left when nothing is due", async () => {
    const { clock, schedule, note } = make();
    const deadlines = Array.from({ length: 50 }, (_, i) => schedule.after(100 - i, note("x")));
    expect(clock.pendingTimers).toBe(1);
    for (const deadline of deadlines) deadline.cancel();
    expect(clock.pendingTimers).toBe(0);
  });

  test("a task that throws is reported and the next ones run", async () => {
    const { clock, schedule, log, note } = make();
    schedule.after(1, () => {
      throw new Error("broken");
    });
    schedule.after(1, note("next"));
    await clock.advance(1);
    expect(log).toEqual(["Error: broken", "next"]);
  });

  test("a task may schedule and cancel others", async () => {
    const { clock, schedule, log, note } = make();
    const victim = schedule.after(5, note("victim"));
    schedule.after(5, note("same time"));
    schedule.after(1, () => {
      victim.cancel();
      schedule.after(1, note("child"));
    });
    await clock.advance(10);
    expect(log).toEqual(["child", "same time"]);
  });

  test("a delay longer than any timer still runs at its time", async () => {
    const { clock, schedule, log, note } = make();
    const days = 100 * 24 * 3600 * 1000;
    schedule.after(days, note("a"));
    await clock.advance(days - 1);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect(log).toEqual(["a"]);
  });

  test("an endless delay needs no timer and never runs", () => {
    const { clock, schedule, note } = make();
    const deadline = schedule.after(Number.POSITIVE_INFINITY, note("never"));
    expect([clock.pendingTimers, schedule.size, deadline.atMs]).toEqual([0, 0, Number.POSITIVE_INFINITY]);
    deadline.cancel();
    expect(schedule.size).toBe(0);
  });

  test("after closing nothing runs any more", async () => {
    const { clock, schedule, log, note } = make();
    const before = schedule.after(1, note("a"));
    schedule.close();
    schedule.after(1, note("b"));
    before.cancel();
    await clock.advance(10);
    expect([log, clock.pendingTimers, schedule.size]).toEqual([[], 0, 0]);
  });

  test("any mix of deadlines and cancellations runs exactly the rest, in order", () => {
    const entry = fc.record({ delay: fc.nat(30), cancelledAt: fc.option(fc.nat(30), { nil: null }) });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 150 }), (entries) => {
        const { clock, schedule } = make();
        const ran: number[] = [];
        const deadlines: Deadline[] = entries.map(({ delay }, i) => schedule.after(delay, () => void ran.push(i)));
        for (let now = 0; now <= 30; now++) {
          for (const [i, { cancelledAt }] of entries.entries()) if (cancelledAt === now) deadlines[i]?.cancel();
          clock.advanceSync(1);
        }
        const expected = entries
          .map((one, i) => ({ ...one, i }))
          .filter(({ delay, cancelledAt }) => cancelledAt === null || (cancelledAt >= delay && cancelledAt > 0))
          .sort((a, b) => a.delay - b.delay || a.i - b.i);
        expect(ran).toEqual(expected.map(({ i }) => i));
        expect([schedule.size, clock.pendingTimers]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
