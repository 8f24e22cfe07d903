import fc from "fast-check";
import { expect, test } from "vitest";
import { OpenSends } from "./open-sends.ts";
import { PendingSend } from "./pending-send.ts";

test("holds what a set would, in its order", () => {
  const step = fc.tuple(fc.constantFrom("add", "delete", "shift"), fc.nat(5));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const all = Array.from({ length: 6 }, () => new PendingSend());
      const [list, model] = [new OpenSends(), new Set<PendingSend>()];
      for (const [what, index] of steps) {
        const one = all[index] as PendingSend;
        if (what === "shift") {
          const [oldest] = model;
          if (oldest !== undefined) model.delete(oldest);
          expect(list.shift()).toBe(oldest);
        } else if (what === "delete") expect(list.delete(one)).toBe(model.delete(one));
        else if (!list.has(one)) {
          list.add(one);
          model.add(one);
        }
        expect([list.size, all.map((each) => list.has(each))]).toEqual([
          model.size,
          all.map((each) => model.has(each)),
        ]);
      }
    }),
  );
});

test("tells whoever waits when there are none, and at once when there are none already", async () => {
  const open = new OpenSends();
  await open.whenEmpty();
  const [one, two] = [new PendingSend(), new PendingSend()];
  open.add(one);
  open.add(two);
  const told: string[] = [];
  const waiting = open.whenEmpty().then(() => told.push("empty"));
  open.delete(one);
  await Promise.resolve();
  expect(told).toEqual([]);
  open.shift();
  await waiting;
  expect(told).toEqual(["empty"]);
});
