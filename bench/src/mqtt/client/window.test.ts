import { expect, test } from "vitest";
import { publishWindowed } from "./window.ts";

test("each message is published once, in order, with at most the window open", async () => {
  const published: number[] = [];
  const open: (() => void)[] = [];
  let openMax = 0;
  await publishWindowed(5, 20, 3, (index) => {
    published.push(index);
    queueMicrotask(() => open.shift()?.());
    const acknowledged = new Promise<void>((resolve) => open.push(resolve));
    openMax = Math.max(openMax, open.length);
    return acknowledged;
  });
  expect(published).toEqual(Array.from({ length: 20 }, (_, index) => index + 5));
  expect(openMax).toBeLessThanOrEqual(3);
});

test("a message that fails, even the last, fails the run", async () => {
  const failAt = (bad: number) => (index: number) =>
    index === bad ? Promise.reject(new Error("refused")) : Promise.resolve();
  await expect(publishWindowed(0, 20, 3, failAt(19))).rejects.toThrow("refused");
});
