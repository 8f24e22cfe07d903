import { describe, expect, test } from "vitest";
import { StreamPosition } from "./stream-position.ts";

/** Takes messages and settles them at once; those that were passed over. */
function read(position: StreamPosition, offsets: readonly number[]): number[] {
  const passed: number[] = [];
  for (const offset of offsets) {
    const place = position.take(offset, false);
    if (place === null) passed.push(offset);
    else position.settle(place);
  }
  return passed;
}

describe("a server that keeps the order", () => {
  test("goes on at the first message that is not settled, in whatever order others are", () => {
    const position = new StreamPosition("kept", null);
    expect(position.next).toBeNull();
    const [a, b, c, d] = [10, 11, 12, 15].map((offset) => position.take(offset, false));
    const settle = (place: typeof a): number | null => {
      if (place !== null && place !== undefined) position.settle(place);
      return position.next;
    };
    expect([position.next, settle(b), settle(a), settle(a), settle(c), settle(d)]).toEqual([10, 10, 12, 12, 15, 16]);
  });

  test("offsets that it leaves out are not waited for", () => {
    const position = new StreamPosition("kept", 3);
    read(position, [7, 9, 20]);
    expect(position.next).toBe(21);
    position.restart();
    read(position, [30]);
    expect(position.next).toBe(31);
  });

  test("a restart keeps the place, and what is settled from before it changes nothing", () => {
    const position = new StreamPosition("kept", null);
    const old = position.take(5, false);
    position.restart();
    expect(position.next).toBe(5);
    const again = position.take(5, false);
    if (old !== null) position.settle(old);
    expect(position.next).toBe(5);
    if (again !== null) position.settle(again);
    expect(position.next).toBe(6);
  });

  test("what was settled behind one that was not is passed over when it comes again, unless the server delivers it anew", () => {
    const position = new StreamPosition("kept", null);
    position.take(5, false);
    read(position, [6, 7]);
    position.restart();
    expect(read(position, [5, 6])).toEqual([6]);
    expect(position.next).toBe(8);
    const held = position.take(8, false);
    read(position, [9]);
    expect([held === null, position.take(9, true) === null]).toEqual([false, false]);
  });
});

describe("a server that keeps none", () => {
  test("what overtook others moves the place only when they have come", () => {
    const position = new StreamPosition("any", null);
    read(position, [0, 1, 9, 2]);
    expect(position.next).toBe(3);
    position.restart();
    expect(read(position, [10, 3, 4, 5, 6, 7, 8, 9, 10, 11])).toEqual([9, 10]);
    expect(position.next).toBe(12);
  });

  test("a start that was asked for, or comes later than others, is where it begins", () => {
    const asked = new StreamPosition("any", 4);
    read(asked, [8]);
    expect(asked.next).toBe(4);
    const unknown = new StreamPosition("any", null);
    read(unknown, [8, 4]);
    expect(unknown.next).toBe(5);
    expect(read(unknown, [5, 6, 7, 8])).toEqual([8]);
    expect(unknown.next).toBe(9);
  });

  test("one that is in hand is passed over when it comes again", () => {
    const position = new StreamPosition("any", null);
    position.take(3, false);
    expect(read(position, [3])).toEqual([3]);
    expect(position.next).toBe(3);
  });

  test("a gap that 4,096 messages have followed is one in the stream, but not one that somebody has in hand", () => {
    const position = new StreamPosition("any", 0);
    const behind = (from: number): number[] => Array.from({ length: 4_096 }, (_, i) => from + i);
    read(position, behind(100).slice(1));
    expect(position.next).toBe(0);
    read(position, [100]);
    expect(position.next).toBe(4_196);
    expect(read(position, [50, 150])).toEqual([150]);
    position.take(4_197, false);
    read(position, behind(5_000));
    expect(position.next).toBe(4_197);
  });

  test("as many ranges are kept as gaps may be; what is forgotten comes twice", () => {
    const position = new StreamPosition("any", 0);
    position.take(0, false);
    const even = Array.from({ length: 5_000 }, (_, i) => 2 * i + 2);
    read(position, even);
    position.restart();
    expect(position.next).toBe(0);
    const passed = read(position, even);
    expect([passed.length, passed.at(-1)]).toEqual([4_096, 8_192]);
  });

  test("a stream that begins anew is read from there", () => {
    const position = new StreamPosition("any", null);
    read(position, [500, 501, 510]);
    position.restart();
    expect(read(position, [0, 1, 510])).toEqual([]);
    expect(position.next).toBe(2);
  });
});
