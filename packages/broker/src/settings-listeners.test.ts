import { describe, expect, test } from "vitest";
import type { BrokerOptions } from "./options.ts";
import { brokerSettings } from "./settings.ts";

const tls = { cert: "c", key: "k" };

describe("the options for listeners", () => {
  test("several ports, each with its own TLS and WebSocket", () => {
    const { listeners } = brokerSettings({
      listeners: [
        { port: 1883, protocols: ["mqtt"], webSocket: false },
        {
          port: 8883,
          host: "::",
          tls: { ...tls, ca: ["a", "b"], clientCertificate: "require", minVersion: "TLSv1.3" },
        },
      ],
    });
    expect(listeners[0]).toEqual({ host: "127.0.0.1", port: 1883, tls: null, protocols: ["mqtt"], webSocket: null });
    expect(listeners[1]).toMatchObject({
      host: "::",
      port: 8883,
      tls: {
        ca: ["a", "b"],
        clientCertificate: "require",
        plaintext: "refuse",
        minVersion: "TLSv1.3",
        maxVersion: null,
      },
    });
  });

  test("a WebSocket message may hold the largest packet and something more", () => {
    const { listeners } = brokerSettings({ mqtt: { maximumPacketSize: 10_000 } });
    expect(listeners[0]?.webSocket?.messageBytesMax).toBe(75_536);
  });

  test("TLS may be given as PKCS#12 alone", () => {
    const pfx = Uint8Array.of(1);
    expect(brokerSettings({ tls: { pfx, passphrase: "p" } }).listeners[0]?.tls).toMatchObject({
      pfx,
      cert: null,
      key: null,
    });
  });

  test.each<[object, RegExp]>([
    [{ port: 65_536 }, /^port: /],
    [{ port: "1883" }, /^port: /],
    [{ host: "" }, /^host: /],
    [{ listeners: [] }, /^listeners: must not be empty$/],
    [{ listeners: [{ host: "::1" }] }, /^listeners\[0\]\.port: is required$/],
    [{ listeners: [{ port: 1 }], port: 2 }, /^port: belongs into each of listeners/],
    [{ listeners: [{ port: 1 }], tls }, /^tls: belongs into/],
    [{ listeners: [{ port: 1, ssl: tls }] }, /^listeners\[0\]\.ssl: /],
    [{ protocols: ["kafka"] }, /^protocols: must be a list out of mqtt, amqp091, amqp10, http$/],
    [{ protocols: [] }, /^protocols: /],
    [{ webSocket: { paths: ["mqtt"] } }, /^webSocket\.paths: /],
    [{ webSocket: { paths: [] } }, /^webSocket\.paths: /],
    [{ webSocket: "yes" }, /^webSocket: must be an object$/],
    [{ tls: {} }, /^tls\.cert: is required, or pfx$/],
    [{ tls: { cert: "c" } }, /^tls\.key: is required, or pfx$/],
    [{ tls: { ...tls, cert: 7 } }, /^tls\.cert: /],
    [{ tls: { ...tls, ca: [] } }, /^tls\.ca: /],
    [{ tls: { ...tls, clientCertificate: "ask" } }, /^tls\.ca: is required/],
    [{ tls: { ...tls, minVersion: "TLSv1.1" } }, /^tls\.minVersion: /],
    [{ tls: { ...tls, rejectUnauthorized: false } }, /^tls\.rejectUnauthorized: is no known option$/],
  ])("%j is refused by the name of its field", (options, message) => {
    expect(() => brokerSettings(options as BrokerOptions)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTIONS", message: expect.stringMatching(message) }),
    );
  });
});
