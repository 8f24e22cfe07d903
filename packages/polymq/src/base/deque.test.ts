import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Deque } from "./deque.ts";

function dequeOf(count: number): Deque<number> {
  const deque = new Deque<number>();
  for (let i = 0; i < count; i++) deque.push(i);
  return deque;
}

function drain(deque: Deque<number>): number[] {
  const items: number[] = [];
  for (let item = deque.shift(); item !== undefined; item = deque.shift()) items.push(item);
  return items;
}

describe("Deque", () => {
  test("gives items back in the order in which they came", () => {
    expect(drain(dequeOf(100))).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("is undefined at both ends when it is empty", () => {
    const deque = new Deque<number>();
    expect(deque.shift()).toBe(undefined);
    expect(deque.peek()).toBe(undefined);
    expect(deque.at(0)).toBe(undefined);
    expect(deque.length).toBe(0);
  });

  test("puts an item back in front", () => {
    const deque = dequeOf(16);
    deque.unshift(-1);
    expect(deque.peek()).toBe(-1);
    expect(deque.length).toBe(17);
  });

  test("answers only for places that it has", () => {
    const deque = dequeOf(3);
    expect([deque.at(-1), deque.at(0), deque.at(2), deque.at(3)]).toEqual([undefined, 0, 2, undefined]);
  });

  test("removes the first item that matches and closes the gap", () => {
    const deque = dequeOf(5);
    expect(deque.remove((item) => item >= 2)).toBe(2);
    expect(drain(deque)).toEqual([0, 1, 3, 4]);
  });

  test("removes nothing when nothing matches", () => {
    const deque = dequeOf(3);
    expect(deque.remove(() => false)).toBe(undefined);
    expect(deque.length).toBe(3);
  });

  test("is as new after it was cleared", () => {
    const deque = dequeOf(40);
    deque.clear();
    expect(deque.length).toBe(0);
    deque.push(1);
    expect(drain(deque)).toEqual([1]);
  });

  test("does what an array does, whatever is asked of it in whatever order", () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant("push" as const), value: fc.nat() }),
      fc.record({ op: fc.constant("unshift" as const), value: fc.nat() }),
      fc.record({ op: fc.constant("shift" as const), value: fc.constant(0) }),
      fc.record({ op: fc.constant("remove" as const), value: fc.nat({ max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const deque = new Deque<number>();
        const model: number[] = [];
        for (const { op, value } of steps) {
          if (op === "push") {
            deque.push(value);
            model.push(value);
          } else if (op === "unshift") {
            deque.unshift(value);
            model.unshift(value);
          } else if (op === "shift") {
            expect(deque.shift()).toBe(model.shift());
          } else {
            const index = model.findIndex((item) => item % 41 === value);
            const wanted = index < 0 ? undefined : model.splice(index, 1)[0];
            expect(deque.remove((item) => item % 41 === value)).toBe(wanted);
          }
          expect(deque.length).toBe(model.length);
          expect(deque.peek()).toBe(model[0]);
        }
        expect(model.map((_, i) => deque.at(i))).toEqual(model);
      }),
    );
  });
});
