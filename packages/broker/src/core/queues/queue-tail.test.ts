import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { QueueTail } from "./queue-tail.ts";

describe("the tail of a log", () => {
  test("gives its records in their order, whatever is added and let go, and counts what they take", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 200 }), (steps) => {
        const tail = new QueueTail();
        const model: number[][] = [];
        const slab = Uint8Array.from({ length: 256 }, (_, i) => i);
        let taken = 0;
        steps.forEach((length, start) => {
          if (length < 3) {
            taken -= tail.shift();
            model.shift();
          } else {
            taken += tail.push(slab, start, length);
            model.push(Array.from({ length }, (_, i) => (start + i) % 256));
          }
          expect(tail.length).toBe(model.length);
          expect(tail.bytes).toBe(taken);
          const read = model.map((_, i) => [...(tail.read(i) ?? [])]);
          expect(read).toEqual(model);
        });
      }),
    );
  });

  test("has nothing before its first and behind its last record", () => {
    const tail = new QueueTail();
    tail.push(new Uint8Array(4), 0, 4);
    expect([tail.read(-1), tail.read(1)]).toEqual([null, null]);
    expect([tail.shift() > 4, tail.shift(), tail.read(0)]).toEqual([true, 0, null]);
  });
});
