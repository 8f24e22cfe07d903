import { describe, expect, test } from "vitest";
import { amqp10Protocol, anyAmqpProtocol } from "./amqp10-protocol.ts";
import { amqp091Protocol } from "./amqp091-protocol.ts";
import { type Offer, routeOf } from "./first-bytes.ts";
import { mqttProtocol } from "./mqtt-protocol.ts";
import type { ProtocolFactory } from "./protocol-factory.ts";

const mqtt = mqttProtocol(() => {
  throw new Error("never accepted here");
});
const amqp = amqp091Protocol(() => {
  throw new Error("never accepted here");
});
const amqp10 = amqp10Protocol(() => {
  throw new Error("never accepted here");
});
/** As a broker lists its protocols. */
const EVERY: Offer = { protocols: [mqtt, amqp10, amqp, anyAmqpProtocol(amqp10)], tls: "yes", http: "yes" };
const ALL: Offer = { protocols: [mqtt, amqp], tls: "yes", http: "yes" };

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function routed(text: string, offer: Offer = ALL): string {
  const route = routeOf(bytes(text), offer);
  return route.is === "protocol" ? route.factory.name : route.is;
}

describe("routeOf", () => {
  test("the first byte of CONNECT is MQTT", () => {
    expect(routed("\x10")).toBe("mqtt");
  });

  test("CONNECT with reserved flags set is nobody's [MQTT-2.1.3-1]", () => {
    expect(routed("\x11")).toBe("unknown");
  });

  test("another packet than CONNECT at first is nobody's [MQTT-3.1.0-1]", () => {
    expect(routed("\xc0\x00")).toBe("unknown");
  });

  test("AMQP is told by its four letters", () => {
    expect(routed("AMQ")).toBe("more");
    expect(routed("AMQP")).toBe("amqp091");
    expect(routed("AMQX")).toBe("unknown");
  });

  test.each([
    ["\x00\x01\x00\x00", "amqp10"],
    ["\x03\x01\x00\x00", "amqp10"],
    ["\x02\x01\x00\x00", "amqp10"],
    ["\x00\x00\x09\x01", "amqp091"],
    ["\x01\x01\x00\x09", "amqp091"],
    ["\x00\x01\x01\x00", "amqp091"],
  ])("the versions of AMQP are told apart by what follows the letters: %j is %s", (version, name) => {
    expect(routed(`AMQP${version}`, EVERY)).toBe(name);
    expect(routed("AMQP", EVERY)).toBe("more");
  });

  test("where AMQP 1.0 is the only AMQP, every version is its (§2.2)", () => {
    const offer: Offer = { ...EVERY, protocols: [mqtt, amqp10, anyAmqpProtocol(amqp10)] };
    expect(routed("AMQP\x00\x00\x09\x01", offer)).toBe("amqp10");
    expect(routed("AMQX", offer)).toBe("unknown");
  });

  test("a TLS ClientHello is told by content type and major version", () => {
    expect(routed("\x16")).toBe("more");
    expect(routed("\x16\x03\x01\x02\x00")).toBe("tls");
    expect(routed("\x16\x02")).toBe("unknown");
  });

  test("TLS is nobody's where there is no certificate", () => {
    expect(routed("\x16\x03", { ...ALL, tls: "no" })).toBe("unknown");
  });

  test.each(["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "])(
    "HTTP is told by %s, byte by byte",
    (method) => {
      const request = `${method}/mqtt HTTP/1.1`;
      for (let length = 1; length < method.length; length++) expect(routed(request.slice(0, length))).toBe("more");
      expect(routed(request.slice(0, method.length))).toBe("http");
      expect(routed(request)).toBe("http");
    },
  );

  test("HTTP is nobody's where it is not offered", () => {
    expect(routed("GET ", { ...ALL, http: "no" })).toBe("unknown");
  });

  test("nothing is waited for after eight bytes", () => {
    const slow: ProtocolFactory = { ...amqp, matches: () => "more" };
    const offer: Offer = { protocols: [slow], tls: "no", http: "no" };
    expect(routed("1234567", offer)).toBe("more");
    expect(routed("12345678", offer)).toBe("unknown");
  });

  test("a protocol sees no more than eight bytes", () => {
    let seen = 0;
    const nosy: ProtocolFactory = {
      ...amqp,
      matches: (firstBytes) => {
        seen = firstBytes.length;
        return "no";
      },
    };
    routed("123456789abcdef", { ...ALL, protocols: [nosy] });
    expect(seen).toBe(8);
  });
});
