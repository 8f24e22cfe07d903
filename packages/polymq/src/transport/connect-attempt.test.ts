import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { MessagingError } from "../base/errors.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { type AttemptReport, connectAttempt } from "./connect-attempt.ts";

interface Begun {
  readonly clock: VirtualClock;
  readonly report: AttemptReport<string>;
  readonly result: Promise<string>;
  readonly abandoned: () => number;
}

function begin(limits: { connectTimeoutMs?: number; signal?: AbortSignal } = {}): Begun {
  const clock = new VirtualClock();
  let abandons = 0;
  let report: AttemptReport<string> | null = null;
  const result = connectAttempt<string>(clock, { connectTimeoutMs: 100, ...limits }, (given) => {
    report = given;
    return () => {
      abandons++;
    };
  });
  if (report === null) throw new Error("the attempt was not begun");
  return { clock, report, result, abandoned: () => abandons };
}

describe("connectAttempt", () => {
  test("resolves with what was reported and leaves neither timer nor listener", async () => {
    const abort = new AbortController();
    const { clock, report, result, abandoned } = begin({ signal: abort.signal });
    report.done("connected");
    expect(await result).toBe("connected");
    expect(clock.pendingTimers).toBe(0);
    expect(getEventListeners(abort.signal, "abort")).toEqual([]);
    abort.abort();
    expect(abandoned()).toBe(0);
  });

  test("a deadline of 0 waits for ever", async () => {
    const { clock, report, result } = begin({ connectTimeoutMs: 0 });
    await clock.advance(1_000_000_000);
    report.done("late");
    expect(await result).toBe("late");
  });

  test("only the first report counts, and abandons at most once", async () => {
    const { clock, report, result, abandoned } = begin();
    report.failed(new Error("first"));
    report.failed(new Error("second"));
    report.done("third");
    await expect(result).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", message: /first/ });
    await clock.advance(1_000);
    expect(abandoned()).toBe(1);
  });

  test("a typed failure is passed on as it is", async () => {
    const { report, result } = begin();
    const error = new MessagingError("ERR_UNSUPPORTED", "not here");
    report.failed(error);
    await expect(result).rejects.toBe(error);
  });

  test("a failure without a message is named by its code", async () => {
    const { report, result } = begin();
    report.failed(Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" }));
    await expect(result).rejects.toMatchObject({ message: /ECONNREFUSED/ });
  });

  test("a begin that throws is a failure, and leaves no timer", async () => {
    const clock = new VirtualClock();
    const cause = new SyntaxError("bad URL");
    const result = connectAttempt(clock, { connectTimeoutMs: 100 }, () => {
      throw cause;
    });
    await expect(result).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause });
    expect(clock.pendingTimers).toBe(0);
  });
});
