import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../bytes/reader.ts";
import { webText } from "../../bytes/text.ts";
import { decodePacket } from "../codec/decode.ts";
import type { Publish, PublishProperties } from "../codec/packets.ts";
import { encodePublishProperties } from "../codec/publish-properties.ts";
import { bytes, CASES, type DrivenClient, type DrivenServer, hex, opened } from "./engine-pair.test-support.ts";
import { InboundAliases } from "./topic-aliases.ts";

const V5 = CASES.filter((each) => each.level === 5);

function block(properties: PublishProperties): Uint8Array {
  return encodePublishProperties(webText(), properties);
}

function decoded(sent: readonly string[]): Publish[] {
  return sent.map((each) => decodePacket(new ByteReader(webText(), bytes(each)), 5) as Publish);
}

/** A PUBLISH at QoS 0 with a topic alias; the payload is `hi`. */
function aliased(alias: string, topic = ""): string {
  const length = (8 + topic.length).toString(16).padStart(2, "0");
  return `30 ${length} 000${topic.length} ${topic === "" ? "" : `'${topic}' `}03 23 ${alias} 'hi'`;
}

/** Ends with the reason code, and nothing but that DISCONNECT is written. */
function expectEnd(driven: DrivenClient | DrivenServer, input: string, code: string, reasonCode: string): void {
  driven.sent();
  driven.feed(input);
  expect(driven.told().at(-1)).toBe(`failed ${code}`);
  expect(driven.sent().map((each) => [each.slice(0, 2), each.slice(4, 6)])).toEqual([["e0", reasonCode]]);
}

describe.each(V5)("topic aliases in: $role, $cut", (which) => {
  test("an alias stands for the topic it came with [MQTT-3.3.2-10] [MQTT-3.3.2-12]", () => {
    const driven = opened(which, { ours: { topicAliasMaximum: 300 } });
    driven.feed(aliased("0001", "a")).feed(aliased("012c", "bb")).feed(aliased("0001")).feed(aliased("012c"));
    expect(driven.told().map((line) => line.split(" ")[1])).toEqual(["a", "bb", "a", "bb"]);
  });

  test("an alias can be given another topic (MQTT 5.0 §3.3.2.3.4)", () => {
    const driven = opened(which, { ours: { topicAliasMaximum: 1 } });
    driven.feed(aliased("0001", "a")).feed(aliased("0001", "b")).feed(aliased("0001"));
    expect(driven.told().map((line) => line.split(" ")[1])).toEqual(["a", "b", "b"]);
  });

  test("an alias above our maximum ends the connection with 0x94 [MQTT-3.3.2-9] [MQTT-3.3.2-11]", () => {
    const driven = opened(which, { ours: { topicAliasMaximum: 2 } });
    expectEnd(driven, aliased("0003", "a"), "ERR_TOPIC_ALIAS_INVALID", "94");
  });

  test("any alias ends the connection with 0x94 when we allowed none", () => {
    expectEnd(opened(which), aliased("0001", "a"), "ERR_TOPIC_ALIAS_INVALID", "94");
  });

  test("an alias that stands for nothing ends the connection with 0x94", () => {
    const driven = opened(which, { ours: { topicAliasMaximum: 2 } });
    expectEnd(driven, aliased("0002"), "ERR_TOPIC_ALIAS_INVALID", "94");
  });

  test("alias 0 ends the connection with 0x94 [MQTT-3.3.2-8]", () => {
    const driven = opened(which, { ours: { topicAliasMaximum: 2 } });
    expectEnd(driven, aliased("0000", "a"), "ERR_TOPIC_ALIAS_INVALID", "94");
  });

  test("a new connection knows no alias of the last [MQTT-3.3.2-7]", () => {
    const first = opened(which, { ours: { topicAliasMaximum: 2 } }).feed(aliased("0001", "a"));
    first.engine.end();
    const second = opened(which, { ours: { topicAliasMaximum: 2 }, session: first.session, resumed: true });
    expectEnd(second, aliased("0001"), "ERR_TOPIC_ALIAS_INVALID", "94");
  });
});

