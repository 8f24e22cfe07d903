import { expect, test } from "vitest";
import { StreamPosition } from "./stream-position.ts";

test("goes on at the first message that is not settled, in whatever order others are", () => {
  const position = new StreamPosition();
  expect([position.next, position.first]).toEqual([null, null]);
  const places = [10, 11, 12, 15].map((offset) => position.take(offset));
  const [a, b, c, d] = places as [(typeof places)[0], (typeof places)[0], (typeof places)[0], (typeof places)[0]];
  expect(position.next).toBe(10);
  position.settle(b);
  expect(position.next).toBe(10);
  position.settle(a);
  expect(position.next).toBe(12);
  position.settle(a);
  position.settle(c);
  expect(position.next).toBe(15);
  position.settle(d);
  expect([position.next, position.first]).toEqual([16, 10]);
});

test("a restart keeps the place, and what is settled from before it changes nothing", () => {
  const position = new StreamPosition();
  const old = position.take(5);
  position.restart();
  expect(position.next).toBe(5);
  const again = position.take(5);
  position.settle(old);
  expect(position.next).toBe(5);
  position.settle(again);
  expect(position.next).toBe(6);
});
