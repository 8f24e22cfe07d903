import { describe, expect, test } from "vitest";
import { MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { webText } from "../../bytes/text.ts";
import { decodePacket } from "../codec/decode.ts";
import type { ProtocolLevel } from "../codec/packets.ts";
import { bytes, CASES, type DrivenClient, type DrivenServer, hex, opened } from "./engine-pair.test-support.ts";
import { Phase } from "./outbound-flow.ts";
import { SessionState } from "./session-state.ts";

const TITLE = "$role at level $level, $cut";

/** A PUBLISH in notation: first byte, topic `t`, packet id (or none), payload `hi`; the property block is empty. */
function publish(level: ProtocolLevel, first: string, packetId = ""): string {
  const length = 5 + packetId.length / 2 + (level === 5 ? 1 : 0);
  return `${first} 0${length} 0001 't' ${packetId === "" ? "" : packetId} ${level === 5 ? "00" : ""} 'hi'`
    .replace(/ +/g, " ")
    .trim();
}

/** The reason code of a DISCONNECT that was sent; null when nothing was. */
function goodbye(driven: DrivenClient | DrivenServer): number | null {
  const sent = driven.sent();
  expect(sent.length).toBeLessThanOrEqual(1);
  const [last] = sent;
  if (last === undefined) return null;
  const packet = decodePacket(new ByteReader(webText(), bytes(last)), 5);
  expect(packet.type).toBe("disconnect");
  return packet.type === "disconnect" ? packet.reasonCode : null;
}

/** Feeds what must end the connection: the owner is told once, and the peer in words at level 5. */
function expectEnd(driven: DrivenClient | DrivenServer, input: string, code: string, reasonCode: number): void {
  driven.feed(input);
  expect(driven.told()).toEqual([`failed ${code}`]);
  expect(goodbye(driven)).toBe(driven.engine.protocolLevel === 5 ? reasonCode : null);
  driven.feed(publish(driven.engine.protocolLevel, "30"));
  expect([driven.told(), driven.sent(), driven.engine.over]).toEqual([[], [], true]);
}

describe.each(CASES)(`messages in: ${TITLE}`, (which) => {
  const { level } = which;

  test("QoS 0 is delivered and not answered [MQTT-3.3.4-1] [MQTT-2.2.1-2] [MQTT3-3.3.4-1] [MQTT3-2.3.1-5]", () => {
    const driven = opened(which).feed(publish(level, "30"));
    expect([driven.told(), driven.sent(), driven.tickets]).toEqual([["publish t q0 hi"], [], []]);
  });

  test("the retain flag is passed on", () => {
    expect(opened(which).feed(publish(level, "31")).told()).toEqual(["publish t q0 retain hi"]);
  });

  test("QoS 1 is answered by PUBACK with its id once it is settled [MQTT-4.3.2-4] [MQTT-2.2.1-5] [MQTT-4.5.0-2] [MQTT3-4.3.2-2] [MQTT3-2.3.1-6] [MQTT3-4.5.0-2]", () => {
    const driven = opened(which).feed(publish(level, "32", "1234"));
    expect([driven.told(), driven.sent()]).toEqual([["publish t q1 hi"], []]);
    expect(driven.engine.settle(driven.tickets[0] ?? -1, 0)).toBe(true);
    expect(driven.sent()).toEqual([hex("40 02 1234")]);
  });

  test("QoS 2 goes PUBREC, PUBREL, PUBCOMP with one id [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-2.2.1-5] [MQTT3-4.3.3-2] [MQTT3-2.3.1-6]", () => {
    const driven = opened(which).feed(publish(level, "34", "1234"));
    driven.engine.settle(driven.tickets[0] ?? -1, 0);
    expect([driven.told(), driven.sent()]).toEqual([["publish t q2 hi"], [hex("50 02 1234")]]);
    driven.feed("62 02 1234");
    expect([driven.told(), driven.sent()]).toEqual([["released 4660 known"], [hex("70 02 1234")]]);
  });

  test("a repeated QoS 2 message is delivered once and answered each time, until PUBCOMP [MQTT-4.3.3-10] [MQTT-4.3.3-12] [MQTT3-4.3.3-2]", () => {
    const driven = opened(which).feed(publish(level, "34", "0007"));
    driven.engine.settle(driven.tickets[0] ?? -1, 0);
    driven.feed(publish(level, "3c", "0007"));
    expect(driven.told()).toEqual(["publish t q2 hi"]);
    expect(driven.sent()).toEqual([hex("50 02 0007"), hex("50 02 0007")]);
    driven.feed("62 02 0007").feed(publish(level, "34", "0007"));
    expect(driven.told()).toEqual(["released 7 known", "publish t q2 hi"]);
  });

  test("PUBACK and PUBREC keep the order of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT3-4.6.0-2] [MQTT3-4.6.0-3]", () => {
    const driven = opened(which);
    driven
      .feed(publish(level, "32", "0001"))
      .feed(publish(level, "34", "0002"))
      .feed(publish(level, "32", "0003"));
    driven.engine.settle(driven.tickets[2] ?? -1, 0);
    driven.engine.settle(driven.tickets[1] ?? -1, 0);
    expect(driven.sent()).toEqual([]);
    driven.engine.settle(driven.tickets[0] ?? -1, 0);
    expect(driven.sent()).toEqual([hex("40 02 0001"), hex("50 02 0002"), hex("40 02 0003")]);
  });

  test("PUBREL for an id that is not known is answered, at level 5 with 0x92 (MQTT 5.0 §3.7.2.1)", () => {
    const driven = opened(which).feed("62 02 0009");
    expect(driven.told()).toEqual(["released 9 unknown"]);
    expect(driven.sent()).toEqual([level === 5 ? hex("70 03 0009 92") : hex("70 02 0009")]);
  });

  test("a message is refused with a reason code, which level 4 does not have [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT3-3.3.5-2]", () => {
    const driven = opened(which)
      .feed(publish(level, "32", "0001"))
      .feed(publish(level, "34", "0002"));
    driven.engine.settle(driven.tickets[0] ?? -1, 0x87);
    driven.engine.settle(driven.tickets[1] ?? -1, 0x97);
    const v5 = [hex("40 03 0001 87"), hex("50 03 0002 97")];
    expect(driven.sent()).toEqual(level === 5 ? v5 : [hex("40 02 0001"), hex("50 02 0002")]);
  });

  test("after a PUBREC that refuses the id is new; at level 4 no PUBREC refuses [MQTT-4.3.3-9] [MQTT3-4.3.3-2]", () => {
    const driven = opened(which).feed(publish(level, "34", "0002"));
    driven.engine.settle(driven.tickets[0] ?? -1, 0x87);
    driven.told();
    driven.feed(publish(level, "3c", "0002"));
    expect(driven.told()).toEqual(level === 5 ? ["publish t q2 dup hi"] : []);
  });

  test("several packets in one chunk are handled in order", () => {
    const driven = opened(which).feed(`${publish(level, "30")} ${publish(level, "32", "0001")} 62 02 0003`);
    expect(driven.told()).toEqual(["publish t q0 hi", "publish t q1 hi", "released 3 unknown"]);
  });

  test("more unacknowledged messages than allowed end the connection with 0x93 [MQTT-3.3.4-7] [MQTT-3.3.4-9]", () => {
    const driven = opened(which, { ours: { receiveMaximum: 2 } });
    driven.feed(publish(level, "32", "0001")).feed(publish(level, "34", "0002"));
    driven.told();
    if (level === 5) expectEnd(driven, publish(level, "32", "0003"), "ERR_RECEIVE_MAXIMUM_EXCEEDED", 0x93);
    else expect(driven.feed(publish(level, "32", "0003")).told()).toEqual(["publish t q1 hi"]);
  });

  test("a packet larger than we take ends the connection with 0x95 before it is there", () => {
    expectEnd(opened(which, { maximumPacketSize: 100 }), "30 7f", "ERR_PACKET_TOO_LARGE", 0x95);
  });

  test("the largest packet that we take is taken", () => {
    const payload = "x".repeat(level === 5 ? 34 : 35);
    const driven = opened(which, { maximumPacketSize: 40 });
    driven.feed(`30 26 0001 't' ${level === 5 ? "00" : ""} '${payload}'`.replace(/ +/g, " "));
    expect(driven.told()).toEqual([`publish t q0 ${payload}`]);
  });
});

describe.each(CASES)(`wrong packets in: ${TITLE}`, (which) => {
  const v5 = which.level === 5;
  const block = v5 ? "00" : "";
  const topic = (notation: string): string => {
    const rest = `${notation} ${block}`;
    return `30 ${bytes(rest).length.toString(16).padStart(2, "0")} ${rest}`;
  };

  test.each([
    ["QoS 3 [MQTT-3.3.1-4] [MQTT3-3.3.1-4]", "36 05 0001 't' 0001"],
    ["DUP at QoS 0 [MQTT-3.3.1-2] [MQTT3-3.3.1-2]", "38 03 0001 't'"],
    ["packet id 0 [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT3-2.3.1-1]", `32 05 0001 't' 0000`],
    ["PUBACK with packet id 0", "40 02 0000"],
    [
      "reserved flags of PUBREL [MQTT-3.6.1-1] [MQTT-2.1.3-1] [MQTT3-3.6.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]",
      "60 02 0001",
    ],
    ["reserved flags of PUBACK [MQTT-2.1.3-1] [MQTT3-2.2.2-2]", "41 02 0001"],
    ["an acknowledgement cut short", "40 01 00"],
    ["the reserved packet type 0", "00 00"],
    ["a remaining length of five bytes [MQTT-1.5.5-1]", "30 ff ff ff ff 01"],
    ["a remaining length longer than needed [MQTT-1.5.5-1]", "40 82 00 0001"],
  ])("%s ends the connection [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", (_, input) => {
    expectEnd(opened(which), input, "ERR_MALFORMED_PACKET", 0x81);
  });

  test.each([
    ["a wildcard [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]", "0003 'a/#'"],
    ["ill-formed UTF-8 [MQTT-3.3.2-1] [MQTT-1.5.4-1] [MQTT3-3.3.2-1] [MQTT3-1.5.3-1]", "0002 c3 28"],
    ["a surrogate [MQTT-1.5.4-1] [MQTT3-1.5.3-1]", "0003 ed a0 80"],
    ["U+0000 [MQTT-1.5.4-2] [MQTT-4.7.3-2] [MQTT3-1.5.3-2] [MQTT3-4.7.3-2]", "0003 't' 00 't'"],
  ])("a topic name with %s ends the connection [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", (_, notation) => {
    expectEnd(opened(which), topic(notation), "ERR_MALFORMED_PACKET", 0x81);
  });

  test("an empty topic name without an alias ends the connection [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", () => {
    const code = v5 ? "ERR_PROTOCOL_VIOLATION" : "ERR_MALFORMED_PACKET";
    expectEnd(opened(which), topic("0000"), code, 0x82);
  });

  test("a byte order mark in a topic name is kept [MQTT-1.5.4-3] [MQTT3-1.5.3-3]", () => {
    expect(opened(which).feed(topic("0004 ef bb bf 't'")).told()).toEqual(["publish \ufefft q0"]);
  });

  test("a refused message is not delivered, nor is anything behind it in its chunk", () => {
    const driven = opened(which).feed(`00 00 ${publish(which.level, "30")}`);
    expect(driven.told()).toEqual(["failed ERR_MALFORMED_PACKET"]);
  });

  test("an owner that throws ends the connection and not the process [MQTT3-4.8.0-2]", () => {
    const driven = opened(which);
    driven.onPublish = () => {
      throw new TypeError("a defect");
    };
    expectEnd(driven, publish(which.level, "30"), "ERR_PROTOCOL_VIOLATION", 0x82);
  });
});

describe.each(CASES)(`messages out: ${TITLE}`, (which) => {
  const { level } = which;

  test("QoS 0 goes out without a packet id and with DUP 0 [MQTT-4.3.1-1] [MQTT-3.3.1-2] [MQTT-2.2.1-2] [MQTT3-4.3.1-1] [MQTT3-3.3.1-2] [MQTT3-2.3.1-5]", () => {
    const driven = opened(which);
    driven.publish("t", 0, { payload: "hi", retain: true });
    driven.publish("t", 0, { payload: "hi" });
    expect(driven.sent()).toEqual([hex(publish(level, "31")), hex(publish(level, "30"))]);
  });

  test("QoS 1 goes out with an unused id and DUP 0 and ends with PUBACK [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT3-4.3.2-1] [MQTT3-2.3.1-4]", () => {
    const driven = opened(which);
    expect([driven.publish("t", 1, { payload: "hi" }), driven.publish("t", 1, { payload: "hi" })]).toEqual([1, 2]);
    expect(driven.sent()).toEqual([hex(publish(level, "32", "0001")), hex(publish(level, "32", "0002"))]);
    expect(driven.session.outbound.inflight).toBe(2);
    driven.feed("40 02 0002 40 02 0001");
    expect(driven.told()).toEqual(["done t 2 0x00", "done t 1 0x00"]);
    expect([driven.session.outbound.inflight, driven.sent()]).toEqual([0, []]);
  });

  test("QoS 2 goes PUBLISH, PUBREL, and ends with PUBCOMP [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT3-4.3.3-1]", () => {
    const driven = opened(which);
    driven.publish("t", 2, { payload: "hi" });
    expect(driven.sent()).toEqual([hex(publish(level, "34", "0001"))]);
    driven.feed("50 02 0001");
    expect([driven.told(), driven.sent()]).toEqual([["received t 1"], [hex("62 02 0001")]]);
    expect(driven.session.outbound.phase(1)).toBe(Phase.Released);
    driven.feed("70 02 0001");
    expect([driven.told(), driven.session.outbound.inflight]).toEqual([["done t 1 0x00"], 0]);
  });

  test("PUBRELs are in the order of the PUBRECs [MQTT-4.6.0-4] [MQTT3-4.6.0-4]", () => {
    const driven = opened(which);
    for (let i = 0; i < 3; i++) driven.publish("t", 2);
    driven.sent();
    driven.feed("50 02 0003 50 02 0001 50 02 0002");
    expect(driven.sent()).toEqual([hex("62 02 0003"), hex("62 02 0001"), hex("62 02 0002")]);
  });

  test("a repeated PUBREC is told again and answered by PUBREL again; the PUBLISH is not sent again [MQTT-4.3.3-4] [MQTT-4.3.3-6] [MQTT3-4.3.3-1]", () => {
    const driven = opened(which);
    driven.publish("t", 2);
    driven.sent();
    driven.feed("50 02 0001 50 02 0001");
    expect([driven.told(), driven.sent()]).toEqual([
      ["received t 1", "received t 1"],
      [hex("62 02 0001"), hex("62 02 0001")],
    ]);
  });

  test("PUBREC for an unknown id is answered by PUBREL, at level 5 with 0x92 (MQTT 5.0 §3.6.2.1) [MQTT-3.6.2-1]", () => {
    const driven = opened(which).feed("50 02 0005");
    expect(driven.sent()).toEqual([level === 5 ? hex("62 03 0005 92") : hex("62 02 0005")]);
    expect(driven.feed("70 02 0005").told()).toEqual([]);
  });

  test("PUBACK and PUBCOMP for an unknown id change nothing", () => {
    const driven = opened(which).feed("40 02 0005 70 02 ffff");
    expect([driven.told(), driven.sent(), driven.engine.over]).toEqual([[], [], false]);
  });

  test("PUBACK for QoS 2 is a protocol violation, but for a 3.1.1 client, whose server cannot say that it has no QoS 2", () => {
    const driven = opened(which);
    driven.publish("t", 2);
    driven.sent();
    driven.feed("40 02 0001");
    const taken = which.role === "client" && level === 4;
    expect(driven.told()).toEqual(taken ? ["done t 1 0x00"] : ["failed ERR_PROTOCOL_VIOLATION"]);
    expect([goodbye(driven), driven.engine.over]).toEqual([level === 5 ? 0x82 : null, !taken]);
  });

  test.each([
    ["PUBREC for QoS 1", 1, "50 02 0001"],
    ["PUBCOMP for QoS 1", 1, "70 02 0001"],
    ["PUBCOMP before PUBREC", 2, "70 02 0001"],
    ["PUBACK after PUBREC", 2, "50 02 0001 40 02 0001"],
  ] as const)("%s is a protocol violation", (_, qos, input) => {
    const driven = opened(which);
    driven.publish("t", qos);
    driven.sent();
    const whole = bytes(input);
    driven.feed(whole.subarray(0, whole.length - 4));
    driven.told();
    driven.sent();
    driven.feed(whole.subarray(whole.length - 4));
    expect(driven.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
    expect(goodbye(driven)).toBe(level === 5 ? 0x82 : null);
  });

  test("a used up send window holds back no acknowledgement [MQTT-3.3.4-8] [MQTT-3.3.4-10] [MQTT-4.9.0-3]", () => {
    const driven = opened(which, { theirs: { receiveMaximum: 2 } });
    driven.publish("t", 2);
    driven.publish("t", 1);
    driven.sent();
    if (level === 5) expect(driven.session.outbound.quota).toBe(0);
    driven.feed(publish(level, "32", "0009")).feed("50 02 0001");
    driven.engine.settle(driven.tickets[0] ?? -1, 0);
    expect(driven.sent()).toEqual([hex("62 02 0001"), hex("40 02 0009")]);
  });

  test("a repetition on the next connection has DUP 1 and the same id [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT3-3.3.1-1] [MQTT3-4.4.0-1] [MQTT3-2.3.1-3]", () => {
    const session = new SessionState<string>();
    const first = opened(which, { session });
    const one = first.publish("t", 1, { payload: "hi" });
    const two = first.publish("t", 2, { payload: "hi" });
    first.feed("50 02 0002");
    first.engine.end();
    const second = opened(which, { session, resumed: true });
    expect(session.outbound.publishIds()).toEqual([one, two]);
    second.write({ qos: 1, retain: false, dup: true, packetId: one }, "t", { payload: "hi" });
    second.engine.sendPubrel(two, 0);
    expect(second.sent()).toEqual([hex(publish(level, "3a", "0001")), hex("62 02 0002")]);
    second.feed("70 02 0002 40 02 0001");
    expect(second.told()).toEqual(["done t 2 0x00", "done t 1 0x00"]);
  });
});

describe.each(CASES)(`the end: ${TITLE}`, (which) => {
  const { level } = which;

  test("nothing is written after the goodbye, whatever the owner calls [MQTT-3.14.4-1] [MQTT3-3.14.4-2]", () => {
    const driven = opened(which)
      .feed(publish(level, "32", "0001"))
      .feed(publish(level, "34", "0002"));
    const { engine } = driven;
    engine.disconnect(0x80, null);
    const words = level === 5 ? [hex("e0 01 80")] : which.role === "client" ? [hex("e0 00")] : [];
    expect(driven.sent()).toEqual(words);
    expect(driven.publish("t", 0)).toBe(0);
    expect(driven.write({ qos: 0, retain: false, dup: false, packetId: 0 }, "t")).toBe(0);
    for (const ticket of driven.tickets) engine.settle(ticket, 0);
    engine.sendPubrel(5, 0);
    engine.sendPubcomp(5, false);
    engine.sendAck(5, true, 0x87);
    engine.disconnect(0, null);
    engine.fail(new MessagingError("ERR_PROTOCOL_VIOLATION", "late"));
    driven.feed(publish(level, "32", "0003"));
    expect([driven.sent(), driven.lines.filter((line) => line.startsWith("failed"))]).toEqual([[], []]);
  });

  test("input behind the end is ignored, in the same chunk too", () => {
    const driven = opened(which);
    driven.onPublish = () => {
      driven.lines.push("last");
      driven.engine.end();
    };
    driven.feed(`${publish(level, "30")} ${publish(level, "30")} 62 02 0001`);
    expect([driven.told(), driven.sent(), driven.engine.over]).toEqual([["last"], [], true]);
  });

  test("a failure is told once, with a reason for the peer at level 5 [MQTT-3.14.2-1] [MQTT-4.13.2-1]", () => {
    const driven = opened(which);
    const error = new MessagingError("ERR_PROTOCOL_VIOLATION", "why");
    driven.engine.fail(error);
    driven.engine.fail(error);
    expect(driven.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
    expect(driven.sent()).toEqual(level === 5 ? [hex("e0 08 82 06 1f 0003 'why'")] : []);
  });

  test.each(["a \0 in it", "a lone \ud800", "x".repeat(100_000)])(
    "an error text that no packet can hold does not stand in the way of the end (%#)",
    (message) => {
      const driven = opened(which);
      driven.engine.fail(new MessagingError("ERR_PROTOCOL_VIOLATION", message));
      expect(driven.told()).toEqual(["failed ERR_PROTOCOL_VIOLATION"]);
      expect(goodbye(driven)).toBe(level === 5 ? 0x82 : null);
    },
  );

  test("an old engine that is ended again leaves the next connection's session alone", () => {
    const session = new SessionState<string>();
    const first = opened(which, { session });
    first.engine.end();
    const second = opened(which, { session, resumed: true }).feed(publish(level, "32", "0001"));
    first.engine.end();
    second.engine.settle(second.tickets[0] ?? -1, 0);
    expect(second.sent()).toEqual([hex("40 02 0001")]);
  });

  test("a message still being handled when the link broke is settled on the next one [MQTT-4.1.0-1] [MQTT3-4.1.0-1] [MQTT3-4.1.0-2]", () => {
    const session = new SessionState<string>();
    const first = opened(which, { session }).feed(publish(level, "34", "0001"));
    first.engine.end();
    const second = opened(which, { session, resumed: true }).feed(publish(level, "3c", "0001"));
    expect(second.told()).toEqual([]);
    expect(second.engine.settle(first.tickets[0] ?? -1, 0)).toBe(true);
    expect([first.sent(), second.sent()]).toEqual([[], [hex("50 02 0001")]]);
  });

  test("without the session the same message is new, and the old ticket void [MQTT-3.2.2-5] [MQTT-3.1.2-4] [MQTT3-3.1.2-6]", () => {
    const session = new SessionState<string>();
    const first = opened(which, { session }).feed(publish(level, "34", "0001"));
    first.engine.end();
    const second = opened(which, { session }).feed(publish(level, "34", "0001"));
    expect(second.told()).toEqual(["publish t q2 hi"]);
    expect([second.engine.settle(first.tickets[0] ?? -1, 0), second.sent()]).toEqual([false, []]);
  });
});

describe.each(CASES.filter((each) => each.level === 5))(`reason codes and windows: ${TITLE}`, (which) => {
  test.each([
    ["PUBACK [MQTT-3.4.2-1]", "40 03 0001 92"],
    ["PUBREC [MQTT-3.5.2-1]", "50 03 0001 8e"],
    ["PUBREL [MQTT-3.6.2-1]", "62 03 0001 80"],
    ["PUBCOMP [MQTT-3.7.2-1]", "70 03 0001 10"],
  ])("a code that does not exist for %s ends the connection", (_, input) => {
    expectEnd(opened(which), input, "ERR_PROTOCOL_VIOLATION", 0x82);
  });

  test("reason code, reason string and user properties of an acknowledgement are passed on", () => {
    const driven = opened(which);
    driven.publish("t", 1);
    driven.publish("t", 2);
    driven.publish("t", 2);
    driven.feed("40 08 0001 10 04 1f 0001 'r'").feed("50 03 0002 97 50 02 0003 70 03 0003 92");
    expect(driven.told()).toEqual(['done t 1 0x10 "r"', "done t 2 0x97", "received t 3", "done t 3 0x92"]);
  });

  test("a refused QoS 2 message is finished: no PUBREL, and its id is free [MQTT-4.4.0-2] [MQTT-4.3.3-4]", () => {
    const driven = opened(which);
    driven.publish("t", 2);
    driven.sent();
    driven.feed("50 03 0001 87");
    expect([driven.sent(), driven.session.outbound.inflight]).toEqual([[], 0]);
    // Nor does a late refusal of an id that is free ask for one.
    expect(driven.feed("50 03 0001 87").sent()).toEqual([]);
  });

  test("a reason code that PUBACK cannot carry is refused, and the message stays open", () => {
    const driven = opened(which).feed(publish(5, "32", "0001"));
    const ticket = driven.tickets[0] ?? -1;
    expect(() => driven.engine.settle(ticket, 0x8e)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(driven.sent()).toEqual([]);
    expect(driven.engine.settle(ticket, 0)).toBe(true);
    expect(driven.sent()).toEqual([hex("40 02 0001")]);
  });

  test("the send window is what the peer takes, at most our own bound [MQTT-4.9.0-1] [MQTT-4.9.0-2]", () => {
    expect(opened(which, { theirs: { receiveMaximum: 7 } }).session.outbound.quota).toBe(7);
    expect(opened(which, { theirs: { receiveMaximum: 700 } }).session.outbound.quota).toBe(100);
    expect(opened(which).session.outbound.quota).toBe(100);
  });
});
