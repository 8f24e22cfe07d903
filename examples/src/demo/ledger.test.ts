import { describe, expect, test } from "vitest";
import { checksum, type Flight, qosOf } from "./data-set.ts";
import { faultsOf, Ledger, nameOf } from "./ledger.ts";
import type { DeliveryReport } from "./messages.ts";

const FLIGHTS: readonly Flight[] = [0, 1, 2, 3].map((delay) => ({ delay, distance: 100, time: 7 }));

function sight(id: number, change: { qos?: number; delay?: number } = {}): DeliveryReport {
  const flight = { delay: change.delay ?? id, distance: 100, time: 7 };
  return [id, change.qos ?? qosOf(id), checksum(flight), id + 1];
}

function faults(report: (ledger: Ledger) => void): string[] {
  const ledger = new Ledger(FLIGHTS);
  report(ledger);
  return faultsOf(ledger.verdict());
}

describe("Ledger", () => {
  test("finds no fault when all that was acknowledged was seen", () => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1, 2, 3]);
        ledger.saw([sight(3), sight(1), sight(0), sight(2)]);
      }),
    ).toEqual([]);
  });

  test("names what was acknowledged and not seen", () => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1, 2, 3]);
        ledger.saw([sight(0), sight(2), sight(3)]);
      }),
    ).toEqual(["1 acknowledged and lost: publisher-2/0/qos1"]);
  });

  test("allows and counts a second delivery at QoS 1", () => {
    const ledger = new Ledger(FLIGHTS);
    ledger.acknowledged([0, 1, 2, 3]);
    ledger.saw([sight(0), sight(0), sight(1), sight(2), sight(3)]);
    expect(ledger.verdict()).toMatchObject({ duplicatesQoS1: 1, duplicatesQoS2: [], delivered: 4 });
    expect(faultsOf(ledger.verdict())).toEqual([]);
  });

  test("names a second delivery at QoS 2", () => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1, 2, 3]);
        ledger.saw([sight(0), sight(1), sight(2), sight(3), sight(3)]);
      }),
    ).toEqual(["1 of QoS 2 seen twice: publisher-1/1/qos2"]);
  });

  test("names what was neither acknowledged nor refused, even when it was seen", () => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1]);
        ledger.refused(2, "ERR_TIMEOUT");
        ledger.saw([0, 1, 2, 3].map((id) => sight(id)));
      }),
    ).toEqual(["1 never acknowledged: publisher-1/1/qos2", "1 refused: publisher-3/0/qos1 ERR_TIMEOUT"]);
  });

  test.each([
    ["content", sight(0, { delay: 99 })],
    ["QoS", sight(0, { qos: 0 })],
  ])("a message with another %s counts as altered, and the one that was published as lost", (_, seen) => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1, 2, 3]);
        ledger.saw([seen, sight(1), sight(2), sight(3)]);
      }),
    ).toEqual([`1 acknowledged and lost: ${nameOf(0)}`, `1 altered: ${nameOf(0)}`]);
  });

  test("takes latencies from first deliveries", () => {
    const ledger = new Ledger(FLIGHTS);
    ledger.saw([sight(0), sight(1), sight(2), sight(3), [0, 1, checksum({ delay: 0, distance: 100, time: 7 }), 9_999]]);
    expect(ledger.verdict()).toMatchObject({ p50Ms: 3, p99Ms: 4 });
  });
});
