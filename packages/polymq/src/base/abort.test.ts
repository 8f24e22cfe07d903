import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { abortedError, onAbort, raceAbort, throwIfAborted } from "./abort.ts";
import { deferred } from "./deferred.ts";

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

describe("raceAbort", () => {
  test("without a signal it is the promise itself", async () => {
    expect(await raceAbort(Promise.resolve(7), undefined)).toBe(7);
  });

  test("the promise wins: its value, and no listener stays on the signal", async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i++) expect(await raceAbort(Promise.resolve(i), signal)).toBe(i);
    await expect(raceAbort(Promise.reject(new Error("own")), signal)).rejects.toThrow("own");
    expect(listeners(signal)).toBe(0);
  });

  test("the signal wins: ERR_ABORTED with its reason as cause, and no listener stays", async () => {
    const abort = new AbortController();
    const raced = raceAbort(deferred<void>().promise, abort.signal);
    expect(listeners(abort.signal)).toBe(1);
    const reason = new Error("enough");
    abort.abort(reason);
    await expect(raced).rejects.toMatchObject({ code: "ERR_ABORTED", cause: reason });
    expect(listeners(abort.signal)).toBe(0);
  });

  test("a signal that has fired already wins over a pending promise", async () => {
    await expect(raceAbort(deferred<void>().promise, AbortSignal.abort())).rejects.toMatchObject({
      code: "ERR_ABORTED",
    });
  });

  test("a promise that rejects after the signal is no unhandled rejection", async () => {
    const abort = new AbortController();
    const late = deferred<void>();
    const raced = raceAbort(late.promise, abort.signal);
    abort.abort();
    await expect(raced).rejects.toMatchObject({ code: "ERR_ABORTED" });
    late.reject(new Error("too late"));
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("onAbort", () => {
  test("calls once, and not after it was stopped", () => {
    const abort = new AbortController();
    let calls = 0;
    onAbort(abort.signal, () => calls++);
    const stop = onAbort(abort.signal, () => expect.unreachable());
    stop();
    abort.abort();
    abort.abort();
    expect(calls).toBe(1);
  });

  test("calls at once for a signal that has fired", () => {
    let calls = 0;
    onAbort(AbortSignal.abort(), () => calls++);
    expect(calls).toBe(1);
  });

  test("without a signal nothing happens", () => {
    onAbort(undefined, () => expect.unreachable())();
  });
});

describe("throwIfAborted", () => {
  test("throws ERR_ABORTED only for a signal that has fired", () => {
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
    const signal = AbortSignal.abort("why");
    expect(() => throwIfAborted(signal)).toThrow(expect.objectContaining({ code: "ERR_ABORTED" }));
    expect(abortedError(signal).cause).toBe("why");
  });
});

describe("deferred", () => {
  test("settles once, from outside", async () => {
    const kept = deferred<number>();
    kept.resolve(1);
    kept.reject(new Error("no"));
    expect(await kept.promise).toBe(1);
    const broken = deferred<number>();
    broken.reject(new Error("yes"));
    await expect(broken.promise).rejects.toThrow("yes");
  });
});
