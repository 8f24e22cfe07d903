import { describe, expect, test } from "vitest";
import type { ConnackProperties, ConnectProperties } from "../codec/packets.ts";
import {
  bytes,
  CUTS,
  connectPacket,
  DrivenServer,
  encoded,
  hex,
  LEVELS,
  type ServerSetup,
} from "./engine-pair.test-support.ts";

const CONNECT_4 = "10 0d 0004 'MQTT' 04 02 003c 0001 'c'";
const CONNECT_5 = "10 0e 0004 'MQTT' 05 02 003c 00 0001 'c'";

/** A server that has seen a CONNECT of level 5 with these properties. */
function seen(cut: (typeof CUTS)[number], properties: ConnectProperties, setup: ServerSetup = {}): DrivenServer {
  const server = new DrivenServer(cut, setup).feed(encoded(connectPacket(5, { properties }), 5));
  server.told();
  return server;
}

describe.each(CUTS)("ServerEngine, a client connects, %s", (cut) => {
  test("an accepted 3.1.1 client gets CONNACK first, with code 0 [MQTT3-3.1.4-4] [MQTT3-3.2.0-1] [MQTT3-3.2.2-1]", () => {
    const server = new DrivenServer(cut).feed(CONNECT_4);
    expect([server.told(), server.sent()]).toEqual([["connect c v4"], [hex("20 02 00 00")]]);
    expect([server.engine.open, server.engine.protocolLevel]).toEqual([true, 4]);
  });

  test("an accepted 5.0 client gets CONNACK with code 0x00 and a property length [MQTT-3.1.4-5] [MQTT-3.2.2-2] [MQTT-2.2.2-1]", () => {
    const server = new DrivenServer(cut).feed(CONNECT_5);
    expect([server.told(), server.sent()]).toEqual([["connect c v5"], [hex("20 03 00 00 00")]]);
    expect([server.engine.open, server.engine.protocolLevel]).toEqual([true, 5]);
  });

  test.each([true, false])(
    "session present is said as the owner says it: %s [MQTT-3.2.2-3] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3]",
    (sessionPresent) => {
      const flag = sessionPresent ? "01" : "00";
      const v4 = new DrivenServer(cut, { acceptance: { sessionPresent } }).feed(
        encoded(connectPacket(4, { cleanStart: false }), 4),
      );
      const v5 = new DrivenServer(cut, { acceptance: { sessionPresent } }).feed(
        encoded(connectPacket(5, { cleanStart: false }), 5),
      );
      expect([v4.sent(), v5.sent()]).toEqual([[hex(`20 02 ${flag} 00`)], [hex(`20 03 ${flag} 00 00`)]]);
    },
  );

  test("there is one CONNACK, however often the owner answers [MQTT-3.2.0-2]", () => {
    const server = new DrivenServer(cut).feed(CONNECT_5);
    server.accept();
    expect(server.sent()).toHaveLength(1);
  });

  test("a refused 5.0 client gets the code without session present, and no more is read [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.1.4-2] [MQTT-3.1.4-6] [MQTT-3.1.3-8]", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(`${CONNECT_5} c0 00`);
    server.engine.refuse(0x85, { reasonString: "no" });
    expect(server.sent()).toEqual([hex("20 08 00 85 05 1f 0002 'no'")]);
    expect([server.engine.over, server.engine.deadlineMs]).toEqual([true, Number.POSITIVE_INFINITY]);
    server.feed("c0 00");
    server.accept();
    expect([server.told(), server.sent()]).toEqual([["connect c v5"], []]);
  });

  test.each([
    [0x84, "01"],
    [0x85, "02"],
    [0x88, "03"],
    [0x86, "04"],
    [0x87, "05"],
  ])(
    "a 3.1.1 client is refused with %i said as a return code [MQTT3-3.2.2-4] [MQTT3-3.2.2-5] [MQTT3-3.1.3-9] [MQTT3-3.1.4-5]",
    (reasonCode, returnCode) => {
      const server = new DrivenServer(cut, { answer: "later" }).feed(CONNECT_4);
      server.engine.refuse(reasonCode, null);
      server.feed("c0 00");
      expect([server.sent(), server.engine.over]).toEqual([[hex(`20 02 00 ${returnCode}`)], true]);
    },
  );

  test("a 3.1.1 client is refused without CONNACK where no return code fits [MQTT3-3.2.2-6]", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(CONNECT_4);
    server.engine.refuse(0x80, null);
    expect([server.sent(), server.engine.over]).toEqual([[], true]);
  });

  test.each([
    ["3.1", "10 0f 0006 'MQIsdp' 03 02 003c 0001 'c'", "20 02 00 01"],
    ["MQTT at level 3", "10 0d 0004 'MQTT' 03 02 003c 0001 'c'", "20 02 00 01"],
    ["MQTT at level 6", "10 0e 0004 'MQTT' 06 02 003c 00 0001 'c'", "20 03 00 84 00"],
    ["another name at level 4 [MQTT3-3.1.2-1]", "10 0d 0004 'MQTX' 04 02 003c 0001 'c'", "20 02 00 01"],
    ["another name at level 5 [MQTT-3.1.2-1]", "10 0e 0004 'MQTX' 05 02 003c 00 0001 'c'", "20 03 00 84 00"],
  ])("a client of %s is refused in the form it understands [MQTT-3.1.2-2] [MQTT3-3.1.2-2]", (_, input, connack) => {
    const server = new DrivenServer(cut).feed(input);
    expect([server.told(), server.sent()]).toEqual([["failed ERR_INVALID_PROTOCOL"], [hex(connack)]]);
  });

  test("a malformed CONNECT of 5.0 is answered with 0x81 [MQTT-3.1.4-1] [MQTT-3.1.2-3]", () => {
    const server = new DrivenServer(cut).feed("10 0e 0004 'MQTT' 05 03 003c 00 0001 'c'");
    expect([server.told(), server.sent()]).toEqual([["failed ERR_MALFORMED_PACKET"], [hex("20 03 00 81 00")]]);
  });

  test("a malformed CONNECT of 3.1.1 is not answered [MQTT3-3.1.4-1] [MQTT3-3.1.2-3]", () => {
    const server = new DrivenServer(cut).feed("10 0d 0004 'MQTT' 04 03 003c 0001 'c'");
    expect([server.told(), server.sent()]).toEqual([["failed ERR_MALFORMED_PACKET"], []]);
  });

  test.each([
    ["PINGREQ", "c0 00"],
    ["PUBLISH", "30 05 0001 't' 'hi'"],
    ["DISCONNECT", "e0 00"],
    ["AUTH", "f0 00"],
    ["CONNACK", "20 03 00 00 00"],
  ])(
    "%s before CONNECT ends the connection without an answer [MQTT-3.1.0-1] [MQTT-3.14.0-1] [MQTT3-3.1.0-1]",
    (_, input) => {
      const server = new DrivenServer(cut).feed(input);
      expect([server.told(), server.sent()]).toEqual([["failed ERR_MALFORMED_PACKET"], []]);
    },
  );

  test("a CONNECT larger than we take ends the connection", () => {
    const server = new DrivenServer(cut, { maximumPacketSize: 10 }).feed("10 0e");
    expect([server.told(), server.sent()]).toEqual([["failed ERR_PACKET_TOO_LARGE"], []]);
  });

  test.each([
    ["5.0", CONNECT_5, ["82"]],
    ["3.1.1", CONNECT_4, []],
    ["5.0, of an unknown protocol", CONNECT_5, ["82"], "10 0e 0004 'MQTX' 05 02 003c 00 0001 'c'"],
  ])("a second CONNECT ends the connection: %s [MQTT-3.1.0-2] [MQTT3-3.1.0-2]", (_, first, codes, second = first) => {
    const server = new DrivenServer(cut).feed(first);
    server.sent();
    server.feed(second);
    expect(server.told()).toHaveLength(2);
    expect(server.sent().map((each) => each.slice(4, 6))).toEqual(codes);
    expect(server.engine.over).toBe(true);
  });
});

