import { describe, expect, test } from "vitest";
import { checksum, type Flight } from "./data-set.ts";
import { faultsOf, Ledger, nameOf } from "./ledger.ts";
import type { DeliveryReport, LetterReport, Outcome } from "./messages.ts";

/** Two that are done, one that is rejected, one that is never done. */
const FLIGHTS: readonly Flight[] = [
  { delay: 0, distance: 100, time: 7 },
  { delay: 1, distance: 100, time: 7 },
  { delay: 200, distance: 100, time: 7 },
  { delay: 3, distance: 60, time: 7 },
];

function sight(id: number, change: { offset?: number; outcome?: Outcome; count?: number } = {}): DeliveryReport {
  const flight = FLIGHTS[id] ?? { delay: 0, distance: 0, time: 0 };
  return [id, change.outcome ?? "done", change.offset ?? id, change.count ?? 0, checksum(flight), id + 1];
}

function letter(id: number, reason: string): LetterReport {
  return [id, reason, checksum(FLIGHTS[id] ?? { delay: 0, distance: 0, time: 0 })];
}

/** All that happens when all goes well. */
function playWell(ledger: Ledger): void {
  ledger.acknowledged([0, 1, 2, 3]);
  ledger.saw([sight(0), sight(1), sight(2, { outcome: "rejected" }), sight(3, { outcome: "nacked" })]);
  ledger.buried([letter(2, "rejected"), letter(3, "delivery-limit")]);
}

function faults(report: (ledger: Ledger) => void): string[] {
  const ledger = new Ledger(FLIGHTS);
  report(ledger);
  return faultsOf(ledger.verdict());
}

describe("Ledger", () => {
  test("finds no fault when all that was acknowledged was done or is a dead letter of the right kind", () => {
    const ledger = new Ledger(FLIGHTS);
    playWell(ledger);
    expect(faultsOf(ledger.verdict())).toEqual([]);
    expect(ledger.verdict()).toMatchObject({ done: 2, nacked: 1, published: 4, redelivered: 0 });
    expect([...ledger.verdict().deadLetters]).toEqual([
      ["rejected", 1],
      ["delivery-limit", 1],
    ]);
    expect(ledger.ended).toBe(4);
  });

  test("names what was acknowledged and is neither done nor a dead letter", () => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1, 2, 3]);
        ledger.saw([sight(0), sight(3, { outcome: "nacked" })]);
        ledger.buried([letter(2, "rejected")]);
      }),
    ).toEqual(["2 acknowledged and lost: publisher-2/0/qos1, publisher-1/1/qos2"]);
  });

  test("allows and counts a record of QoS 1 that is in the queue twice, and a delivery that was repeated", () => {
    const ledger = new Ledger(FLIGHTS);
    playWell(ledger);
    ledger.saw([sight(0, { offset: 9 }), sight(1, { count: 1 })]);
    expect(ledger.verdict()).toMatchObject({ duplicatesQoS1: 1, duplicatesQoS2: [], redelivered: 1, done: 2 });
    expect(faultsOf(ledger.verdict())).toEqual([]);
  });

  test("names a record of QoS 2 that is in the queue twice", () => {
    expect(
      faults((ledger) => {
        playWell(ledger);
        ledger.saw([sight(3, { offset: 9, outcome: "nacked" })]);
      }),
    ).toEqual(["1 of QoS 2 in the queue twice: publisher-1/1/qos2"]);
  });

  test("names what was neither acknowledged nor refused, even when it was seen", () => {
    expect(
      faults((ledger) => {
        playWell(ledger);
        ledger.refused(1, "ERR_TIMEOUT");
      }),
    ).toEqual(["1 refused: publisher-2/0/qos1 ERR_TIMEOUT"]);
    expect(faults((ledger) => ledger.saw([sight(0), sight(1)]))).toEqual([
      `4 never acknowledged: ${[0, 1, 2, 3].map(nameOf).join(", ")}`,
    ]);
  });

  test("a message with another content counts as altered, and the one that was published as lost", () => {
    expect(
      faults((ledger) => {
        ledger.acknowledged([0, 1, 2, 3]);
        ledger.saw([[0, "done", 0, 0, 12_345, 1], sight(1)]);
        ledger.buried([letter(2, "rejected"), letter(3, "delivery-limit")]);
      }),
    ).toEqual([`1 acknowledged and lost: ${nameOf(0)}`, `1 altered: ${nameOf(0)}`]);
  });

  test("names dead letters that should be none, or with another reason", () => {
    expect(
      faults((ledger) => {
        playWell(ledger);
        ledger.buried([letter(0, "rejected"), letter(2, "expired")]);
      }),
    ).toEqual([`2 wrongly dead-lettered: ${nameOf(0)} rejected, ${nameOf(2)} expired`]);
  });

  test("names messages that two workers had at the same time, and no others", () => {
    const [a, b] = [{}, {}];
    const ledger = new Ledger(FLIGHTS);
    playWell(ledger);
    ledger.held(a, [
      [0, 1_000, 1_100],
      [1, 1_000, 1_100],
    ]);
    ledger.held(a, [[1, 1_050, 1_060]]); // The same worker: what it says twice is its own business.
    ledger.held(b, [[1, 1_100, 1_200]]); // One after the other.
    expect(faultsOf(ledger.verdict())).toEqual([]);
    ledger.held(b, [[0, 1_090, 1_095]]);
    expect(faultsOf(ledger.verdict())).toEqual(["1 given to two workers at once: offset 0"]);
    expect(ledger.verdict().holds).toBe(5);
  });

  test("takes latencies from first deliveries", () => {
    const ledger = new Ledger(FLIGHTS);
    playWell(ledger);
    ledger.saw([[0, "done", 0, 1, checksum(FLIGHTS[0] as Flight), 9_999]]);
    expect(ledger.verdict()).toMatchObject({ p50Ms: 3, p99Ms: 4 });
  });
});
