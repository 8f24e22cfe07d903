import { describe, expect, test } from "vitest";
import { randomInteger, seededRandom } from "../../testing/seeded-random.ts";
import { UnsettledTable } from "./unsettled.ts";

interface Entry {
  readonly id: number;
}

function ids(entries: readonly Entry[]): number[] {
  return entries.map((entry) => entry.id);
}

describe("UnsettledTable", () => {
  test("gives back what was added, once", () => {
    const table = new UnsettledTable<Entry>();
    table.add({ id: 5 });
    expect(table.get(5)?.id).toBe(5);
    expect(table.take(5)?.id).toBe(5);
    expect(table.take(5)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  test("one delivery that stays long holds up no younger one and needs its own place only (S7)", () => {
    const table = new UnsettledTable<Entry>();
    table.add({ id: 0 });
    for (let id = 1; id <= 100_000; id++) {
      table.add({ id });
      expect(table.take(id)?.id).toBe(id);
    }
    expect(table.size).toBe(1);
    expect(table.within(0, 0).map((entry) => entry.id)).toEqual([0]);
  });

  test("finds ranges across the wrap, in order (S1)", () => {
    const table = new UnsettledTable<Entry>();
    for (const id of [1, 0xffff_fffe, 0, 0xffff_ffff, 7]) table.add({ id });
    expect(ids(table.within(0xffff_fffd, 3))).toEqual([0xffff_fffe, 0xffff_ffff, 0, 1]);
  });

  test("answers absurd ranges from what is here (S2)", () => {
    const table = new UnsettledTable<Entry>();
    for (let id = 0; id < 3; id++) table.add({ id });
    expect(ids(table.within(0, 0x7fff_ffff))).toEqual([0, 1, 2]);
    expect(table.within(0, 0xffff_ffff)).toEqual([]);
    expect(table.within(2, 1)).toEqual([]);
  });

  test("does what a map does, over a long random history", () => {
    const random = seededRandom(7);
    const table = new UnsettledTable<Entry>();
    const model = new Map<number, Entry>();
    let next = 0xffff_0000;
    for (let step = 0; step < 60_000; step++) {
      if (random() < 0.55 && model.size < 30_000) {
        const entry = { id: next };
        table.add(entry);
        model.set(next, entry);
        next = (next + 1) >>> 0;
      } else {
        const id = (next - randomInteger(random, 1, random() < 0.9 ? 60 : 40_000)) >>> 0;
        expect(table.take(id)).toBe(model.get(id));
        model.delete(id);
      }
      expect(table.size).toBe(model.size);
    }
    expect(new Set(ids(table.all()))).toEqual(new Set(model.keys()));
    expect(ids(table.within((next - 500) >>> 0, next))).toEqual(
      ids([...model.values()]).filter((id) => ((next - id) | 0) <= 500 && ((next - id) | 0) >= 0),
    );
  });
});
