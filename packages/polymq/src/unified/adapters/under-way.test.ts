import { expect, test, vi } from "vitest";
import { deferred } from "../../base/deferred.ts";
import { closeWithin, UnderWay } from "./under-way.ts";

/** Something to end, which counts how often it is. */
function ending(): { ends: number; unsubscribe(): Promise<void> } {
  const one = {
    ends: 0,
    unsubscribe: (): Promise<void> => {
      one.ends++;
      return Promise.resolve();
    },
  };
  return one;
}

test("what is over is forgotten, so that a client that subscribes again and again keeps nothing", async () => {
  const underWay = new UnderWay();
  const over = deferred<void>();
  const one = underWay.keep(ending(), over.promise, "t");
  over.resolve();
  await new Promise(setImmediate);
  expect(one.ends).toBe(1);
  await underWay.end("t");
  await underWay.finish(1_000);
  expect(one.ends).toBe(1);
});

test("a filter ends what is from it, and finish everything", async () => {
  const underWay = new UnderWay();
  const never = new Promise<void>(() => {});
  const [one, other] = [underWay.keep(ending(), never, "a"), underWay.keep(ending(), never, "b")];
  await underWay.end("a");
  expect([one.ends, other.ends]).toEqual([1, 0]);
  await underWay.finish(1_000);
  expect(other.ends).toBe(1);
});

test("finish waits for counted publishes, whatever becomes of them, and not beyond its time", async () => {
  const underWay = new UnderWay();
  const publish = deferred<void>();
  const counted = underWay.counted(publish.promise);
  let finished = false;
  const finishing = underWay.finish(1_000).then(() => {
    finished = true;
  });
  await new Promise(setImmediate);
  expect(finished).toBe(false);
  publish.reject(new Error("refused"));
  await expect(counted).rejects.toThrow("refused");
  await finishing;
  void underWay.counted(new Promise(() => {}));
  expect(await underWay.finish(0)).toBe(0);
});

test("a goodbye leaves no timer, however it ends", async () => {
  vi.useFakeTimers();
  try {
    const native = { destroy: vi.fn() };
    await closeWithin(10, native, () => Promise.resolve());
    await expect(closeWithin(10, native, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(native.destroy).not.toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});