describe.each(CUTS)("ServerEngine, what a client sends before CONNACK, %s", (cut) => {
  test("waits for the answer and is then handled in order [MQTT-3.2.0-1] (MQTT 5.0 §3.1.4)", () => {
    const server = new DrivenServer(cut, { answer: "later" });
    server.feed(`${CONNECT_5} 82 07 0001 00 0001 'a' 00`).feed("32 08 0001 't' 0002 00 'hi' c0 00");
    expect([server.told(), server.sent()]).toEqual([["connect c v5"], []]);
    expect(() => server.publish("t", 0)).toThrow(expect.objectContaining({ code: "ERR_NOT_CONNECTED" }));
    server.accept();
    expect(server.told()).toEqual(["subscribe 1 a:0", "publish t q1 hi"]);
    expect(server.sent()).toEqual([hex("20 03 00 00 00"), hex("d0 00")]);
  });

  test("is decoded when its turn comes: a wrong one ends the connection behind CONNACK", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(`${CONNECT_5} 00 00 c0 00`);
    server.accept();
    expect(server.told()).toEqual(["connect c v5", "failed ERR_MALFORMED_PACKET"]);
    expect(server.sent().map((each) => each.slice(0, 2))).toEqual(["20", "e0"]);
  });

  test("ends with DISCONNECT only in its turn: a client may say all it has to say at once", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(`${CONNECT_5} 30 06 0001 't' 00 'hi' e0 00`);
    expect(server.told()).toEqual(["connect c v5"]);
    server.accept();
    expect([server.told(), server.engine.over]).toEqual([["publish t q0 hi", "disconnect 0x00"], true]);
  });

  test("DISCONNECT alone ends the connection at once", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(`${CONNECT_5} e0 00`);
    expect([server.told(), server.engine.over]).toEqual([["connect c v5", "disconnect 0x00"], true]);
    server.accept();
    expect(server.sent()).toEqual([]);
  });

  test("is dropped with a refusal [MQTT-3.1.4-6] [MQTT3-3.1.4-5]", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(`${CONNECT_4} 30 05 0001 't' 'hi'`);
    server.engine.refuse(0x87, null);
    expect([server.told(), server.sent()]).toEqual([["connect c v4"], [hex("20 02 00 05")]]);
  });
});

