import { describe, expect, test } from "vitest";
import type { Queued } from "./queue-ledger.ts";
import { StreamLedger } from "./stream-ledger.ts";

function queued(...ids: string[]): Queued[] {
  const facts = { queue: "s", key: "", guarantee: "exactly", from: null, state: "confirmed" } as const;
  return ids.map((id, number) => ({ id, number, ...facts }));
}

describe("the ledger of a stream", () => {
  test("has nothing to say of a group that reads on, and goes back to what it has committed", () => {
    const ledger = new StreamLedger("s", "g", "manual");
    ledger.delivered(0, "m0");
    ledger.delivered(1, "m1");
    ledger.durable(ledger.commitFor(0));
    ledger.mayGoBack();
    ledger.delivered(1, "m1");
    ledger.delivered(2, "m2");
    expect(ledger.check(queued("m0", "m1", "m2"))).toEqual([]);
  });

  test.each<[string, string, readonly (readonly [number, string])[]]>([
    ["a message that never came", "never got m1", [[0, "m0"]]],
    [
      "a gap",
      "got offset 2 after 0",
      [
        [0, "m0"],
        [2, "m1"],
      ],
    ],
    [
      "one offset for two messages",
      "got m1 at 0, where m0 was",
      [
        [0, "m0"],
        [0, "m1"],
      ],
    ],
    [
      "one message at two offsets",
      "m0 is in s 2 times",
      [
        [0, "m0"],
        [1, "m0"],
      ],
    ],
    [
      "a way back without cause",
      "got offset 0 behind 1 without cause",
      [
        [0, "m0"],
        [1, "m1"],
        [0, "m0"],
      ],
    ],
  ])("finds %s", (_, found, deliveries) => {
    const ledger = new StreamLedger("s", "g", "manual");
    for (const [offset, id] of deliveries) ledger.delivered(offset, id);
    expect(ledger.check(queued("m0", "m1")).join("\n")).toContain(found);
  });

  test("finds a way back behind what was committed", () => {
    const ledger = new StreamLedger("s", "g", "manual");
    ledger.delivered(0, "m0");
    ledger.durable(1);
    ledger.mayGoBack();
    ledger.delivered(0, "m0");
    expect(ledger.check([]).join()).toContain("had committed 1");
  });

  test("over a wire finds what was taken without being said, and promised without being taken", () => {
    const ledger = new StreamLedger("s", "g", "settled");
    for (const offset of [0, 1]) ledger.delivered(offset, `m${offset}`);
    ledger.ackSaid(0);
    for (const offset of [0, 1]) ledger.ackedOverWire(offset);
    ledger.asked(1);
    for (const offset of [1, 2]) ledger.promised(offset);
    expect(ledger.check([])).toEqual([
      "s/g has an acknowledgement of 1 that nobody said",
      "s/g never took the commit of 2",
    ]);
  });

  test("holds a group to the commit that its reader was told of, unless another one came after it", () => {
    const ledger = new StreamLedger("s", "g", "manual");
    for (const offset of [0, 1, 2]) ledger.delivered(offset, `m${offset}`);
    ledger.asked(3);
    ledger.asked(1);
    ledger.promised(3);
    ledger.promised(1);
    ledger.mayGoBack();
    ledger.delivered(1, "m1");
    expect(ledger.check([])).toEqual([]);
    ledger.mayGoBack();
    ledger.delivered(0, "m0");
    expect(ledger.check([])).toEqual(["s/g got offset 0, and had committed 1"]);
  });

  test("finds what was refused, half of a transaction, and what overtook an earlier message", () => {
    const ledger = new StreamLedger("s", "g", "settled");
    for (const [offset, id] of ["m1", "m0", "m2"].entries()) {
      ledger.delivered(offset, id);
      ledger.acked(offset);
    }
    const facts = { queue: "s", key: "", guarantee: "exactly", from: "p" } as const;
    const messages: Queued[] = [
      { ...facts, id: "m0", number: 0, state: "confirmed" },
      { ...facts, id: "m1", number: 1, state: "confirmed" },
      { ...facts, id: "m2", number: 2, state: "refused" },
      { ...facts, id: "m3", number: 3, state: "unknown", from: "t", together: "t" },
      { ...facts, id: "m2", number: 4, state: "refused", from: "t", together: "t" },
    ];
    const wrong = ledger.check(messages).join("\n");
    for (const found of ["m2, which it should not", "m0 is in s behind m1", "of t, m3,m2, there is but m2"]) {
      expect(wrong).toContain(found);
    }
  });

  test("of a group that commits what is settled finds what came again after its acknowledgement, and what never had one", () => {
    const ledger = new StreamLedger("s", "g", "settled");
    for (const offset of [0, 1, 0, 2]) ledger.delivered(offset, `m${offset}`);
    for (const offset of [0, 2]) ledger.acked(offset);
    expect(ledger.check(queued("m0", "m1", "m2"))).toEqual(["s/g never acknowledged m1 at 1"]);
    ledger.delivered(2, "m2");
    ledger.acked(1);
    expect(ledger.check([])).toEqual(["s/g got offset 2 again, which it had acknowledged"]);
    ledger.mayGoBack();
    ledger.delivered(2, "m2");
    expect(ledger.check([])).toHaveLength(1);
  });
});
