import fc from "fast-check";
import { expect, test } from "vitest";
import { OffsetTable } from "./offset-table.ts";

test("a table holds what was added and not removed, whatever the order", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 20_000 })), { maxLength: 400 });
  fc.assert(
    fc.property(steps, (changes) => {
      const table = new OffsetTable<string>();
      const plain = new Map<number, string>();
      for (const [adds, offset] of changes) {
        if (adds) {
          table.add(offset, `${offset}`);
          plain.set(offset, `${offset}`);
        } else {
          table.remove(offset);
          plain.delete(offset);
        }
        expect([table.size, table.get(offset)]).toEqual([plain.size, plain.get(offset)]);
      }
      const values = [...plain.keys()].sort((a, b) => a - b).map(String);
      expect([...table.values()]).toEqual(values);
    }),
  );
});

test("values may be removed while they are gone through", () => {
  const table = new OffsetTable<number>();
  for (let offset = 0; offset < 500; offset++) table.add(offset, offset);
  let seen = 0;
  for (const offset of table.values()) {
    table.remove(offset);
    seen++;
  }
  expect([seen, table.size]).toEqual([500, 0]);
});
