import { describe, expect, test } from "vitest";
import { ClientKeepAlive, ServerKeepAlive } from "./keep-alive.ts";

describe("ClientKeepAlive", () => {
  test("a ping is due when nothing was sent for three quarters of the interval [MQTT-3.1.2-20] [MQTT3-3.1.2-23]", () => {
    const keepAlive = new ClientKeepAlive(10, 5_000, 1_000);
    expect(keepAlive.deadlineMs).toBe(8_500);
    expect([keepAlive.due(8_499), keepAlive.due(8_500)]).toEqual(["none", "ping"]);
  });

  test("sending and hearing move the deadline; the older of the two counts", () => {
    const keepAlive = new ClientKeepAlive(10, 5_000, 0);
    keepAlive.sent(3_000);
    expect(keepAlive.deadlineMs).toBe(7_500);
    keepAlive.heard(2_000);
    expect(keepAlive.deadlineMs).toBe(9_500);
    keepAlive.heard(4_000);
    expect(keepAlive.deadlineMs).toBe(10_500);
  });

  test("a client that only sends still pings, so that it notices a dead server", () => {
    const keepAlive = new ClientKeepAlive(10, 5_000, 0);
    for (let nowMs = 0; nowMs <= 7_500; nowMs += 500) keepAlive.sent(nowMs);
    expect(keepAlive.due(7_500)).toBe("ping");
  });

  test("without an answer to the ping in time the link is dead", () => {
    const keepAlive = new ClientKeepAlive(10, 5_000, 0);
    keepAlive.pinged(7_500);
    expect(keepAlive.deadlineMs).toBe(12_500);
    expect([keepAlive.due(12_499), keepAlive.due(12_500)]).toEqual(["none", "dead"]);
  });

  test("sending more does not put off the end of a dead link", () => {
    const keepAlive = new ClientKeepAlive(10, 5_000, 0);
    keepAlive.pinged(7_500);
    keepAlive.sent(12_000);
    expect(keepAlive.due(12_500)).toBe("dead");
  });

  test("anything heard answers the ping", () => {
    const keepAlive = new ClientKeepAlive(10, 5_000, 0);
    keepAlive.pinged(7_500);
    keepAlive.heard(12_000);
    expect(keepAlive.due(12_500)).toBe("none");
    expect(keepAlive.deadlineMs).toBe(15_000);
  });

  test("a keep alive of 0 is never due (MQTT 5.0 §3.1.2.10)", () => {
    const keepAlive = new ClientKeepAlive(0, 5_000, 0);
    expect([keepAlive.deadlineMs, keepAlive.due(1e12)]).toEqual([Number.POSITIVE_INFINITY, "none"]);
  });
});

describe("ServerKeepAlive", () => {
  test("a silent client is gone after one and a half intervals [MQTT-3.1.2-22] [MQTT3-3.1.2-24]", () => {
    const keepAlive = new ServerKeepAlive(10, 1_000);
    expect(keepAlive.deadlineMs).toBe(16_000);
    keepAlive.heard(5_000);
    expect(keepAlive.deadlineMs).toBe(20_000);
  });

  test("a keep alive of 0 never ends (MQTT 5.0 §3.1.2.10)", () => {
    expect(new ServerKeepAlive(0, 1_000).deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});