describe("ServerEngine, limits before CONNACK", () => {
  test("large packets are held back up to a limit", () => {
    const server = new DrivenServer("whole chunks", { answer: "later" }).feed(CONNECT_5);
    const large = bytes(`30 ff ff 1f 0001 't' 00`);
    const packet = new Uint8Array(4 + 0x7ffff);
    packet.set(large);
    server.feed(packet);
    expect(server.told()).toEqual(["connect c v5"]);
    server.feed(packet);
    expect(server.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
    expect(server.sent()).toEqual([hex("20 03 00 82 00")]);
  });

  test("so are small ones, for each costs more than its bytes", () => {
    const server = new DrivenServer("whole chunks", { answer: "later" }).feed(CONNECT_5);
    const pings = bytes("c0 00 ".repeat(1_000).trim());
    for (let i = 0; i < 7; i++) server.feed(pings);
    expect(server.told()).toEqual(["connect c v5"]);
    for (let i = 0; i < 3; i++) server.feed(pings);
    expect(server.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
  });

  test("a connection without CONNECT is given up in time", () => {
    const server = new DrivenServer("whole chunks", { connectTimeoutMs: 5_000 });
    server.nowMs = 4_000;
    server.feed("10 0e 0004");
    expect(server.engine.deadlineMs).toBe(5_000);
    server.engine.onTime(4_999);
    expect(server.told()).toEqual([]);
    server.engine.onTime(5_000);
    server.engine.onTime(6_000);
    expect([server.told(), server.sent()]).toEqual([["failed ERR_CONNECT_TIMEOUT"], []]);
  });

  test.each([
    [CONNECT_4, []],
    [CONNECT_5, [hex("20 03 00 80 00")]],
  ])("a CONNECT that nobody answers is given up in time", (connect, sent) => {
    const server = new DrivenServer("whole chunks", { answer: "later" }).feed(connect);
    server.told();
    server.engine.onTime(5_000);
    expect([server.told(), server.sent()]).toEqual([["failed ERR_CONNECT_TIMEOUT"], sent]);
    expect(server.engine.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe.each(CUTS)("ServerEngine, what CONNACK says, %s", (cut) => {
  const properties: ConnackProperties = { receiveMaximum: 7, reasonString: "r", userProperties: [["a", "b"]] };

  test("the owner's properties go to a 5.0 client and not to one of 3.1.1", () => {
    const setup = { acceptance: { properties: { receiveMaximum: 7 } } };
    expect(new DrivenServer(cut, setup).feed(CONNECT_5).sent()).toEqual([hex("20 06 00 00 03 21 0007")]);
    expect(new DrivenServer(cut, setup).feed(CONNECT_4).sent()).toEqual([hex("20 02 00 00")]);
  });

  test.each([
    [19, "20 11 00 00 0e 1f 0001 'r' 21 0007 26 0001 'a' 0001 'b'"],
    [18, "20 0d 00 00 0a 21 0007 26 0001 'a' 0001 'b'"],
    [14, "20 06 00 00 03 21 0007"],
    [8, "20 06 00 00 03 21 0007"],
  ])(
    "reason string and user properties are left out where the client takes %i bytes [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.1.2-24]",
    (maximumPacketSize, connack) => {
      const server = seen(cut, { maximumPacketSize }, { acceptance: { properties } });
      expect(server.sent()).toEqual([hex(connack)]);
    },
  );

  test("a client that takes no packet as large as CONNACK gets none, and no connection", () => {
    const server = new DrivenServer(cut).feed(encoded(connectPacket(5, { properties: { maximumPacketSize: 4 } }), 5));
    expect([server.told(), server.sent()]).toEqual([["connect c v5", "failed ERR_PACKET_TOO_LARGE"], []]);
    expect(server.engine.open).toBe(false);
  });

  test("a refusal that is too large ends the connection all the same [MQTT-4.13.2-1]", () => {
    const server = seen(cut, { maximumPacketSize: 4 }, { answer: "later" });
    server.engine.refuse(0x87, { reasonString: "no" });
    expect([server.sent(), server.engine.over]).toEqual([[], true]);
  });

  test("response information goes to a client that asked for it, and to no other [MQTT-3.1.2-28]", () => {
    const setup = { acceptance: { properties: { responseInformation: "r" } } };
    expect(seen(cut, { requestResponseInformation: true }, setup).sent()).toEqual([hex("20 07 00 00 04 1a 0001 'r'")]);
    expect(seen(cut, { requestResponseInformation: false }, setup).sent()).toEqual([hex("20 03 00 00 00")]);
    expect(seen(cut, {}, setup).sent()).toEqual([hex("20 03 00 00 00")]);
  });

  test("properties that cannot be sent are thrown to the owner, who can still answer otherwise", () => {
    const server = new DrivenServer(cut, { answer: "later" }).feed(CONNECT_5);
    expect(() => server.accept({ properties: { receiveMaximum: 0 } })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    server.engine.refuse(0x88, null);
    expect(server.sent()).toEqual([hex("20 03 00 88 00")]);
  });
});

describe.each(LEVELS)("ServerEngine, keep alive at level %i", (level) => {
  test("a client silent for one and a half intervals is given up [MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT3-3.1.2-24]", () => {
    const server = DrivenServer.opened("whole chunks", level, {}, { keepAliveSeconds: 10 });
    server.nowMs = 1_000;
    server.feed("c0 00");
    server.sent();
    expect(server.engine.deadlineMs).toBe(16_000);
    server.engine.onTime(15_999);
    expect(server.told()).toEqual([]);
    server.engine.onTime(16_000);
    expect(server.told()).toEqual(["failed ERR_PING_TIMEOUT"]);
    expect(server.sent().map((each) => each.slice(4, 6))).toEqual(level === 5 ? ["8d"] : []);
  });

  test("a keep alive of 0 gives nobody up", () => {
    const server = DrivenServer.opened("whole chunks", level, {}, { keepAliveSeconds: 0 });
    expect(server.engine.deadlineMs).toBe(Number.POSITIVE_INFINITY);
    server.engine.onTime(1e12);
    expect(server.told()).toEqual([]);
  });

  test("the server keep alive in CONNACK counts instead, at level 5 [MQTT-3.2.2-21]", () => {
    const setup = { acceptance: { properties: { serverKeepAliveSeconds: 4 } } };
    const server = DrivenServer.opened("whole chunks", level, setup, { keepAliveSeconds: 10 });
    expect(server.engine.deadlineMs).toBe(level === 5 ? 6_000 : 15_000);
  });
});
