import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { Turn } from "./turn.ts";

function make(): { clock: VirtualClock; turn: Turn; log: string[]; flushable: (name: string) => { flush(): void } } {
  const clock = new VirtualClock();
  const log: string[] = [];
  const turn = new Turn(clock, (error) => void log.push(String(error)));
  return { clock, turn, log, flushable: (name) => ({ flush: () => void log.push(name) }) };
}

describe("the end of a turn", () => {
  test("commits first, then flushes everybody once", async () => {
    const { clock, turn, log, flushable } = make();
    turn.onCommit(() => void log.push("commit"));
    turn.armFlush(flushable("x"));
    turn.armCommit();
    turn.armFlush(flushable("y"));
    turn.armCommit();
    expect([log, clock.pendingTurns]).toEqual([[], 1]);
    await clock.settle();
    expect(log).toEqual(["commit", "x", "y"]);
    await clock.settle();
    expect(log).toHaveLength(3);
  });

  test("what the commit writes leaves in the same turn", async () => {
    const { clock, turn, log, flushable } = make();
    turn.onCommit(() => turn.armFlush(flushable("acknowledgement")));
    turn.armCommit();
    clock.advanceSync(0);
    expect([log, clock.pendingTurns]).toEqual([["acknowledgement"], 0]);
  });

  test("a commit asked for by a commit or a flush is for the next turn", () => {
    const { clock, turn, log } = make();
    let commits = 0;
    turn.onCommit(() => {
      log.push("commit");
      if (++commits === 1) turn.armCommit();
    });
    turn.armCommit();
    turn.armFlush({ flush: () => void log.push("flush") });
    expect(clock.advanceSync(0)).toBe(2);
    expect(log).toEqual(["commit", "flush", "commit"]);
  });

  test("a flush that throws is reported and the others happen", async () => {
    const { clock, turn, log, flushable } = make();
    turn.armFlush({
      flush: () => {
        throw new Error("broken");
      },
    });
    turn.armFlush(flushable("y"));
    await clock.settle();
    expect(log).toEqual(["Error: broken", "y"]);
  });

  test("a commit that throws is reported and flushes happen", async () => {
    const { clock, turn, log, flushable } = make();
    turn.onCommit(() => {
      throw new Error("broken");
    });
    turn.armCommit();
    turn.armFlush(flushable("y"));
    await clock.settle();
    expect(log).toEqual(["Error: broken", "y"]);
  });
});

test("the time of day is asked for once a turn, and anew in the next one", () => {
  const { clock, turn } = make();
  let asked = 0;
  clock.epochMs = () => 1_000 + ++asked;
  expect([turn.epochMs(), turn.epochMs()]).toEqual([1_001, 1_001]);
  clock.advanceSync(0);
  expect([turn.epochMs(), turn.epochMs()]).toEqual([1_002, 1_002]);
});
