import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { DelayedPublications } from "./delayed-publications.ts";
import { Schedule } from "./schedule.ts";
import { messageOf, textOf } from "./session.test-support.ts";

function make(): { clock: VirtualClock; delayed: DelayedPublications; published: string[] } {
  const clock = new VirtualClock();
  const published: string[] = [];
  const schedule = new Schedule(clock, (error) => void published.push(String(error)));
  const delayed = new DelayedPublications(schedule, null, (message) => void published.push(textOf(message.payload)));
  return { clock, delayed, published };
}

describe("a delayed publication", () => {
  test("is made after its delay, once", async () => {
    const { clock, delayed, published } = make();
    delayed.put("x", messageOf("a", "1"), 100);
    await clock.advance(99);
    expect(published).toEqual([]);
    await clock.advance(1000);
    expect([published, delayed.count]).toEqual([["1"], 0]);
  });

  test("without a delay is made at once", () => {
    const { delayed, published } = make();
    delayed.put("x", messageOf("a", "1"), 0);
    expect([published, delayed.count]).toEqual([["1"], 0]);
  });

  test("that is called off is never made", async () => {
    const { clock, delayed, published } = make();
    delayed.put("x", messageOf("a", "1"), 100);
    expect([delayed.cancel("x"), delayed.cancel("x")]).toEqual([true, false]);
    await clock.advance(1000);
    expect([published, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("that is made early is not made again", async () => {
    const { clock, delayed, published } = make();
    delayed.put("x", messageOf("a", "1"), 100);
    expect([delayed.fire("x"), delayed.fire("x")]).toEqual([true, false]);
    await clock.advance(1000);
    expect(published).toEqual(["1"]);
  });

  test("takes the place of the owner's earlier one", async () => {
    const { clock, delayed, published } = make();
    delayed.put("x", messageOf("a", "1"), 100);
    delayed.put("x", messageOf("a", "2"), 200);
    delayed.put("y", messageOf("a", "3"), 100);
    await clock.advance(1000);
    expect(published).toEqual(["3", "2"]);
  });
});
