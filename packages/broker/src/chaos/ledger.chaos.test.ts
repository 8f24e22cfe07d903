import { describe, expect, test } from "vitest";
import { Account, qosOf, type Verdict } from "./ledger.test-support.ts";

/** What is wrong in the books of a publisher of 4 acknowledged messages, when this is what was seen. */
function faults(seen: readonly number[], change: (account: Account) => void = () => undefined): Partial<Verdict> {
  const account = new Account("p");
  for (let i = 0; i < 4; i++) account.acknowledged(account.publish());
  change(account);
  for (const sequence of seen) account.saw(sequence, qosOf(sequence));
  const { lost, twice, misordered, unsettled, refused, strange } = account.verdict();
  const all = { lost, twice, misordered, unsettled, refused, strange };
  return Object.fromEntries(Object.entries(all).filter(([, names]) => names.length > 0));
}

describe("the ledger of the chaos tests", () => {
  test("finds nothing wrong when each message was seen in order", () => {
    expect(faults([0, 1, 2, 3])).toEqual({});
  });

  test("allows QoS 1 to be seen again", () => {
    expect(faults([0, 1, 2, 0, 2, 3])).toEqual({});
  });

  test.each([
    ["an acknowledged message that nobody saw", [0, 1, 3], { lost: ["p/2/qos1"] }],
    ["a message of QoS 2 seen twice", [0, 1, 2, 1, 3], { twice: ["p/1/qos2"] }],
    ["a first delivery after a later one", [0, 2, 1, 3], { misordered: ["p/1/qos2 after 2"] }],
    ["a message that was never published", [0, 1, 2, 3, 4], { strange: ["p/4/qos1 as qos1"] }],
  ])("names %s", (_, seen, wrong) => {
    expect(faults(seen)).toEqual(wrong);
  });

  test("names a publish that never settled, and one that was refused", () => {
    const change = (account: Account): void => {
      account.publish();
      account.refused(account.publish(), "ERR_TIMEOUT");
    };
    expect(faults([0, 1, 2, 3], change)).toEqual({ unsettled: ["p/4/qos1"], refused: ["p/5/qos2 ERR_TIMEOUT"] });
  });
});
