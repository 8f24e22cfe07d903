import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Splitter } from "./splitter.ts";

/** Frames for these tests: a two-byte length of the whole frame, then content. */
function measure(buffer: Uint8Array, at: number, end: number): number {
  if (end - at < 2) return 0;
  const total = ((buffer[at] as number) << 8) | (buffer[at + 1] as number);
  if (total < 2) throw new RangeError("bad header");
  return total;
}

function frame(content: number[]): number[] {
  const total = content.length + 2;
  return [total >> 8, total & 0xff, ...content];
}

function collector(): { splitter: Splitter; frames: number[][] } {
  const frames: number[][] = [];
  const splitter = new Splitter(measure, (buffer, start, end) => {
    frames.push([...buffer.subarray(start, end)]);
    return true;
  });
  return { splitter, frames };
}

describe("Splitter", () => {
  test("hands over a frame inside one chunk in place, without a copy", () => {
    const chunk = Uint8Array.from([...frame([1, 2, 3]), ...frame([4])]);
    const seen: [Uint8Array, number, number][] = [];
    const splitter = new Splitter(measure, (buffer, start, end) => {
      seen.push([buffer, start, end]);
      return true;
    });
    expect(splitter.push(chunk)).toBe(true);
    expect(seen.map(([, start, end]) => [start, end])).toEqual([
      [0, 5],
      [5, 8],
    ]);
    expect(seen.every(([buffer]) => buffer === chunk)).toBe(true);
  });

  test("puts together frames cut at any byte", () => {
    const content = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 });
    fc.assert(
      fc.property(
        fc.array(content, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
        (contents, sizes) => {
          const wanted = contents.map(frame);
          const stream = Uint8Array.from(wanted.flat());
          const { splitter, frames } = collector();
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = sizes[i % sizes.length] as number;
            splitter.push(stream.slice(at, at + size));
            at += size;
          }
          expect(frames).toEqual(wanted);
          expect(splitter.pendingBytes).toBe(0);
        },
      ),
    );
  });

  test("holds back the bytes of an unfinished frame, and no others", () => {
    const { splitter, frames } = collector();
    splitter.push(Uint8Array.from([...frame([1]), 0]));
    expect(splitter.pendingBytes).toBe(1);
    splitter.push(Uint8Array.of(5, 9));
    expect(splitter.pendingBytes).toBe(3);
    splitter.push(Uint8Array.of(9, 9));
    expect(frames).toEqual([frame([1]), frame([9, 9, 9])]);
    expect(splitter.pendingBytes).toBe(0);
  });

  test("keeps a frame that was cut apart from the chunks that brought it", () => {
    const { splitter, frames } = collector();
    const first = Uint8Array.of(0, 4, 7);
    splitter.push(first);
    first.fill(0xee);
    splitter.push(Uint8Array.of(8));
    expect(frames).toEqual([[0, 4, 7, 8]]);
  });

  test("gives a cut frame a buffer of its own, which a later frame does not overwrite", () => {
    const kept: Uint8Array[] = [];
    const splitter = new Splitter(measure, (buffer, start, end) => {
      kept.push(buffer.subarray(start, end));
      return true;
    });
    for (const byte of [...frame([1, 2]), ...frame([3, 4])]) splitter.push(Uint8Array.of(byte));
    expect(kept.map((each) => [...each])).toEqual([frame([1, 2]), frame([3, 4])]);
  });

  test("looks at nothing more once the sink has stopped it", () => {
    const frames: number[] = [];
    const splitter = new Splitter(measure, (_buffer, start) => {
      frames.push(start);
      return false;
    });
    expect(splitter.push(Uint8Array.from([...frame([1]), ...frame([2])]))).toBe(false);
    expect(frames).toEqual([0]);
  });

  test("stops also behind a frame that was cut", () => {
    const frames: number[][] = [];
    const splitter = new Splitter(measure, (buffer, start, end) => {
      frames.push([...buffer.subarray(start, end)]);
      return false;
    });
    expect(splitter.push(Uint8Array.of(0))).toBe(true);
    expect(splitter.push(Uint8Array.from([3, 7, ...frame([2])]))).toBe(false);
    expect(frames).toEqual([[0, 3, 7]]);
  });

  test("allocates in step with what has come, not with what a header claims", () => {
    const splitter = new Splitter(
      (_buffer, _at, end) => (end < 2 ? 0 : 200_000_000),
      () => true,
    );
    const before = process.memoryUsage().arrayBuffers;
    splitter.push(Uint8Array.of(1));
    splitter.push(Uint8Array.of(1));
    splitter.push(new Uint8Array(2_000));
    expect(splitter.pendingBytes).toBe(2_002);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });

  test("throws what the measure throws, for a whole header and for one that was cut", () => {
    expect(() => collector().splitter.push(Uint8Array.of(0, 1))).toThrow(RangeError);
    const { splitter } = collector();
    splitter.push(Uint8Array.of(0));
    expect(() => splitter.push(Uint8Array.of(1))).toThrow(RangeError);
  });

  test("forgets a cut frame when it is reset", () => {
    const { splitter, frames } = collector();
    splitter.push(Uint8Array.of(0, 9, 1, 2));
    splitter.reset();
    expect(splitter.pendingBytes).toBe(0);
    splitter.push(Uint8Array.from(frame([5])));
    expect(frames).toEqual([frame([5])]);
  });

  test("takes an empty chunk as nothing", () => {
    const { splitter, frames } = collector();
    expect(splitter.push(new Uint8Array(0))).toBe(true);
    splitter.push(Uint8Array.of(0, 3));
    expect(splitter.push(new Uint8Array(0))).toBe(true);
    splitter.push(Uint8Array.of(1));
    expect(frames).toEqual([[0, 3, 1]]);
  });
});