describe.each(V5)("topic aliases out: $role, $cut", (which) => {
  test("a topic goes out once with its alias and then as the alias alone (MQTT 5.0 §3.3.2.3.4)", () => {
    const driven = opened(which, { theirs: { topicAliasMaximum: 10 } });
    for (const topic of ["a", "b", "a"]) driven.publish(topic, 0, { payload: "hi" });
    expect(driven.sent()).toEqual([hex(aliased("0001", "a")), hex(aliased("0002", "b")), hex(aliased("0001"))]);
  });

  test("the alias goes along with the message's own properties", () => {
    const driven = opened(which, { theirs: { topicAliasMaximum: 10 } });
    driven.publish("a", 0, { block: block({ contentType: "x" }) });
    driven.publish("a", 0, { block: block({ contentType: "y" }) });
    expect(decoded(driven.sent()).map((each) => [each.topic, each.properties])).toEqual([
      ["a", { topicAlias: 1, contentType: "x" }],
      ["", { topicAlias: 1, contentType: "y" }],
    ]);
  });

  test("no alias goes above the peer's maximum [MQTT-3.2.2-17] [MQTT-3.1.2-26] [MQTT-3.3.2-9] [MQTT-3.3.2-11]", () => {
    const driven = opened(which, { theirs: { topicAliasMaximum: 2 } });
    for (const topic of ["a", "b", "c", "a"]) driven.publish(topic, 0);
    expect(decoded(driven.sent()).map((each) => [each.topic, each.properties?.topicAlias])).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1],
      ["a", 2],
    ]);
  });

  test("a peer that allows none gets none [MQTT-3.2.2-18] [MQTT-3.1.2-27]", () => {
    const driven = opened(which);
    driven.publish("a", 0);
    driven.publish("a", 0);
    expect(decoded(driven.sent()).map((each) => [each.topic, each.properties])).toEqual([
      ["a", null],
      ["a", null],
    ]);
  });

  test("a new connection starts without the aliases of the last [MQTT-3.3.2-7]", () => {
    const first = opened(which, { theirs: { topicAliasMaximum: 2 } });
    first.publish("a", 0);
    first.engine.end();
    const second = opened(which, { theirs: { topicAliasMaximum: 2 }, session: first.session, resumed: true });
    second.publish("a", 0);
    expect(decoded(second.sent()).map((each) => each.topic)).toEqual(["a"]);
  });

  test("a message that is refused leaves no alias behind", () => {
    const driven = opened(which, { theirs: { topicAliasMaximum: 10, maximumPacketSize: 40 } });
    expect(() => driven.publish("a", 0, { payload: "x".repeat(40) })).toThrow(
      expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }),
    );
    driven.publish("a", 0);
    expect(decoded(driven.sent()).map((each) => [each.topic, each.properties?.topicAlias])).toEqual([["a", 1]]);
  });

  test("whatever fits without an alias is sent, nothing larger is, and the peer always knows the topic [MQTT-3.2.2-15] [MQTT-3.1.2-24]", () => {
    // Sizes near those where a length takes one more byte, and limits near the sizes.
    const size = fc.oneof(fc.nat(140), fc.integer({ min: 112, max: 128 }));
    const message = fc.record({
      topic: fc.constantFrom("a", "bb", "ccc"),
      properties: size,
      payload: fc.oneof(fc.nat(3), size),
    });
    const messages = fc.array(message, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(messages, fc.nat(11), fc.nat(8), (all, nearest, slack) => {
        const near = all[nearest % all.length] ?? all[0];
        const limit = Math.max(20, (near === undefined ? 0 : plainBytes(near)) + slack);
        const driven = opened(which, { theirs: { topicAliasMaximum: 2, maximumPacketSize: limit } });
        const aliases = new InboundAliases<string>(2);
        for (const each of all) expectSent(driven, aliases, each, limit);
      }),
      { numRuns: which.cut === "whole chunks" ? 500 : 20 },
    );
  });
});

