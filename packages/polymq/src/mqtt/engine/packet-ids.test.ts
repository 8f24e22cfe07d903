import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PACKET_ID_MAX, PacketIds } from "./packet-ids.ts";

function takeAll(ids: PacketIds): number[] {
  const taken: number[] = [];
  for (let id = ids.take(); id !== 0; id = ids.take()) taken.push(id);
  return taken;
}

describe("PacketIds", () => {
  test("starts at 1 and counts up: 0 is no packet id [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT3-2.3.1-1]", () => {
    const ids = new PacketIds();
    expect([ids.take(), ids.take(), ids.take()]).toEqual([1, 2, 3]);
  });

  test("hands out each of the 65,535 ids once, then 0 [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT3-2.3.1-2]", () => {
    const taken = takeAll(new PacketIds());
    expect(taken).toHaveLength(PACKET_ID_MAX);
    expect(new Set(taken).size).toBe(PACKET_ID_MAX);
    expect(Math.min(...taken.slice(0, 10))).toBe(1);
    expect(taken.at(-1)).toBe(PACKET_ID_MAX);
  });

  test("after exhaustion a freed id is the next one handed out", () => {
    const ids = new PacketIds();
    takeAll(ids);
    ids.give(4711);
    expect(ids.take()).toBe(4711);
    expect(ids.take()).toBe(0);
  });

  test("reuses freed ids in the order in which they were freed", () => {
    const ids = new PacketIds();
    takeAll(ids);
    for (const id of [9, 3, 65_535, 1]) ids.give(id);
    expect([ids.take(), ids.take(), ids.take(), ids.take(), ids.take()]).toEqual([9, 3, 65_535, 1, 0]);
  });

  test("one message at a time uses few, small ids and never the same twice in a row", () => {
    const ids = new PacketIds();
    const used = new Set<number>();
    let last = 0;
    for (let i = 0; i < 1_000; i++) {
      const id = ids.take();
      expect(id).not.toBe(last);
      last = id;
      used.add(id);
      ids.give(id);
    }
    expect(Math.max(...used)).toBeLessThanOrEqual(32);
  });

  test("all ids can be freed and taken again", () => {
    const ids = new PacketIds();
    for (const id of takeAll(ids)) ids.give(id);
    expect(takeAll(ids)).toHaveLength(PACKET_ID_MAX);
  });

  test("after a restore the ids in use are not handed out, all others are", () => {
    const ids = new PacketIds();
    ids.take();
    ids.restore([5, 2, 900, 2]);
    const taken = takeAll(ids);
    expect(taken).toHaveLength(PACKET_ID_MAX - 3);
    expect(new Set(taken).size).toBe(PACKET_ID_MAX - 3);
    expect([5, 2, 900].some((id) => taken.includes(id))).toBe(false);
  });

  test("a restore of all ids leaves none", () => {
    const ids = new PacketIds();
    ids.restore(Array.from({ length: PACKET_ID_MAX }, (_, i) => i + 1));
    expect(ids.take()).toBe(0);
  });

  test("never hands out an id that is in use, whatever is freed when", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 600 }), (steps) => {
        const ids = new PacketIds();
        const inUse: number[] = [];
        for (const step of steps) {
          if (step % 3 === 0 && inUse.length > 0) ids.give(inUse.splice(step % inUse.length, 1)[0] ?? 0);
          else {
            const id = ids.take();
            expect(inUse).not.toContain(id);
            expect(id).toBeGreaterThan(0);
            inUse.push(id);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
