import { describe, expect, test } from "vitest";
import { BrokerMetrics } from "./broker-metrics.ts";

describe("BrokerMetrics", () => {
  test("a snapshot is a copy that later events do not change", () => {
    const metrics = new BrokerMetrics();
    metrics.messagesDenied += 3;
    const before = metrics.snapshot();
    metrics.messagesDenied++;
    expect(before.messagesDenied).toBe(3);
    expect(metrics.snapshot().messagesDenied).toBe(4);
  });

  test("a snapshot has every counter and nothing but numbers", () => {
    const snapshot = new BrokerMetrics().snapshot();
    expect(Object.keys(snapshot).length).toBeGreaterThan(20);
    expect(Object.values(snapshot).every((value) => value === 0)).toBe(true);
  });

  test("the highest number of open connections is remembered", () => {
    const metrics = new BrokerMetrics();
    metrics.connectionOpened();
    metrics.connectionOpened();
    metrics.connectionClosed();
    expect(metrics.snapshot()).toMatchObject({ connectionsAccepted: 2, connectionsOpen: 1, connectionsOpenMax: 2 });
  });

  test("the highest number of connected clients is remembered", () => {
    const metrics = new BrokerMetrics();
    metrics.clientConnected();
    metrics.clientDisconnected();
    expect(metrics.snapshot()).toMatchObject({ clientsAccepted: 1, clientsConnected: 0, clientsConnectedMax: 1 });
  });
});
