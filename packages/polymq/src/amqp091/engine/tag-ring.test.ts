import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AckRanges } from "./ack-ranges.ts";
import { TagRing } from "./tag-ring.ts";

/** What may be done to a ring: tags are picked among those that were ever pushed, or beyond. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("push" as const), pick: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), pick: fc.nat(400) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("through" as const), pick: fc.nat(400) }) },
);

describe("a tag ring", () => {
  test("behaves as a sorted map", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const ring = new TagRing<string>();
        const model = new Map<number, string>();
        let last = 0;
        for (const { do: action, pick } of steps) {
          if (action === "push") {
            last += pick;
            ring.push(last, `m${last}`);
            model.set(last, `m${last}`);
          } else if (action === "take") {
            expect(ring.has(pick)).toBe(model.has(pick));
            expect(ring.take(pick)).toBe(model.get(pick));
            model.delete(pick);
          } else {
            const taken: string[] = [];
            const count = ring.takeThrough(pick, { onTaken: (tag, item) => void taken.push(`${tag}=${item}`) });
            const expected = [...model].filter(([tag]) => tag <= pick);
            for (const [tag] of expected) model.delete(tag);
            expect([count, taken]).toEqual([expected.length, expected.map(([tag, item]) => `${tag}=${item}`)]);
          }
          const [first] = model;
          expect([ring.size, ring.firstTag, ring.first]).toEqual([model.size, first?.[0] ?? 0, first?.[1]]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("takes back what was taken, in any order and between what stayed", () => {
    const ring = new TagRing<string>();
    for (let tag = 1; tag <= 40; tag++) ring.push(tag, `m${tag}`);
    const tags = [7, 3, 40, 1];
    const items = tags.map((tag) => ring.take(tag) ?? "gone");
    ring.restore(tags, items);
    const taken: string[] = [];
    expect([ring.size, ring.firstTag, ring.has(3)]).toEqual([40, 1, true]);
    ring.takeThrough(40, { onTaken: (tag, item) => void taken.push(`${tag}=${item}`) });
    expect(taken).toEqual(Array.from({ length: 40 }, (_, i) => `${i + 1}=m${i + 1}`));
    ring.restore([], []);
    expect(ring.size).toBe(0);
  });

  test("one item that stays does not make it grow with all that pass", () => {
    const ring = new TagRing<number>();
    ring.push(1, 1);
    for (let tag = 2; tag <= 200_000; tag++) {
      ring.push(tag, tag);
      expect(ring.take(tag)).toBe(tag);
    }
    expect(ring.places).toBe(16);
    expect([ring.size, ring.take(1)]).toEqual([1, 1]);
  });

  test("what is pushed while several are taken stays", () => {
    const ring = new TagRing<string>();
    ring.push(1, "a");
    ring.push(2, "b");
    ring.takeThrough(2, { onTaken: (tag) => ring.push(tag + 2, "new") });
    expect([ring.size, ring.firstTag]).toEqual([2, 3]);
  });
});

describe("acknowledgements that are held back", () => {
  test("settle each tag exactly once, and only what was marked", () => {
    const marks = fc.array(fc.record({ do: fc.constantFrom("add", "ack", "take", "flush"), pick: fc.nat(60) }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(marks, (steps) => {
        const ranges = new AckRanges();
        /** What the peer still holds open. */
        const peer = new Set<number>();
        const marked = new Set<number>();
        let last = 0;
        const ack = (_channel: number, tag: number, multiple: boolean): void => {
          // A peer knows only the tags that are open; so must each frame.
          expect(peer.has(tag)).toBe(true);
          for (const each of [...peer].filter((open) => (multiple ? open <= tag : open === tag))) {
            expect(marked.has(each)).toBe(true);
            peer.delete(each);
          }
        };
        for (const { do: action, pick } of steps) {
          if (action === "add") {
            ranges.add(++last);
            peer.add(last);
          } else if (action === "ack") {
            expect(ranges.ack(pick)).toBe(peer.has(pick) && !marked.has(pick));
            if (peer.has(pick)) marked.add(pick);
          } else if (action === "take") {
            const open = peer.has(pick) && !marked.has(pick);
            expect(ranges.take(pick)).toBe(open);
            if (open) peer.delete(pick);
          } else ranges.flush(1, { ack });
        }
        ranges.flush(1, { ack });
        expect([...peer].some((tag) => marked.has(tag))).toBe(false);
        expect([ranges.size, ranges.due]).toEqual([peer.size, false]);
      }),
      { numRuns: 300 },
    );
  });
});
