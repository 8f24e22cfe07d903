import { describe, expect, test } from "vitest";
import { codeOf } from "./client-setup.test-support.ts";
import { dialKind, mqttEndpoint } from "./server-addresses.ts";
import { referencedEndpoints } from "./server-references.ts";

describe("server addresses", () => {
  test.each([
    ["host", "tcp", "host", 1883],
    ["host:1999", "tcp", "host", 1999],
    ["mqtt://host", "tcp", "host", 1883],
    ["tcp://host", "tcp", "host", 1883],
    ["mqtts://host", "tls", "host", 8883],
    ["ssl://host", "tls", "host", 8883],
    ["tls://host:1", "tls", "host", 1],
    ["ws://host", "ws", "host", 80],
    ["wss://host/mqtt", "wss", "host", 443],
    ["mqtt://[::1]:1884", "tcp", "::1", 1884],
  ])("%s is dialled as %s", (address, kind, host, port) => {
    const endpoint = mqttEndpoint(address);
    expect({ kind: dialKind(endpoint), host: endpoint.host, port: endpoint.port }).toEqual({ kind, host, port });
  });

  test.each(["amqp://host", "http://host", "mqtt://", "mqtt://host:99999"])("%s is refused", (address) => {
    expect(codeOf(() => mqttEndpoint(address))).toBe("ERR_INVALID_OPTIONS");
  });
});

describe("a server reference (MQTT 5.0 §4.11)", () => {
  const from = mqttEndpoint("mqtt://user:secret@old:1883");

  test("may name several servers, separated by spaces", () => {
    expect(referencedEndpoints("a b:1884  mqtt://c", from).map((each) => each.display)).toEqual([
      "mqtt://a:1883",
      "mqtt://b:1884",
      "mqtt://c:1883",
    ]);
  });

  test("takes scheme, path and credentials of the server that gave it", () => {
    const [endpoint] = referencedEndpoints("new:9001", mqttEndpoint("ws://user:secret@old/mqtt"));
    expect(endpoint).toMatchObject({ scheme: "ws", path: "/mqtt", username: "user", password: "secret", port: 9001 });
  });

  test("keeps its own credentials where it has some", () => {
    expect(referencedEndpoints("mqtt://me:mine@new", from)[0]).toMatchObject({ username: "me", password: "mine" });
  });

  test("that is no address is left out", () => {
    expect(referencedEndpoints("::: http://x mqtt://:99999999", from)).toEqual([]);
  });

  test("does not lead from an encrypted connection to one in the clear", () => {
    expect(referencedEndpoints("mqtt://new ws://new mqtts://new", mqttEndpoint("mqtts://old"))).toHaveLength(1);
  });
});
