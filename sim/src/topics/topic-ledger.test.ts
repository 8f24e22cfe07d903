import { describe, expect, test } from "vitest";
import { type Audience, type Sent, TopicLedger } from "./topic-ledger.ts";

function books(facts: Partial<Pick<Audience, "filter" | "qos" | "kind">> = {}): {
  ledger: TopicLedger;
  audience: Audience;
  send: (qos: 0 | 1 | 2) => Sent;
} {
  const ledger = new TopicLedger();
  const audience = ledger.audience({ name: "sub", filter: "t/#", qos: 2, kind: "client", ...facts });
  ledger.subscribed(audience);
  const send = (qos: 0 | 1 | 2): Sent => {
    const sent = ledger.publish("pub", "t/a", qos);
    sent.state = "confirmed";
    return sent;
  };
  return { ledger, audience, send };
}

describe("the ledger of topics", () => {
  test("has nothing to say of messages that were handled as they should", () => {
    const { ledger, audience, send } = books();
    for (const qos of [0, 1, 2] as const) {
      const { id } = send(qos);
      ledger.arrived(audience, id, "t/a");
      ledger.handled(audience, id);
      if (qos === 1) ledger.handled(audience, id);
    }
    expect(ledger.check()).toEqual([]);
  });

  test("finds what was confirmed and not handled, at QoS 1 and 2", () => {
    const { ledger, send } = books();
    send(0);
    send(1);
    expect(ledger.check()).toEqual(["sub has not got pub:1 (QoS 1)"]);
  });

  test("owes nothing that was published before the subscription, that matches another filter or failed", () => {
    const { ledger, send } = books({ filter: "u/#" });
    send(2);
    const late = ledger.audience({ name: "late", filter: "t/#", qos: 2, kind: "client" });
    ledger.subscribed(late);
    send(2).state = "failed";
    expect(ledger.check()).toEqual([]);
  });

  test.each([0, 2] as const)("finds a message of QoS %i that was handled twice", (qos) => {
    const { ledger, audience, send } = books();
    const { id } = send(qos);
    for (let i = 0; i < 2; i++) {
      ledger.arrived(audience, id, "t/a");
      ledger.handled(audience, id);
    }
    expect(ledger.check()).toEqual([expect.stringContaining("2 times")]);
  });

  test("finds disorder, but not in a group", () => {
    for (const kind of ["client", "group"] as const) {
      const { ledger, audience, send } = books({ kind });
      for (const { id } of [send(1), send(1)].reverse()) {
        ledger.arrived(audience, id, "t/a");
        ledger.handled(audience, id);
      }
      expect(ledger.check()).toHaveLength(kind === "client" ? 1 : 0);
    }
  });

  test("finds a message that nobody published", () => {
    const { ledger, audience } = books();
    ledger.arrived(audience, "x", "t/a");
    expect(ledger.check()).toEqual(["sub got x on t/a"]);
  });
});