interface Sized {
  readonly topic: string;
  /** Bytes of the property block; below 3 there is none. */
  readonly properties: number;
  readonly payload: number;
}

const QOS0 = { qos: 0, retain: false, dup: false, packetId: 0 } as const;

/** Bytes of a QoS 0 PUBLISH without an alias. */
function plainBytes({ topic, properties, payload }: Sized): number {
  const own = properties < 3 ? 0 : properties;
  const rest = 2 + topic.length + (own < 128 ? 1 : 2) + own + payload;
  return 1 + (rest < 128 ? 1 : 2) + rest;
}

/** Sends one message and checks that it went out as the limit allows, with a topic that the peer can tell. */
function expectSent(
  driven: DrivenClient | DrivenServer,
  aliases: InboundAliases<string>,
  message: Sized,
  limit: number,
): void {
  const { topic, properties, payload } = message;
  const own = properties < 3 ? {} : { block: block({ contentType: "y".repeat(properties - 3) }) };
  const send = (): number => driven.write(QOS0, topic, { payload: "x".repeat(payload), ...own });
  if (plainBytes(message) > limit) {
    expect(send).toThrow(expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }));
    expect(driven.sent()).toEqual([]);
    return;
  }
  const written = send();
  const sent = driven.sent();
  expect(sent.map((each) => each.length / 2)).toEqual([written]);
  expect(written).toBeLessThanOrEqual(limit);
  expect(topicOf(decoded(sent), aliases)).toBe(topic);
}

/** The topic as a receiver learns it. */
function topicOf([packet]: readonly Publish[], aliases: InboundAliases<string>): string {
  const alias = packet?.properties?.topicAlias ?? 0;
  if (packet?.topic === "") return aliases.get(alias);
  if (alias > 0) aliases.set(alias, packet?.topic ?? "");
  return packet?.topic ?? "";
}

describe.each(V5)("the peer's maximum packet size: $role, $cut", (which) => {
  test("a message that is too large is refused and nothing of it written [MQTT-3.2.2-15] [MQTT-3.1.2-24]", () => {
    const driven = opened(which, { theirs: { maximumPacketSize: 20 } });
    driven.publish("t", 0, { payload: "x".repeat(14) });
    expect(driven.sent().map((each) => each.length / 2)).toEqual([20]);
    expect(() => driven.publish("t", 0, { payload: "x".repeat(15) })).toThrow(
      expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }),
    );
    expect([driven.sent(), driven.engine.over]).toEqual([[], false]);
  });

  test("a DISCONNECT leaves out its reason string, then its user properties [MQTT-3.14.2-3] [MQTT-3.14.2-4]", () => {
    const properties = { reasonString: "why", userProperties: [["a", "b"]] } as const;
    const limits = [17, 16, 10];
    const sent = limits.map((maximumPacketSize) => {
      const driven = opened(which, { theirs: { maximumPacketSize } });
      driven.engine.disconnect(0x80, properties);
      expect(driven.engine.over).toBe(true);
      return driven.sent();
    });
    expect(sent).toEqual([
      [hex("e0 0f 80 0d 1f 0003 'why' 26 0001 'a' 0001 'b'")],
      [hex("e0 09 80 07 26 0001 'a' 0001 'b'")],
      [hex("e0 01 80")],
    ]);
  });

  test("a failure ends the connection even if its reason does not fit [MQTT-4.13.2-1] [MQTT-3.14.2-3]", () => {
    const driven = opened(which, { theirs: { maximumPacketSize: 20 } });
    driven.feed("00 00");
    expect([driven.told(), driven.sent()]).toEqual([["failed ERR_MALFORMED_PACKET"], [hex("e0 01 81")]]);
  });
});
