import { describe, expect, test } from "vitest";
import { type DeadLetter, type DeliveryFacts, GroupLedger, QueueLedger } from "./queue-ledger.ts";

interface Books {
  readonly ledger: QueueLedger;
  readonly group: GroupLedger;
  /** Confirmed messages. */
  confirm(...ids: string[]): void;
}

function books(facts: Partial<ConstructorParameters<typeof GroupLedger>[0]> = {}): Books {
  const ledger = new QueueLedger();
  const group = ledger.watch(
    new GroupLedger({
      queue: "q",
      group: "g",
      filter: "",
      deliveryLimit: 2,
      reasons: [],
      visibilityTimeoutMs: 0,
      ...facts,
    }),
  );
  const confirm = (...ids: string[]): void => {
    const facts = { queue: "q", key: "a/b", guarantee: "exactly", from: "p" } as const;
    for (const [number, id] of ids.entries()) ledger.publish({ id, ...facts, number }).state = "confirmed";
  };
  return { ledger, group, confirm };
}

/** A delivery after so many others, at the usual priority. */
function count(deliveryCount: number): DeliveryFacts {
  return { deliveryCount, priority: 0 };
}

const LETTER: DeadLetter = { id: "m0", queue: "q", group: "g", offset: 0, reason: "rejected" };

describe("the ledger of a queue", () => {
  test("has nothing to say of messages that were delivered in order and acknowledged or buried once", () => {
    const { ledger, group, confirm } = books();
    confirm("m0", "m1");
    group.delivered(0, "m0", count(0));
    group.said(0, "reject");
    group.durable(0, "reject");
    group.delivered(1, "m1", count(0));
    group.delivered(1, "m1", count(1));
    group.said(1, "ack");
    group.durable(1, "ack");
    ledger.setDeadLetters([LETTER]);
    expect(ledger.check()).toEqual([]);
  });

  test.each<[string, string, (books: Books) => void]>([
    ["a message that never came", "q/g never got m0", () => undefined],
    ["a message that nobody settled", "q/g has lost m0", ({ group }) => group.delivered(0, "m0", count(0))],
    ["a stranger", "q/g got x, which it should not", ({ group }) => group.delivered(1, "x", count(0))],
    ["a gap", "q/g was never given offset 0", ({ group }) => group.delivered(1, "m0", count(0))],
    [
      "one offset for two messages",
      "q/g got m1 at 0, where m0 was",
      ({ group }) => {
        group.delivered(0, "m0", count(0));
        group.delivered(0, "m1", count(1));
      },
    ],
    [
      "what overtook an earlier message of its publisher",
      "m1 is in q behind m2, which was published after it",
      ({ group, confirm }) => {
        confirm("m0", "m1", "m2");
        group.delivered(0, "m0", count(0));
        group.delivered(1, "m2", count(0));
        group.delivered(2, "m1", count(0));
      },
    ],
    [
      "one message at two offsets",
      "m0 is in q 2 times",
      ({ group }) => {
        group.delivered(0, "m0", count(0));
        group.delivered(1, "m0", count(0));
      },
    ],
    [
      "first deliveries out of order",
      "q/g got m0 at 0 first after 1",
      ({ group }) => {
        group.delivered(1, "m1", count(0));
        group.delivered(0, "m0", count(0));
      },
    ],
    [
      "a delivery after a durable acknowledgement",
      "after its acknowledgement was durable",
      ({ group }) => {
        group.delivered(0, "m0", count(0));
        group.said(0, "ack");
        group.durable(0, "ack");
        group.delivered(0, "m0", count(1));
      },
    ],
    [
      "a message that is with two at once",
      "q/g gave offset 0 to a member while another one had it",
      ({ group }) => {
        group.delivered(0, "m0", count(0));
        group.given(0, {}, 0);
        group.given(0, {}, 0);
      },
    ],
    ["a count of deliveries that were not", "with delivery count 3", ({ group }) => group.delivered(0, "m0", count(3))],
    [
      "an acknowledgement that nobody said",
      "q/g has a durable ack of m0 that nobody said",
      ({ group }) => {
        group.delivered(0, "m0", count(0));
        group.durable(0, "ack");
      },
    ],
    [
      "a rejection without a dead letter",
      "there is no dead letter",
      ({ group }) => {
        group.delivered(0, "m0", count(0));
        group.said(0, "reject");
        group.durable(0, "reject");
      },
    ],
    [
      "a dead letter of what nobody rejected",
      "which nobody rejected",
      ({ group, ledger }) => {
        group.delivered(0, "m0", count(0));
        ledger.setDeadLetters([LETTER]);
      },
    ],
    [
      "a dead letter of what was acknowledged",
      "which was acknowledged",
      ({ group, ledger }) => {
        group.delivered(0, "m0", count(0));
        group.said(0, "ack");
        group.durable(0, "ack");
        ledger.setDeadLetters([LETTER]);
      },
    ],
    [
      "two dead letters of one message",
      "has 2 dead letters of offset 0",
      ({ group, ledger }) => {
        group.delivered(0, "m0", count(0));
        group.said(0, "reject");
        group.durable(0, "reject");
        ledger.setDeadLetters([LETTER, LETTER]);
      },
    ],
    [
      "a dead letter before its deliveries were used up",
      "which was delivered 1 times",
      ({ group, ledger }) => {
        group.delivered(0, "m0", count(0));
        ledger.setDeadLetters([{ ...LETTER, reason: "delivery-limit" }]);
      },
    ],
  ])("finds %s", (_, found, happen) => {
    const all = books();
    all.confirm("m0");
    happen(all);
    expect(all.ledger.check().join("\n")).toContain(found);
  });

  test.each<["unknown" | "confirmed", readonly string[], string]>([
    ["unknown", [], ""],
    ["unknown", ["m0", "m1"], ""],
    ["unknown", ["m1"], "of t, m0,m1, there is but m1"],
  ])("of a transaction whose end is %s and of which it has [%s] it says: %s", (state, there, found) => {
    const { ledger, group } = books();
    for (const [number, id] of ["m0", "m1"].entries()) {
      const facts = { id, queue: "q", key: "", guarantee: "exactly", from: "t", number, together: "t" } as const;
      ledger.publish(facts).state = state;
    }
    for (const [offset, id] of there.entries()) {
      group.delivered(offset, id, count(0));
      group.said(offset, "ack");
    }
    expect(ledger.check()).toEqual(found === "" ? [] : [found]);
  });

  test("lets the queue bury messages for the reasons that it has, and for no other", () => {
    for (const reasons of [["expired"], []]) {
      const { ledger, confirm } = books({ reasons });
      confirm("m0");
      ledger.setDeadLetters([{ ...LETTER, group: "", reason: "expired" }]);
      expect(ledger.check()).toEqual(reasons.length > 0 ? [] : ["q buried m0 of offset 0: expired"]);
    }
  });

  test("minds the order within a priority alone", () => {
    const { ledger, group, confirm } = books();
    confirm("m0", "m1");
    group.delivered(1, "m1", { deliveryCount: 0, priority: 3 });
    group.delivered(0, "m0", { deliveryCount: 0, priority: 0 });
    for (const offset of [0, 1]) group.said(offset, "ack");
    expect(ledger.check()).toEqual([]);
  });

  test("owes a group with a filter what its filter takes, and nothing else", () => {
    const { ledger, group, confirm } = books({ filter: "c/#" });
    confirm("m0");
    expect(ledger.check()).toEqual([]);
    group.delivered(0, "m0", count(0));
    expect(ledger.check().join()).toContain("which it should not");
  });
});
