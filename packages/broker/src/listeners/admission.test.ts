import { describe, expect, test } from "vitest";
import { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { Admission } from "./admission.ts";

function admission(
  connectionsMax: number,
  connectionsPerAddressMax: number,
): { it: Admission; metrics: BrokerMetrics } {
  const metrics = new BrokerMetrics();
  return { it: new Admission({ connectionsMax, connectionsPerAddressMax }, metrics), metrics };
}

describe("Admission", () => {
  test("connections beyond the limit are refused until one is released", () => {
    const { it } = admission(2, 2);
    expect([it.admit("10.0.0.1"), it.admit("10.0.0.2"), it.admit("10.0.0.3")]).toEqual([true, true, false]);
    it.release("10.0.0.1");
    expect(it.admit("10.0.0.3")).toBe(true);
  });

  test("one address cannot take the place of the others", () => {
    const { it } = admission(10, 2);
    expect([it.admit("10.0.0.1"), it.admit("10.0.0.1"), it.admit("10.0.0.1")]).toEqual([true, true, false]);
    expect(it.admit("10.0.0.2")).toBe(true);
    it.release("10.0.0.1");
    expect(it.admit("10.0.0.1")).toBe(true);
  });

  test("an IPv4 address counts the same through a dual-stack socket", () => {
    const { it } = admission(10, 1);
    expect(it.admit("::ffff:10.0.0.1")).toBe(true);
    expect(it.admit("10.0.0.1")).toBe(false);
    it.release("10.0.0.1");
    expect(it.admit("::ffff:10.0.0.1")).toBe(true);
  });

  test("admitted, refused and open connections are counted", () => {
    const { it, metrics } = admission(1, 1);
    it.admit("10.0.0.1");
    it.admit("10.0.0.2");
    it.release("10.0.0.1");
    expect(metrics.snapshot()).toMatchObject({ connectionsAccepted: 1, connectionsRefused: 1, connectionsOpen: 0 });
    expect(it.count).toBe(0);
  });
});
