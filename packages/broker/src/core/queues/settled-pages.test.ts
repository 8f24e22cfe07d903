import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PAGE_OFFSETS, SettledPages } from "./settled-pages.ts";

/** Writes changed pages into a map, as a store would have them. */
function store(pages: SettledPages, into: Map<number, Uint8Array>): void {
  pages.write((page, bits) => {
    if (bits === null) into.delete(page);
    else into.set(page, bits);
  });
}

describe("a set of settled offsets", () => {
  test("has what was added, at any distance, and its base is the first one missing", () => {
    const steps = fc.array(fc.nat({ max: 3 * PAGE_OFFSETS }), { maxLength: 300 });
    fc.assert(
      fc.property(steps, fc.nat({ max: 50 }), (offsets, base) => {
        const pages = new SettledPages(base);
        const plain = new Set<number>();
        for (const offset of offsets) {
          const isNew = offset >= base && !plain.has(offset);
          expect(pages.add(offset)).toBe(isNew);
          if (isNew) plain.add(offset);
          let expected = base;
          while (plain.has(expected)) expected++;
          expect([pages.base, pages.countAbove]).toEqual([expected, [...plain].filter((one) => one > expected).length]);
        }
        for (const offset of offsets) expect(pages.has(offset)).toBe(true);
        for (const offset of offsets) expect(pages.has(offset + 1)).toBe(offset + 1 < base || plain.has(offset + 1));
      }),
    );
  });

  test("comes back from its stored pages and its base", () => {
    const steps = fc.array(fc.nat({ max: 2 * PAGE_OFFSETS }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.nat({ max: 200 }), (offsets, raised) => {
        const pages = new SettledPages(0);
        const stored = new Map<number, Uint8Array>();
        for (const [i, offset] of offsets.entries()) {
          pages.add(offset);
          if (i % 7 === 0) store(pages, stored);
        }
        pages.raise(raised);
        store(pages, stored);
        const again = new SettledPages(0);
        again.raise(pages.base);
        for (const [page, bits] of stored) again.restore(page, bits);
        expect([again.base, again.countAbove]).toEqual([pages.base, pages.countAbove]);
        for (const offset of offsets) expect(again.has(offset)).toBe(true);
      }),
    );
  });

  test("needs no page when offsets come in order", () => {
    const pages = new SettledPages(0);
    const stored = new Map<number, Uint8Array>();
    for (let offset = 0; offset < 3 * PAGE_OFFSETS; offset++) pages.add(offset);
    store(pages, stored);
    expect([pages.base, stored.size]).toEqual([3 * PAGE_OFFSETS, 0]);
  });

  test("gives back the pages that its base has passed", () => {
    const pages = new SettledPages(0);
    const stored = new Map<number, Uint8Array>();
    for (let offset = 1; offset < 3 * PAGE_OFFSETS; offset++) pages.add(offset);
    store(pages, stored);
    expect([...stored.keys()]).toEqual([0, 1, 2]);
    pages.add(0);
    store(pages, stored);
    expect([pages.base, stored.size]).toEqual([3 * PAGE_OFFSETS, 0]);
  });

  test("writes only what has changed", () => {
    const pages = new SettledPages(0);
    pages.add(5);
    pages.add(2 * PAGE_OFFSETS);
    const written: number[] = [];
    const write = () => pages.write((page) => written.push(page));
    write();
    write();
    pages.add(2 * PAGE_OFFSETS + 9);
    write();
    expect(written).toEqual([0, 2, 2]);
  });
});
