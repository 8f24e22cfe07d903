import { describe, expect, test } from "vitest";
import { AsyncQueue } from "./async-queue.ts";

async function collect<T>(queue: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe("AsyncQueue", () => {
  test("hands items out in order, those pushed before and those pushed while waiting", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 10 });
    queue.push(1);
    queue.push(2);
    const all = collect(queue);
    await Promise.resolve();
    queue.push(3);
    queue.end();
    expect(await all).toEqual([1, 2, 3]);
  });

  test("items may be undefined or null", async () => {
    const queue = new AsyncQueue<unknown>({ highWaterMark: 10 });
    queue.push(undefined);
    queue.push(null);
    queue.end();
    expect(await collect(queue)).toEqual([undefined, null]);
  });

  test("push says when the mark is reached, and until half of it is left", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    expect([1, 2, 3, 4, 5].map((n) => queue.push(n))).toEqual([false, false, false, true, true]);
    await queue.next();
    await queue.next();
    expect(queue.size).toBe(3);
    expect(queue.push(6)).toBe(true);
    await queue.next();
    await queue.next();
    expect(queue.full).toBe(false);
    expect(queue.push(7)).toBe(false);
  });

  test("an item that goes straight to a waiting consumer does not fill the queue", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 1 });
    const next = queue.next();
    expect(queue.push(1)).toBe(false);
    expect(await next).toEqual({ value: 1, done: false });
    expect(queue.push(2)).toBe(true);
  });

  test("onRoom is told once each time a full queue has fallen to half", async () => {
    let rooms = 0;
    const queue = new AsyncQueue<number>({ highWaterMark: 4, onRoom: () => rooms++ });
    for (let round = 1; round <= 2; round++) {
      for (let i = 0; i < 4; i++) queue.push(i);
      await queue.next();
      expect(rooms).toBe(round - 1);
      await queue.next();
      expect(rooms).toBe(round);
      await queue.next();
      await queue.next();
      expect(rooms).toBe(round);
    }
  });

  test("onRoom may push at once", async () => {
    const queue: AsyncQueue<number> = new AsyncQueue<number>({ highWaterMark: 2, onRoom: () => queue.push(9) });
    queue.push(1);
    queue.push(2);
    expect(await queue.next()).toMatchObject({ value: 1 });
    expect(await queue.next()).toMatchObject({ value: 2 });
    expect(await queue.next()).toMatchObject({ value: 9 });
  });

  test("several waiting calls of next are served in order", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    const calls = [queue.next(), queue.next(), queue.next()];
    queue.push(1);
    queue.push(2);
    queue.end();
    expect(await Promise.all(calls)).toEqual([
      { value: 1, done: false },
      { value: 2, done: false },
      { value: undefined, done: true },
    ]);
  });

  test("after end the items that wait are still handed out, and new ones are dropped", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    queue.push(1);
    queue.end();
    expect(queue.push(2)).toBe(false);
    expect(queue.pushed).toBe(1);
    expect(await collect(queue)).toEqual([1]);
  });

  test("an error comes after the items that wait, once, and then the iteration is done", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    queue.push(1);
    queue.end(new Error("broken"));
    expect(await queue.next()).toEqual({ value: 1, done: false });
    await expect(queue.next()).rejects.toThrow("broken");
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  test("an error reaches the first waiting call; the others are done", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    const calls = [queue.next(), queue.next()];
    queue.end(new Error("broken"));
    await expect(calls[0]).rejects.toThrow("broken");
    expect(await calls[1]).toEqual({ value: undefined, done: true });
  });

  test("an undefined error still rejects", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    queue.end(undefined);
    await expect(queue.next()).rejects.toBeUndefined();
  });

  test("a second end changes nothing", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    queue.end();
    queue.end(new Error("late"));
    expect(await collect(queue)).toEqual([]);
  });

  test("leaving the loop hands what is left to onReturn, once", async () => {
    const left: number[][] = [];
    const queue = new AsyncQueue<number>({ highWaterMark: 4, onReturn: (items) => left.push(items) });
    for (let i = 1; i <= 3; i++) queue.push(i);
    for await (const item of queue) {
      expect(item).toBe(1);
      break;
    }
    await queue.return();
    expect(left).toEqual([[2, 3]]);
    expect(queue.ended).toBe(true);
    expect(queue.push(4)).toBe(false);
    expect(queue.size).toBe(0);
  });

  test("return finishes calls of next that wait", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 4 });
    const next = queue.next();
    await queue.return();
    expect(await next).toEqual({ value: undefined, done: true });
  });

  test("dropOldest makes room for the newest", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 2 });
    queue.push(1);
    queue.push(2);
    expect(queue.dropOldest()).toBe(1);
    queue.push(3);
    queue.end();
    expect(await collect(queue)).toEqual([2, 3]);
  });

  test("counts what waits and what ever came", async () => {
    const queue = new AsyncQueue<number>({ highWaterMark: 100 });
    for (let i = 0; i < 40; i++) queue.push(i);
    for (let i = 0; i < 30; i++) await queue.next();
    expect([queue.size, queue.pushed]).toEqual([10, 40]);
  });
});
