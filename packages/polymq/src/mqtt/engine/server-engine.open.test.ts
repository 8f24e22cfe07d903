import { describe, expect, test } from "vitest";
import type { Auth, ConnectProperties, ProtocolLevel } from "../codec/packets.ts";
import { CUTS, type Cut, DrivenServer, hex, LEVELS, type ServerSetup } from "./engine-pair.test-support.ts";

const CASES: readonly { readonly level: ProtocolLevel; readonly cut: Cut }[] = LEVELS.flatMap((level) =>
  CUTS.map((cut) => ({ level, cut })),
);

/** Feeds what must end the connection; at level 5 DISCONNECT says the reason code. */
function expectEnd(server: DrivenServer, input: string, code: string, reasonCode: string): void {
  server.feed(input);
  expect(server.told()).toEqual([`failed ${code}`]);
  expect(server.sent().map((each) => [each.slice(0, 2), each.slice(4, 6)])).toEqual(
    server.engine.protocolLevel === 5 ? [["e0", reasonCode]] : [],
  );
  expect(server.engine.over).toBe(true);
}

describe.each(CASES)("ServerEngine, an open connection at level $level, $cut", ({ level, cut }) => {
  const v5 = level === 5;
  const open = (setup: ServerSetup = {}): DrivenServer => DrivenServer.opened(cut, level, setup);

  test("SUBSCRIBE is told and answered with its packet id and a code per filter [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-6] [MQTT-2.2.1-6] [MQTT-3.9.3-1] [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT3-2.3.1-7] [MQTT3-3.9.3-1]", () => {
    const server = open().feed(v5 ? "82 0b 1234 00 0001 'a' 01 0001 'b' 02" : "82 0a 1234 0001 'a' 01 0001 'b' 02");
    expect(server.told()).toEqual(["subscribe 4660 a:1 b:2"]);
    server.engine.sendSuback({ type: "suback", packetId: 0x1234, reasonCodes: [1, 0x80], properties: null });
    expect(server.sent()).toEqual([v5 ? hex("90 05 1234 00 01 80") : hex("90 04 1234 01 80")]);
  });

  test("UNSUBSCRIBE is told and answered with its packet id [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-2.2.1-6] [MQTT-3.11.3-1] [MQTT3-3.10.4-4] [MQTT3-2.3.1-7]", () => {
    const server = open().feed(v5 ? "a2 09 1234 00 0001 'a' 0001 'b'" : "a2 08 1234 0001 'a' 0001 'b'");
    expect(server.told()).toEqual(["unsubscribe 4660 a b"]);
    const reasonCodes = v5 ? [0, 0x11] : [];
    server.engine.sendUnsuback({ type: "unsuback", packetId: 0x1234, reasonCodes, properties: null });
    expect(server.sent()).toEqual([v5 ? hex("b0 05 1234 00 00 11") : hex("b0 02 1234")]);
  });

  test("codes that SUBACK cannot carry are thrown to the owner [MQTT-3.9.3-2] [MQTT-3.8.4-7] [MQTT3-3.9.3-2] [MQTT3-3.8.4-5]", () => {
    const server = open();
    expect(() =>
      server.engine.sendSuback({ type: "suback", packetId: 1, reasonCodes: [v5 ? 0x8e : 0x87], properties: null }),
    ).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect([server.sent(), server.engine.over]).toEqual([[], false]);
  });

  test("PINGREQ is answered by PINGRESP [MQTT-3.12.4-1] [MQTT3-3.12.4-1]", () => {
    const server = open().feed("c0 00 c0 00");
    expect([server.sent(), server.told()]).toEqual([[hex("d0 00"), hex("d0 00")], []]);
  });

  test.each([
    [
      "SUBSCRIBE with reserved flags [MQTT-3.8.1-1] [MQTT-2.1.3-1] [MQTT3-3.8.1-1] [MQTT3-2.2.2-2]",
      "80 07 0001 00 0001 'a' 00",
    ],
    ["UNSUBSCRIBE with reserved flags [MQTT-3.10.1-1] [MQTT3-3.10.1-1]", "a0 06 0001 00 0001 'a'"],
    ["DISCONNECT with reserved flags [MQTT-3.14.1-1] [MQTT3-3.14.1-1]", "e1 00"],
    ["PINGREQ with a body", "c0 01 00"],
  ])("%s ends the connection", (_, input) => {
    expectEnd(open(), input, "ERR_MALFORMED_PACKET", "81");
  });

  test("SUBSCRIBE without a filter ends the connection [MQTT-3.8.3-2] [MQTT3-3.8.3-3]", () => {
    expectEnd(open(), v5 ? "82 03 0001 00" : "82 02 0001", "ERR_PROTOCOL_VIOLATION", "82");
  });

  test("SUBSCRIBE with QoS 3 or reserved bits ends the connection [MQTT-3.8.3-5] [MQTT3-3.8.3-4]", () => {
    expectEnd(open(), v5 ? "82 07 0001 00 0001 'a' 40" : "82 06 0001 0001 'a' 03", "ERR_MALFORMED_PACKET", "81");
  });

  test.each([
    ["CONNACK", "20 03 00 00 00", "20 02 00 00"],
    ["SUBACK", "90 04 0001 00 00", "90 03 0001 00"],
    ["UNSUBACK", "b0 04 0001 00 00", "b0 02 0001"],
    ["PINGRESP", "d0 00", "d0 00"],
  ])("%s, which only a server sends, ends the connection [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", (_, five, four) => {
    expectEnd(open(), v5 ? five : four, "ERR_UNEXPECTED_PACKET", "82");
  });

  test("a QoS above the server's maximum ends the connection with 0x9B [MQTT-3.2.2-11] [MQTT-3.2.2-9]", () => {
    const server = open({ acceptance: { properties: { maximumQoS: 1 } } });
    server.feed(v5 ? "32 08 0001 't' 0002 00 'hi'" : "32 07 0001 't' 0002 'hi'");
    expect(server.told()).toEqual(["publish t q1 hi"]);
    expectEnd(server, v5 ? "34 08 0001 't' 0003 00 'hi'" : "34 07 0001 't' 0003 'hi'", "ERR_INVALID_QOS", "9b");
  });

  test("a subscription may ask for more than the server's maximum QoS [MQTT-3.2.2-10]", () => {
    const server = open({ acceptance: { properties: { maximumQoS: 1 } } });
    server.feed(v5 ? "82 07 0001 00 0001 'a' 02" : "82 06 0001 0001 'a' 02");
    expect(server.told()).toEqual(["subscribe 1 a:2"]);
  });

  test("UNSUBSCRIBE without a filter ends the connection [MQTT-3.10.3-2] [MQTT3-3.10.3-2]", () => {
    expectEnd(open(), v5 ? "a2 03 0001 00" : "a2 02 0001", "ERR_PROTOCOL_VIOLATION", "82");
  });

  test("a retained message ends the connection with 0x9A where the server has none [MQTT-3.2.2-14]", () => {
    const server = open({ acceptance: { properties: { retainAvailable: false } } });
    expectEnd(server, v5 ? "31 06 0001 't' 00 'hi'" : "31 05 0001 't' 'hi'", "ERR_NOT_SUPPORTED_BY_SERVER", "9a");
  });

  test("DISCONNECT is told, and nothing behind it is read [MQTT-3.14.4-1] [MQTT3-3.14.4-1]", () => {
    const server = open().feed("e0 00 c0 00");
    expect([server.told(), server.sent(), server.engine.over]).toEqual([["disconnect 0x00"], [], true]);
    expect(server.engine.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("the server's goodbye has words at level 5 only [MQTT-3.14.4-2] [MQTT-3.14.2-1]", () => {
    const server = open();
    server.engine.disconnect(0x8b, null);
    expect([server.sent(), server.engine.over, server.told()]).toEqual([v5 ? [hex("e0 01 8b")] : [], true, []]);
  });

  test("before CONNACK the goodbye has none [MQTT-3.14.0-1]", () => {
    const server = new DrivenServer(cut, { answer: "later" });
    server.feed(v5 ? "10 0e 0004 'MQTT' 05 02 003c 00 0001 'c'" : "10 0d 0004 'MQTT' 04 02 003c 0001 'c'");
    server.engine.disconnect(0x8b, null);
    expect([server.sent(), server.engine.over]).toEqual([[], true]);
  });
});

describe.each(CUTS)("ServerEngine, 5.0 only, %s", (cut) => {
  const open = (properties: ConnectProperties = {}): DrivenServer => DrivenServer.opened(cut, 5, {}, { properties });

  test("a subscription identifier in a client's PUBLISH ends the connection [MQTT-3.3.4-6]", () => {
    expectEnd(open(), "30 08 0001 't' 02 0b 01 'hi'", "ERR_PROTOCOL_VIOLATION", "82");
  });

  test("No Local on a shared subscription ends the connection [MQTT-3.8.3-4]", () => {
    expectEnd(open(), "82 10 0001 00 000a '$share/g/a' 04", "ERR_PROTOCOL_VIOLATION", "82");
  });

  test.each([
    ["without a share name [MQTT-4.8.2-1]", "82 0f 0001 00 0009 '$share//a' 00"],
    ["with a wildcard in its share name [MQTT-4.8.2-2]", "82 10 0001 00 000a '$share/+/a' 00"],
    ["without a filter [MQTT-4.8.2-2]", "82 0e 0001 00 0008 '$share/g' 00"],
  ])("a shared subscription %s ends the connection", (_, input) => {
    expectEnd(open(), input, "ERR_MALFORMED_PACKET", "81");
  });

  test("DISCONNECT with a reason, and with an expiry where CONNECT had one, is told (MQTT 5.0 §3.14.2)", () => {
    expect(open().feed("e0 01 04").told()).toEqual(["disconnect 0x04"]);
    expect(open({ sessionExpirySeconds: 1 }).feed("e0 07 00 05 11 00000009").told()).toEqual(["disconnect 0x00"]);
    expect(open().feed("e0 07 00 05 11 00000000").told()).toEqual(["disconnect 0x00"]);
  });

  test("DISCONNECT that raises a session expiry of 0 is a protocol error (MQTT 5.0 §3.14.2.2.2)", () => {
    expectEnd(open(), "e0 07 00 05 11 00000009", "ERR_PROTOCOL_VIOLATION", "82");
    expectEnd(open({ sessionExpirySeconds: 0 }), "e0 07 00 05 11 00000001", "ERR_PROTOCOL_VIOLATION", "82");
  });

  test.each(["8b", "8e", "9a"])(
    "DISCONNECT 0x%s, which only a server may send, is a protocol error [MQTT-3.14.2-1]",
    (code) => {
      expectEnd(open(), `e0 01 ${code}`, "ERR_PROTOCOL_VIOLATION", "82");
    },
  );

  test("DISCONNECT with a code that does not exist is a protocol error [MQTT-3.14.2-1]", () => {
    expectEnd(open(), "e0 01 85", "ERR_PROTOCOL_VIOLATION", "82");
  });

  test.each([0x00, 0x04, 0x85, 0xff])("a server cannot say DISCONNECT %i [MQTT-3.14.2-1]", (reasonCode) => {
    const server = open();
    expect(() => server.engine.disconnect(reasonCode, null)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect([server.sent(), server.engine.over]).toEqual([[], false]);
  });

  test("a server cannot send a session expiry in DISCONNECT [MQTT-3.14.2-2]", () => {
    const server = open();
    expect(() => server.engine.disconnect(0x8b, { sessionExpirySeconds: 5 })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect([server.sent(), server.engine.over]).toEqual([[], false]);
  });

  test("reasons go to a client that did not forbid them", () => {
    const server = open();
    server.engine.sendSuback({ type: "suback", packetId: 1, reasonCodes: [0], properties: { reasonString: "r" } });
    server.feed("00 00");
    const [suback, disconnect] = server.sent();
    expect(suback).toBe(hex("90 08 0001 04 1f 0001 'r' 00"));
    expect(disconnect?.length).toBeGreaterThan(6);
  });

  test("a client that wants no reasons gets none in SUBACK, UNSUBACK and AUTH [MQTT-3.1.2-29]", () => {
    const server = open({ requestProblemInformation: false, authenticationMethod: "m" });
    const properties = { reasonString: "r", userProperties: [["a", "b"]] } as const;
    server.engine.sendSuback({ type: "suback", packetId: 1, reasonCodes: [0], properties });
    server.engine.sendUnsuback({ type: "unsuback", packetId: 1, reasonCodes: [0], properties });
    server.engine.sendAuth({
      type: "auth",
      reasonCode: 0x18,
      properties: { ...properties, authenticationMethod: "m" },
    });
    server.feed("00 00");
    expect(server.sent()).toEqual([
      hex("90 04 0001 00 00"),
      hex("b0 04 0001 00 00"),
      hex("f0 06 18 04 15 0001 'm'"),
      hex("e0 01 81"),
    ]);
  });

  test("SUBACK and UNSUBACK leave out what is too large for the client [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.1.2-24]", () => {
    const server = open({ maximumPacketSize: 13 });
    const properties = { reasonString: "r", userProperties: [["a", "b"]] } as const;
    server.engine.sendSuback({ type: "suback", packetId: 1, reasonCodes: [0], properties });
    server.engine.sendUnsuback({ type: "unsuback", packetId: 1, reasonCodes: [0, 0], properties });
    expect(server.sent()).toEqual([hex("90 0b 0001 07 26 0001 'a' 0001 'b' 00"), hex("b0 05 0001 00 00 00")]);
  });
});

describe.each(CUTS)("ServerEngine, enhanced authentication, %s", (cut) => {
  const connect = { properties: { authenticationMethod: "m" } };
  const auth = (reasonCode: number, authenticationMethod?: string): Auth => ({
    type: "auth",
    reasonCode,
    properties: authenticationMethod === undefined ? null : { authenticationMethod },
  });
  const AUTH_M = "f0 06 18 04 15 0001 'm'";

  function deciding(): DrivenServer {
    const server = DrivenServer.opened(cut, 5, { answer: "later" }, connect);
    expect(server.engine.open).toBe(false);
    return server;
  }

  test("challenge, response, and a CONNACK that names the method [MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-3.2.0-1]", () => {
    const server = deciding();
    server.engine.sendAuth(auth(0x18, "m"));
    expect(server.sent()).toEqual([hex(AUTH_M)]);
    expect(server.feed(AUTH_M).told()).toEqual(["auth 0x18 m"]);
    server.accept();
    expect(server.sent()).toEqual([hex("20 07 00 00 04 15 0001 'm'")]);
  });

  test("a re-authentication begins with 0x19 and ends with 0x00 [MQTT-4.12.1-1]", () => {
    const server = deciding();
    server.accept();
    server.sent();
    expect(server.feed("f0 06 19 04 15 0001 'm'").told()).toEqual(["auth 0x19 m"]);
    server.engine.sendAuth(auth(0, "m"));
    expect(server.sent()).toEqual([hex("f0 06 00 04 15 0001 'm'")]);
  });

  test("an authentication that failed ends the connection [MQTT-4.12.0-4] [MQTT-4.12.1-2] [MQTT-4.12.0-1]", () => {
    const server = deciding();
    server.engine.refuse(0x8c, null);
    expect([server.sent(), server.engine.over]).toEqual([[hex("20 03 00 8c 00")], true]);
    const again = deciding();
    again.accept();
    again.sent();
    again.engine.disconnect(0x87, null);
    expect([again.sent(), again.engine.over]).toEqual([[hex("e0 01 87")], true]);
  });

  test.each([
    ["another method [MQTT-4.12.0-5]", "f0 06 18 04 15 0001 'x'", "ERR_AUTH_METHOD_MISMATCH", "8c"],
    ["re-authenticate before CONNACK [MQTT-4.12.0-3]", "f0 06 19 04 15 0001 'm'", "ERR_PROTOCOL_VIOLATION", "82"],
    ["success from a client [MQTT-4.12.0-3]", "f0 06 00 04 15 0001 'm'", "ERR_PROTOCOL_VIOLATION", "82"],
    ["a code that does not exist [MQTT-3.15.2-1]", "f0 06 17 04 15 0001 'm'", "ERR_PROTOCOL_VIOLATION", "82"],
    ["reserved flags [MQTT-3.15.1-1]", "f1 06 18 04 15 0001 'm'", "ERR_MALFORMED_PACKET", "81"],
  ])("AUTH with %s ends the handshake", (_, input, code, reasonCode) => {
    const server = deciding().feed(input);
    expect(server.told()).toEqual([`failed ${code}`]);
    expect(server.sent()).toEqual([hex(`20 03 00 ${reasonCode} 00`)]);
  });

  test("AUTH from a client that named no method ends the connection [MQTT-4.12.0-7]", () => {
    expectEnd(DrivenServer.opened(cut, 5), AUTH_M, "ERR_PROTOCOL_VIOLATION", "82");
  });

  test("AUTH at level 4 ends the connection", () => {
    expectEnd(DrivenServer.opened(cut, 4), "f0 00", "ERR_MALFORMED_PACKET", "81");
  });

  test.each([
    ["another method [MQTT-4.12.0-5]", auth(0x18, "x")],
    ["no method [MQTT-4.12.0-5]", auth(0x18)],
    ["success before CONNACK [MQTT-4.12.0-2]", auth(0, "m")],
    ["re-authenticate [MQTT-4.12.0-2]", auth(0x19, "m")],
  ])("a server cannot send AUTH with %s", (_, packet) => {
    const server = deciding();
    expect(() => server.engine.sendAuth(packet)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(server.sent()).toEqual([]);
  });

  test("to a client that named no method goes neither AUTH nor a method in CONNACK [MQTT-4.12.0-6]", () => {
    const server = DrivenServer.opened(cut, 5, { answer: "later" });
    const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
    expect(() => server.engine.sendAuth(auth(0x18, "m"))).toThrow(refused);
    expect(() => server.accept({ properties: { authenticationMethod: "m" } })).toThrow(refused);
    expect(server.sent()).toEqual([]);
  });
});
