import { describe, expect, test } from "vitest";
import { listenerAddress } from "./listener-address.ts";
import { PLAIN, TLS, WEB } from "./listeners.test-support.ts";
import { mqttProtocol } from "./mqtt-protocol.ts";

const protocols = [
  mqttProtocol(() => {
    throw new Error("never accepted here");
  }),
  {
    ...mqttProtocol(() => {
      throw new Error("never accepted here");
    }),
    name: "quiet",
    schemes: null,
    subprotocol: null,
    bareWebSocket: "refuse" as const,
  },
];
const bound = { host: "127.0.0.1", port: 4321 };

describe("listenerAddress", () => {
  test("a plain port has an URL per protocol and WebSocket path; protocols without a scheme have none", () => {
    const settings = { ...PLAIN, webSocket: { ...WEB, paths: ["/mqtt", "/"] } };
    expect(listenerAddress(settings, bound, { protocols, http: "no" })).toEqual({
      transport: "tcp",
      host: "127.0.0.1",
      port: 4321,
      urls: ["mqtt://127.0.0.1:4321", "ws://127.0.0.1:4321/mqtt", "ws://127.0.0.1:4321/"],
    });
  });

  test("a TLS port names secure schemes only", () => {
    const address = listenerAddress({ ...PLAIN, tls: TLS, webSocket: WEB }, bound, { protocols, http: "no" });
    expect(address.transport).toBe("tls");
    expect(address.urls).toEqual(["mqtts://127.0.0.1:4321", "wss://127.0.0.1:4321/mqtt"]);
  });

  test("a TLS port that lets plain connections in names both", () => {
    const address = listenerAddress({ ...PLAIN, tls: { ...TLS, plaintext: "allow" } }, bound, {
      protocols,
      http: "no",
    });
    expect(address.urls).toEqual(["mqtt://127.0.0.1:4321", "mqtts://127.0.0.1:4321"]);
  });

  test("where HTTP is served it has an URL, behind the protocols", () => {
    const urls = (settings: typeof PLAIN): readonly string[] =>
      listenerAddress(settings, bound, { protocols, http: "yes" }).urls;
    expect(urls(PLAIN)).toEqual(["mqtt://127.0.0.1:4321", "http://127.0.0.1:4321"]);
    expect(urls({ ...PLAIN, tls: TLS })).toEqual(["mqtts://127.0.0.1:4321", "https://127.0.0.1:4321"]);
  });

  test("IPv6 hosts stand in brackets, and a wildcard is reached as localhost", () => {
    const urls = (host: string): readonly string[] =>
      listenerAddress(PLAIN, { host, port: 1 }, { protocols, http: "no" }).urls;
    expect(urls("::1")).toEqual(["mqtt://[::1]:1"]);
    expect(urls("0.0.0.0")).toEqual(["mqtt://localhost:1"]);
    expect(urls("::")).toEqual(["mqtt://localhost:1"]);
  });
});
