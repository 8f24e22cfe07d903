import { describe, expect, test } from "vitest";
import type { Auth, Connack, ConnectProperties, ProtocolLevel } from "../codec/packets.ts";
import {
  type ClientSetup,
  CUTS,
  type Cut,
  connackPacket,
  DrivenClient,
  DrivenServer,
  EnginePair,
  encoded,
  hex,
  LEVELS,
} from "./engine-pair.test-support.ts";
import { Phase } from "./outbound-flow.ts";

const CASES: readonly { readonly level: ProtocolLevel; readonly cut: Cut }[] = LEVELS.flatMap((level) =>
  CUTS.map((cut) => ({ level, cut })),
);

const FILTER = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

function subscribe(client: DrivenClient, item: string, filter: string): number {
  return client.engine.request(item, { type: "subscribe", filters: [{ ...FILTER, filter }], properties: null });
}

function unsubscribe(client: DrivenClient, item: string, filter: string): number {
  return client.engine.request(item, { type: "unsubscribe", filters: [filter], properties: null });
}

describe.each(CASES)("ClientEngine, the handshake at level $level, $cut", ({ level, cut }) => {
  const v5 = level === 5;
  const started = (setup: ClientSetup = {}): DrivenClient => {
    const client = new DrivenClient(cut, { level, ...setup });
    client.engine.start();
    client.sent();
    return client;
  };
  const connack = (fields: Partial<Connack> = {}): Uint8Array => encoded(connackPacket(fields), level);

  test("CONNECT is the first packet [MQTT-3.1.0-1] [MQTT3-3.1.0-1]", () => {
    const client = new DrivenClient(cut, { level });
    client.engine.start();
    const packet = v5 ? "10 0e 0004 'MQTT' 05 02 003c 00 0001 'c'" : "10 0d 0004 'MQTT' 04 02 003c 0001 'c'";
    expect([client.sent(), client.engine.open]).toEqual([[hex(packet)], false]);
  });

  test("CONNACK opens the connection, and what is behind it is handled", () => {
    const client = started().feed(v5 ? "20 03 00 00 00 30 06 0001 't' 00 'hi'" : "20 02 00 00 30 05 0001 't' 'hi'");
    expect(client.told()).toEqual(["connected", "publish t q0 hi"]);
    expect([client.engine.open, client.engine.protocolLevel]).toEqual([true, level]);
  });

  test("session present is passed on", () => {
    const client = started({ connect: { cleanStart: false } }).feed(connack({ sessionPresent: true }));
    expect(client.told()).toEqual(["connected present"]);
  });

  test("session present after a clean start is a violation [MQTT-3.2.2-2] [MQTT-3.2.2-4] [MQTT3-3.2.2-1]", () => {
    const client = started().feed(connack({ sessionPresent: true }));
    expect([client.told(), client.engine.over]).toEqual([["failed ERR_PROTOCOL_VIOLATION"], true]);
  });

  test("a refusal is told with its code and ends the connection [MQTT-3.2.2-7] [MQTT-4.13.2-1] [MQTT3-3.2.2-5]", () => {
    const client = started().feed(connack({ reasonCode: v5 ? 0x87 : 5 }));
    expect([client.told(), client.sent(), client.engine.over]).toEqual([[`refused ${v5 ? "0x87" : "0x05"}`], [], true]);
  });

  test("a refusal is the end: no CONNACK behind it opens the connection", () => {
    const client = started().feed(v5 ? "20 03 00 87 00 20 03 00 00 00" : "20 02 00 05 20 02 00 00");
    expect([client.told(), client.engine.open]).toEqual([[`refused ${v5 ? "0x87" : "0x05"}`], false]);
  });

  test("a refusal with session present is a violation [MQTT-3.2.2-6] [MQTT3-3.2.2-4]", () => {
    const client = started().feed(v5 ? "20 03 01 87 00" : "20 02 01 05");
    expect(client.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
  });

  test("a code that CONNACK cannot carry is a violation [MQTT-3.2.2-8]", () => {
    expect(
      started()
        .feed(v5 ? "20 03 00 8e 00" : "20 02 00 06")
        .told(),
    ).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
  });

  test("reserved flags in CONNACK are malformed [MQTT-3.2.2-1] [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", () => {
    expect(
      started()
        .feed(v5 ? "20 03 02 00 00" : "20 02 02 00")
        .told(),
    ).toEqual(["failed ERR_MALFORMED_PACKET"]);
  });

  test.each([
    ["PUBLISH", "30 06 0001 't' 00 'hi'", "30 05 0001 't' 'hi'"],
    ["SUBACK", "90 04 0001 00 00", "90 03 0001 00"],
    ["PINGRESP", "d0 00", "d0 00"],
  ])("%s before CONNACK ends the connection, silently [MQTT-3.2.0-1] [MQTT3-3.2.0-1]", (_, five, four) => {
    const client = started().feed(v5 ? five : four);
    expect([client.told(), client.sent()]).toEqual([["failed ERR_UNEXPECTED_PACKET"], []]);
  });

  test("a second CONNACK ends the connection [MQTT-3.2.0-2]", () => {
    const client = started().feed(connack()).feed(connack());
    expect(client.told()).toEqual(["connected", "failed ERR_UNEXPECTED_PACKET"]);
    expect(client.sent().map((each) => each.slice(4, 6))).toEqual(v5 ? ["82"] : []);
  });

  test("DISCONNECT before CONNACK is an answer at level 5 only [MQTT-3.14.0-1]", () => {
    const client = started().feed(v5 ? "e0 01 8b" : "e0 00");
    expect(client.told()).toEqual([v5 ? "disconnected 0x8b" : "failed ERR_UNEXPECTED_PACKET"]);
    expect(client.engine.over).toBe(true);
  });

  test("before CONNACK neither a message nor a request goes out [MQTT-3.1.2-30]", () => {
    const client = started();
    const refused = expect.objectContaining({ code: "ERR_NOT_CONNECTED" });
    expect(() => client.publish("t", 0)).toThrow(refused);
    expect(() => subscribe(client, "x", "a")).toThrow(refused);
    expect([client.sent(), client.session.outbound.requestIds()]).toEqual([[], []]);
  });

  test("an end before CONNACK is without words", () => {
    const client = started();
    client.engine.disconnect(0, null);
    expect([client.sent(), client.engine.over]).toEqual([[], true]);
    expect([client.feed(connack()).told(), client.engine.deadlineMs]).toEqual([[], Number.POSITIVE_INFINITY]);
  });
});

describe.each(CASES)("ClientEngine, requests at level $level, $cut", ({ level, cut }) => {
  const v5 = level === 5;
  const open = (): DrivenClient => DrivenClient.opened(cut, { level });

  test("SUBSCRIBE goes out with an unused id and ends with its SUBACK [MQTT-2.2.1-3] [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT3-2.3.1-1] [MQTT3-2.3.1-2] [MQTT3-2.3.1-7] [MQTT3-3.8.4-2]", () => {
    const client = open();
    expect([subscribe(client, "x", "a"), subscribe(client, "y", "b")]).toEqual([1, 2]);
    const v5Packets = [hex("82 07 0001 00 0001 'a' 01"), hex("82 07 0002 00 0001 'b' 01")];
    const v4Packets = [hex("82 06 0001 0001 'a' 01"), hex("82 06 0002 0001 'b' 01")];
    expect(client.sent()).toEqual(v5 ? v5Packets : v4Packets);
    client.feed(v5 ? "90 04 0002 00 80 90 04 0001 00 01" : "90 03 0002 80 90 03 0001 01");
    expect(client.told()).toEqual(["suback y 2 0x80", "suback x 1 0x01"]);
    expect(client.session.outbound.requestIds()).toEqual([]);
  });

  test("UNSUBSCRIBE goes out with an unused id and ends with its UNSUBACK [MQTT-2.2.1-3] [MQTT-2.2.1-6] [MQTT-3.10.4-5] [MQTT3-3.10.4-4]", () => {
    const client = open();
    expect(unsubscribe(client, "x", "a")).toBe(1);
    expect(client.sent()).toEqual([v5 ? hex("a2 06 0001 00 0001 'a'") : hex("a2 05 0001 0001 'a'")]);
    client.feed(v5 ? "b0 04 0001 00 11" : "b0 02 0001");
    expect(client.told()).toEqual([v5 ? "unsuback x 1 0x11" : "unsuback x 1"]);
  });

  test.each([
    ["SUBACK for an unknown id", "90 04 0009 00 00", "90 03 0009 00"],
    ["UNSUBACK for an unknown id", "b0 04 0009 00 00", "b0 02 0009"],
    ["SUBACK for a message", "90 04 0001 00 00", "90 03 0001 00"],
    ["SUBACK for an UNSUBSCRIBE", "90 04 0003 00 00", "90 03 0003 00"],
    ["UNSUBACK for a SUBSCRIBE", "b0 04 0002 00 00", "b0 02 0002"],
    ["PUBACK for a SUBSCRIBE", "40 02 0002", "40 02 0002"],
    ["PUBREC for a SUBSCRIBE", "50 02 0002", "50 02 0002"],
    ["PUBCOMP for an UNSUBSCRIBE", "70 02 0003", "70 02 0003"],
  ])("%s is a protocol violation", (_, five, four) => {
    const client = open();
    client.publish("t", 1);
    subscribe(client, "x", "a");
    unsubscribe(client, "y", "a");
    client.sent();
    client.feed(v5 ? five : four);
    expect(client.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
    expect(client.sent().map((each) => each.slice(4, 6))).toEqual(v5 ? ["82"] : []);
  });

  test("a request that cannot be encoded is thrown to the caller and gives its id back [MQTT-3.8.3-2] [MQTT3-3.8.3-3]", () => {
    const client = open();
    for (const filter of ["a/#/b", ""]) {
      expect(() => subscribe(client, "x", filter)).toThrow(expect.objectContaining({ code: "ERR_INVALID_TOPIC" }));
    }
    expect(() => client.engine.request("x", { type: "subscribe", filters: [], properties: null })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect([client.sent(), client.engine.over, client.session.outbound.requestIds()]).toEqual([[], false, []]);
  });

  test("a request on a connection that is over is refused", () => {
    const client = open();
    client.engine.end();
    expect(() => subscribe(client, "x", "a")).toThrow(expect.objectContaining({ code: "ERR_NOT_CONNECTED" }));
    expect(client.session.outbound.requestIds()).toEqual([]);
  });

  test("without a free id a request is ERR_MAX_INFLIGHT [MQTT-2.2.1-3] [MQTT3-2.3.1-2]", () => {
    const client = open();
    for (let i = 0; i < 65_535; i++) client.session.outbound.beginRequest("s", Phase.Subscribe);
    expect(() => subscribe(client, "x", "a")).toThrow(expect.objectContaining({ code: "ERR_MAX_INFLIGHT" }));
    expect(client.sent()).toEqual([]);
  });

  test.each([
    ["SUBSCRIBE", "82 07 0001 00 0001 'a' 00", "82 06 0001 0001 'a' 00"],
    ["UNSUBSCRIBE", "a2 06 0001 00 0001 'a'", "a2 05 0001 0001 'a'"],
    ["PINGREQ", "c0 00", "c0 00"],
    ["CONNECT", "10 0e 0004 'MQTT' 05 02 003c 00 0001 'c'", "10 0d 0004 'MQTT' 04 02 003c 0001 'c'"],
  ])("%s, which only a client sends, ends the connection [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", (_, five, four) => {
    const client = open().feed(v5 ? five : four);
    expect(client.told()).toEqual(["failed ERR_UNEXPECTED_PACKET"]);
  });
});

describe.each(LEVELS)("ClientEngine, keep alive at level %i", (level) => {
  const open = (keepAliveSeconds: number): DrivenClient =>
    DrivenClient.opened("whole chunks", { level, connect: { keepAliveSeconds }, pingTimeoutMs: 2_000 });

  test("PINGREQ goes out before a silent interval is over [MQTT-3.1.2-20] [MQTT3-3.1.2-23]", () => {
    const client = open(10);
    expect(client.engine.deadlineMs).toBe(7_500);
    client.engine.onTime(7_499);
    expect(client.sent()).toEqual([]);
    client.engine.onTime(7_500);
    expect(client.sent()).toEqual([hex("c0 00")]);
    client.nowMs = 8_000;
    client.feed("d0 00");
    expect([client.told(), client.engine.deadlineMs]).toEqual([["pingresp"], 15_000]);
  });

  test("PINGREQ also goes out when the owner asks for it, and is waited for", () => {
    const client = open(10);
    client.engine.ping();
    expect([client.sent(), client.engine.deadlineMs]).toEqual([[hex("c0 00")], 2_000]);
    client.feed("d0 00");
    expect([client.told(), client.engine.deadlineMs]).toEqual([["pingresp"], 7_500]);
  });

  test("what was sent and heard puts the ping off", () => {
    const client = open(10);
    client.nowMs = 5_000;
    client.feed("d0 00");
    client.engine.sent(6_000);
    expect(client.engine.deadlineMs).toBe(12_500);
  });

  test("while the client does not read, it pings and gives nobody up; reading again it waits a full interval", () => {
    const client = open(10);
    client.engine.onTimeWhilePaused(7_500);
    expect(client.sent()).toEqual([hex("c0 00")]);
    client.engine.onTimeWhilePaused(9_500);
    expect([client.told(), client.sent(), client.engine.deadlineMs]).toEqual([[], [], 15_000]);
    client.engine.onTimeWhilePaused(15_000);
    expect(client.sent()).toEqual([hex("c0 00")]);
    client.engine.onTime(16_999);
    expect(client.told()).toEqual([]);
    client.engine.onTime(17_000);
    expect(client.told()).toEqual(["failed ERR_PING_TIMEOUT"]);
  });

  test("a server that does not answer is given up", () => {
    const client = open(10);
    client.engine.onTime(7_500);
    client.sent();
    client.engine.onTime(9_499);
    expect(client.told()).toEqual([]);
    client.engine.onTime(9_500);
    client.engine.onTime(20_000);
    expect([client.told(), client.engine.over]).toEqual([["failed ERR_PING_TIMEOUT"], true]);
    // 0x8D is for servers to say (MQTT 5.0 §3.14.2.1).
    expect(client.sent().map((each) => each.slice(4, 6))).toEqual(level === 5 ? ["80"] : []);
  });

  test("a keep alive of 0 sends no PINGREQ", () => {
    const client = open(0);
    client.engine.onTime(1e12);
    expect([client.sent(), client.engine.deadlineMs]).toEqual([[], Number.POSITIVE_INFINITY]);
  });

  test("before CONNACK nothing is due", () => {
    const client = new DrivenClient("whole chunks", { level });
    client.engine.start();
    client.engine.onTime(1e9);
    client.engine.onTimeWhilePaused(1e9);
    client.engine.sent(1e9);
    expect([client.told(), client.engine.deadlineMs]).toEqual([[], Number.POSITIVE_INFINITY]);
  });
});

test("the server's keep alive replaces the client's [MQTT-3.1.2-21] [MQTT-3.2.2-21]", () => {
  const setup = { connect: { keepAliveSeconds: 60 } };
  const client = DrivenClient.opened("whole chunks", setup, { properties: { serverKeepAliveSeconds: 4 } });
  expect(client.engine.deadlineMs).toBe(3_000);
});

describe.each(CUTS)("ClientEngine, the end of a connection, %s", (cut) => {
  const open = (properties: ConnectProperties = {}): DrivenClient =>
    DrivenClient.opened(cut, { connect: { properties } });

  test("a normal DISCONNECT is two bytes [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT3-3.14.4-1] [MQTT3-3.14.4-2]", () => {
    for (const level of LEVELS) {
      const client = DrivenClient.opened(cut, { level });
      client.engine.disconnect(0, null);
      expect([client.sent(), client.engine.over, client.told()]).toEqual([[hex("e0 00")], true, []]);
    }
  });

  test("at level 4 there is no reason to give", () => {
    const client = DrivenClient.opened(cut, { level: 4 });
    client.engine.disconnect(0x04, { reasonString: "x" });
    expect(client.sent()).toEqual([hex("e0 00")]);
  });

  test("at level 5 reason and expiry go along [MQTT-3.14.2-1]", () => {
    const client = open({ sessionExpirySeconds: 1 });
    client.engine.disconnect(0x04, { sessionExpirySeconds: 9 });
    expect(client.sent()).toEqual([hex("e0 07 04 05 11 00000009")]);
  });

  test("a session expiry that was 0 cannot be raised (MQTT 5.0 §3.14.2.2.2)", () => {
    for (const properties of [{}, { sessionExpirySeconds: 0 }]) {
      const client = open(properties);
      expect(() => client.engine.disconnect(0, { sessionExpirySeconds: 9 })).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
      );
      expect([client.sent(), client.engine.over]).toEqual([[], false]);
    }
  });

  test.each([0x8d, 0x8b, 0x85, 0xff])("a client cannot say DISCONNECT %i [MQTT-3.14.2-1]", (reasonCode) => {
    const client = open();
    expect(() => client.engine.disconnect(reasonCode, null)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect([client.sent(), client.engine.over]).toEqual([[], false]);
  });

  test("the server's DISCONNECT is told and nothing behind it is read [MQTT-4.13.2-1]", () => {
    const client = open().feed("e0 01 8e 30 06 0001 't' 00 'hi'");
    expect([client.told(), client.sent(), client.engine.over]).toEqual([["disconnected 0x8e"], [], true]);
  });

  test("DISCONNECT from a 3.1.1 server ends the connection", () => {
    const client = DrivenClient.opened(cut, { level: 4 }).feed("e0 00");
    expect([client.told(), client.engine.over]).toEqual([["disconnected 0x00"], true]);
  });

  test("a client that wants no reasons gives none", () => {
    const client = open({ requestProblemInformation: false }).feed("00 00");
    expect(client.sent()).toEqual([hex("e0 01 81")]);
  });

  test("a server that takes no packets large enough for an acknowledgement is left", () => {
    const client = DrivenClient.opened(cut, {}, { properties: { maximumPacketSize: 5 } });
    expect(client.engine.open).toBe(true);
    const other = new DrivenClient(cut);
    other.engine.start();
    other.feed(encoded(connackPacket({ properties: { maximumPacketSize: 4 } }), 5));
    expect(other.told()).toEqual(["failed ERR_PACKET_TOO_LARGE"]);
  });

  test("a request that is too large for the server is thrown to the caller [MQTT-3.2.2-15]", () => {
    const client = DrivenClient.opened(cut, {}, { properties: { maximumPacketSize: 20 } });
    expect(() => subscribe(client, "x", "a".repeat(20))).toThrow(
      expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }),
    );
    expect([client.sent(), client.session.outbound.requestIds()]).toEqual([[], []]);
  });

  test("a client that does not want topic aliases uses none [MQTT-3.2.2-18]", () => {
    const client = DrivenClient.opened(cut, { useTopicAliases: false }, { properties: { topicAliasMaximum: 9 } });
    client.publish("t", 0);
    expect(client.sent()).toEqual([hex("30 04 0001 't' 00")]);
  });

  test("a 3.1.1 answer to a 5.0 CONNECT is the refusal of its version [MQTT3-3.1.2-2]", () => {
    const client = new DrivenClient(cut);
    client.engine.start();
    expect(client.feed("20 02 00 01").told()).toEqual(["refused 0x84"]);
  });
});

describe.each(CUTS)("ClientEngine, enhanced authentication, %s", (cut) => {
  const auth = (reasonCode: number, authenticationMethod?: string): Auth => ({
    type: "auth",
    reasonCode,
    properties: authenticationMethod === undefined ? null : { authenticationMethod },
  });
  const AUTH_M = "f0 06 18 04 15 0001 'm'";
  const start = (properties: ConnectProperties): DrivenClient => {
    const client = new DrivenClient(cut, { connect: { properties } });
    client.engine.start();
    client.sent();
    return client;
  };
  const CONNACK_M = encoded(connackPacket({ properties: { authenticationMethod: "m" } }), 5);

  test("challenge, response, CONNACK, then re-authentication [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-4.12.1-1]", () => {
    const client = start({ authenticationMethod: "m" }).feed(AUTH_M);
    expect(client.told()).toEqual(["auth 0x18 m"]);
    client.engine.sendAuth(auth(0x18, "m"));
    expect(client.sent()).toEqual([hex(AUTH_M)]);
    expect(client.feed(CONNACK_M).told()).toEqual(["connected"]);
    client.engine.sendAuth(auth(0x19, "m"));
    expect(client.sent()).toEqual([hex("f0 06 19 04 15 0001 'm'")]);
    expect(client.feed("f0 06 00 04 15 0001 'm'").told()).toEqual(["auth 0x00 m"]);
  });

  test.each([
    ["another method [MQTT-4.12.0-5]", "f0 06 18 04 15 0001 'x'", "ERR_AUTH_METHOD_MISMATCH"],
    ["re-authenticate, which only a client says", "f0 06 19 04 15 0001 'm'", "ERR_PROTOCOL_VIOLATION"],
    ["no method (MQTT 5.0 §3.15.2.2.2)", "f0 02 18 00", "ERR_PROTOCOL_VIOLATION"],
    ["reserved flags [MQTT-3.15.1-1]", "f2 06 18 04 15 0001 'm'", "ERR_MALFORMED_PACKET"],
  ])("AUTH with %s ends the connection", (_, input, code) => {
    expect(start({ authenticationMethod: "m" }).feed(input).told()).toEqual([`failed ${code}`]);
    const client = start({ authenticationMethod: "m" }).feed(CONNACK_M);
    client.told();
    expect(client.feed(input).told()).toEqual([`failed ${code}`]);
  });

  test("AUTH without a method in CONNECT ends the connection [MQTT-4.12.0-6]", () => {
    expect(start({}).feed(AUTH_M).told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
  });

  test("a CONNACK that leaves the method out ends the connection: the server has not authenticated anybody [MQTT-4.12.0-5]", () => {
    for (const properties of [null, {}, { receiveMaximum: 5 }]) {
      const client = start({ authenticationMethod: "m" }).feed(encoded(connackPacket({ properties }), 5));
      expect(client.told()).toEqual(["failed ERR_AUTH_METHOD_MISMATCH"]);
    }
  });

  test("a CONNACK that names another method ends the connection [MQTT-4.12.0-5] [MQTT-4.12.0-6]", () => {
    for (const properties of [{ authenticationMethod: "x" }, {}]) {
      expect(start(properties).feed(CONNACK_M).told()).toEqual(["failed ERR_AUTH_METHOD_MISMATCH"]);
    }
  });

  test("AUTH at level 4 ends the connection", () => {
    expect(DrivenClient.opened(cut, { level: 4 }).feed("f0 00").told()).toEqual(["failed ERR_MALFORMED_PACKET"]);
  });

  test("a client without a method cannot send AUTH [MQTT-4.12.0-7]", () => {
    const client = start({});
    expect(() => client.engine.sendAuth(auth(0x18, "m"))).toThrow(
      expect.objectContaining({ code: "ERR_AUTH_METHOD_MISSING" }),
    );
    const old = DrivenClient.opened(cut, { level: 4 });
    expect(() => old.engine.sendAuth(auth(0x18, "m"))).toThrow(expect.objectContaining({ code: "ERR_AUTH_NOT_V5" }));
    expect([client.sent(), old.sent()]).toEqual([[], []]);
  });

  test.each([
    ["another method [MQTT-4.12.0-5]", auth(0x18, "x")],
    ["success [MQTT-4.12.0-3]", auth(0, "m")],
    ["re-authenticate before CONNACK [MQTT-4.12.0-3]", auth(0x19, "m")],
  ])("a client cannot send AUTH with %s", (_, packet) => {
    const client = start({ authenticationMethod: "m" });
    expect(() => client.engine.sendAuth(packet)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(client.sent()).toEqual([]);
  });
});

describe.each(CASES)("a client engine and a server engine talk at level $level, $cut", ({ level, cut }) => {
  test("messages of every QoS go both ways and everything finishes", () => {
    const pair = new EnginePair(new DrivenClient(cut, { level }), new DrivenServer(cut));
    pair.client.engine.start();
    pair.settle();
    for (const side of [pair.client, pair.server]) {
      for (const qos of [0, 1, 2] as const) side.publish(`q${qos}`, qos, { payload: "hi" });
    }
    pair.settle();
    for (const side of [pair.client, pair.server]) {
      expect(side.tickets).toHaveLength(2);
      for (const ticket of side.tickets) side.engine.settle(ticket, 0);
    }
    pair.settle();
    const exchange = ["publish q0 q0 hi", "publish q1 q1 hi", "publish q2 q2 hi", "done q1 1 0x00", "received q2 2"];
    const end = ["done q2 2 0x00", "released 2 known"];
    expect(pair.client.told().sort()).toEqual(["connected", ...exchange, ...end].sort());
    expect(pair.server.told().sort()).toEqual([`connect c v${level}`, ...exchange, ...end].sort());
    for (const side of [pair.client, pair.server]) {
      expect([side.session.outbound.inflight, side.session.inbound.unsettled]).toEqual([0, 0]);
      expect(side.session.inbound.receivedIds()).toEqual([]);
    }
  });
});
