/** What an encoder refuses: the caller gets a typed error, and the writer is as it was. */
import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../base/errors.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { codeFrom, text } from "./codec.test-support.ts";
import { encodePacket } from "./encode.ts";
import type { Connect, Packet, ProtocolLevel, Publish, Subscribe, SubscribeFilter, Will } from "./packets.ts";

type Row = readonly [what: string, level: ProtocolLevel, packet: Packet, code?: ErrorCode];

const EMPTY = new Uint8Array(0);
const WILL: Will = { topic: "t", payload: EMPTY, qos: 0, retain: false, properties: null };
const ACK = { packetId: 1, reasonCode: 0, properties: null } as const;

function connect(level: ProtocolLevel, fields: object): Packet {
  const plain: Connect = {
    type: "connect",
    level,
    cleanStart: true,
    keepAliveSeconds: 60,
    clientId: "a",
    username: null,
    password: null,
    will: null,
    properties: null,
  };
  return { ...plain, ...fields } as Packet;
}

function publish(fields: object): Packet {
  const plain: Publish = {
    type: "publish",
    topic: "t",
    payload: EMPTY,
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    properties: null,
  };
  return { ...plain, ...fields } as Packet;
}

function subscribe(fields: Partial<Subscribe>, filter: object = {}): Packet {
  const plain: SubscribeFilter = { filter: "a", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  const filters = [{ ...plain, ...filter } as SubscribeFilter];
  return { type: "subscribe", packetId: 1, filters, properties: null, ...fields };
}

const CONNECT: readonly Row[] = [
  ["a level that does not exist", 5, connect(3 as 4, {}), "ERR_INVALID_PROTOCOL"],
  ["a keep alive of 65,536 s", 5, connect(5, { keepAliveSeconds: 65_536 })],
  ["a keep alive of half a second", 4, connect(4, { keepAliveSeconds: 0.5 })],
  ["a client id that is no string", 4, connect(4, { clientId: null })],
  ["U+0000 in a client id [MQTT-3.1.3-4] [MQTT3-3.1.3-4]", 4, connect(4, { clientId: "a\0" })],
  ["a client id of 65,536 bytes", 5, connect(5, { clientId: "x".repeat(65_536) })],
  ["a lone surrogate in a user name [MQTT-3.1.3-12] [MQTT3-3.1.3-11]", 5, connect(5, { username: "\uD800" })],
  ["a password as a string", 5, connect(5, { password: "secret" })],
  ["a password of 65,536 bytes", 5, connect(5, { password: new Uint8Array(65_536) })],
  ["a password without a user name [MQTT3-3.1.2-22]", 4, connect(4, { password: EMPTY })],
  ["properties in 3.1.1", 4, connect(4, { properties: { receiveMaximum: 1 } })],
  ["authentication data without a method", 5, connect(5, { properties: { authenticationData: EMPTY } })],
  ["will QoS 3 [MQTT-3.1.2-12] [MQTT3-3.1.2-14]", 5, connect(5, { will: { ...WILL, qos: 3 } }), "ERR_INVALID_QOS"],
  ["a will to a filter [MQTT-4.7.0-1]", 5, connect(5, { will: { ...WILL, topic: "a/#" } }), "ERR_INVALID_TOPIC"],
  ["a will to nowhere [MQTT-4.7.3-1]", 4, connect(4, { will: { ...WILL, topic: "" } }), "ERR_INVALID_TOPIC"],
  ["a will of 65,536 bytes", 4, connect(4, { will: { ...WILL, payload: new Uint8Array(65_536) } })],
  ["a will with properties in 3.1.1", 4, connect(4, { will: { ...WILL, properties: { delaySeconds: 1 } } })],
  ["a will with a wrong property", 5, connect(5, { will: { ...WILL, properties: { delaySeconds: -1 } } })],
];

const CONNACK: readonly Row[] = [
  ["return code 6", 4, { type: "connack", sessionPresent: false, reasonCode: 6, properties: null }],
  [
    "a return code of 3.1.1 in 5.0 [MQTT-3.2.2-8]",
    5,
    { type: "connack", sessionPresent: false, reasonCode: 5, properties: null },
  ],
  [
    "a session beside a refusal [MQTT3-3.2.2-4]",
    4,
    { type: "connack", sessionPresent: true, reasonCode: 5, properties: null },
  ],
  [
    "a session beside a refusal [MQTT-3.2.2-6]",
    5,
    { type: "connack", sessionPresent: true, reasonCode: 0x87, properties: null },
  ],
  ["properties in 3.1.1", 4, { type: "connack", sessionPresent: false, reasonCode: 0, properties: {} }],
];

const PUBLISH: readonly Row[] = [
  ["a topic with + [MQTT-3.3.2-2]", 5, publish({ topic: "a/+" }), "ERR_INVALID_TOPIC"],
  ["a topic with # [MQTT3-3.3.2-2]", 4, publish({ topic: "#" }), "ERR_INVALID_TOPIC"],
  ["no topic [MQTT3-4.7.3-1]", 4, publish({ topic: "" }), "ERR_INVALID_TOPIC"],
  ["neither topic nor alias [MQTT-4.7.3-1]", 5, publish({ topic: "" }), "ERR_INVALID_TOPIC"],
  ["a topic of 65,536 bytes [MQTT-4.7.3-3]", 5, publish({ topic: "x".repeat(65_536) }), "ERR_INVALID_TOPIC"],
  ["a topic that is no string", 5, publish({ topic: 7 })],
  ["QoS 3 [MQTT-3.3.1-4] [MQTT3-3.3.1-4]", 5, publish({ qos: 3, packetId: 1 }), "ERR_INVALID_QOS"],
  ["DUP at QoS 0 [MQTT-3.3.1-2] [MQTT3-3.3.1-2]", 4, publish({ dup: true })],
  ["a packet id at QoS 0 [MQTT-2.2.1-2] [MQTT3-2.3.1-5]", 5, publish({ packetId: 1 })],
  ["no packet id at QoS 1 [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT3-2.3.1-1]", 5, publish({ qos: 1 })],
  ["half a packet id", 5, publish({ qos: 1, packetId: 0.5 })],
  ["a payload that is a string", 5, publish({ payload: "text" })],
  ["properties in 3.1.1", 4, publish({ properties: { contentType: "t" } })],
  ["topic alias 0 [MQTT-3.3.2-8]", 5, publish({ properties: { topicAlias: 0 } })],
];

const ACKS: readonly Row[] = [
  ["PUBACK for packet id 0", 5, { type: "puback", ...ACK, packetId: 0 }],
  ["PUBCOMP for packet id 65,536", 4, { type: "pubcomp", ...ACK, packetId: 65_536 }],
  ["PUBACK with a reason in 3.1.1", 4, { type: "puback", ...ACK, reasonCode: 0x87 }],
  ["PUBREC with properties in 3.1.1", 4, { type: "pubrec", ...ACK, properties: { reasonString: "x" } }],
  ["PUBACK with a reason of PUBREL [MQTT-3.4.2-1]", 5, { type: "puback", ...ACK, reasonCode: 0x92 }],
  ["PUBREC with a reason of PUBREL [MQTT-3.5.2-1]", 5, { type: "pubrec", ...ACK, reasonCode: 0x92 }],
  ["PUBREL with a reason of PUBACK [MQTT-3.6.2-1]", 5, { type: "pubrel", ...ACK, reasonCode: 0x10 }],
  ["PUBCOMP with a reason of PUBACK [MQTT-3.7.2-1]", 5, { type: "pubcomp", ...ACK, reasonCode: 0x80 }],
  ["SUBACK without a code", 5, { type: "suback", packetId: 1, reasonCodes: [], properties: null }],
  ["SUBACK with code 3 [MQTT-3.9.3-2]", 5, { type: "suback", packetId: 1, reasonCodes: [0, 3], properties: null }],
  [
    "SUBACK with a reason of 5.0 [MQTT3-3.9.3-2]",
    4,
    { type: "suback", packetId: 1, reasonCodes: [0x87], properties: null },
  ],
  ["SUBACK with properties in 3.1.1", 4, { type: "suback", packetId: 1, reasonCodes: [0], properties: {} }],
  ["UNSUBACK without a code", 5, { type: "unsuback", packetId: 1, reasonCodes: [], properties: null }],
  ["UNSUBACK with code 1 [MQTT-3.11.3-2]", 5, { type: "unsuback", packetId: 1, reasonCodes: [1], properties: null }],
  ["UNSUBACK with a code in 3.1.1", 4, { type: "unsuback", packetId: 1, reasonCodes: [0], properties: null }],
  ["UNSUBACK for packet id 0", 4, { type: "unsuback", packetId: 0, reasonCodes: [], properties: null }],
];

const REQUESTS: readonly Row[] = [
  ["SUBSCRIBE without a filter [MQTT-3.8.3-2] [MQTT3-3.8.3-3]", 5, subscribe({ filters: [] })],
  ["SUBSCRIBE with packet id 0 [MQTT-2.2.1-3] [MQTT3-2.3.1-1]", 4, subscribe({ packetId: 0 })],
  ["SUBSCRIBE with properties in 3.1.1", 4, subscribe({ properties: { subscriptionIdentifier: 1 } })],
  ["SUBSCRIBE with QoS 3 [MQTT3-3.8.3-4]", 4, subscribe({}, { qos: 3 }), "ERR_INVALID_QOS"],
  [
    "SUBSCRIBE with a wrong filter [MQTT-4.7.1-1] [MQTT3-4.7.1-2]",
    5,
    subscribe({}, { filter: "a/#/b" }),
    "ERR_INVALID_TOPIC",
  ],
  ["SUBSCRIBE with U+0000 [MQTT-3.8.3-1] [MQTT3-3.8.3-1]", 4, subscribe({}, { filter: "\0" }), "ERR_INVALID_TOPIC"],
  ["SUBSCRIBE with a filter that is no string", 4, subscribe({}, { filter: null }), "ERR_INVALID_TOPIC"],
  ["SUBSCRIBE with an empty group [MQTT-4.8.2-1]", 5, subscribe({}, { filter: "$share//a" }), "ERR_INVALID_TOPIC"],
  ["SUBSCRIBE with retain handling 3", 5, subscribe({}, { retainHandling: 3 }), "ERR_INVALID_SUBSCRIBE_OPTION"],
  [
    "SUBSCRIBE with no local on a shared subscription [MQTT-3.8.3-4]",
    5,
    subscribe({}, { filter: "$share/g/a", noLocal: true }),
    "ERR_INVALID_SUBSCRIBE_OPTION",
  ],
  [
    "UNSUBSCRIBE without a filter [MQTT-3.10.3-2] [MQTT3-3.10.3-2]",
    5,
    { type: "unsubscribe", packetId: 1, filters: [], properties: null },
  ],
  ["UNSUBSCRIBE with packet id 0", 5, { type: "unsubscribe", packetId: 0, filters: ["a"], properties: null }],
  ["UNSUBSCRIBE with properties in 3.1.1", 4, { type: "unsubscribe", packetId: 1, filters: ["a"], properties: {} }],
  [
    "UNSUBSCRIBE with a wrong filter behind a right one [MQTT-3.10.3-1] [MQTT3-3.10.3-1]",
    4,
    { type: "unsubscribe", packetId: 1, filters: ["a", "\uD800"], properties: null },
    "ERR_INVALID_TOPIC",
  ],
  ["DISCONNECT with a reason in 3.1.1", 4, { type: "disconnect", reasonCode: 4, properties: null }],
  ["DISCONNECT with properties in 3.1.1", 4, { type: "disconnect", reasonCode: 0, properties: {} }],
  ["DISCONNECT with reason code 1", 5, { type: "disconnect", reasonCode: 1, properties: null }],
  ["AUTH in 3.1.1", 4, { type: "auth", reasonCode: 0, properties: null }, "ERR_AUTH_NOT_V5"],
  [
    "AUTH with reason code 1 [MQTT-3.15.2-1]",
    5,
    { type: "auth", reasonCode: 1, properties: { authenticationMethod: "m" } },
  ],
  ["AUTH without a method", 5, { type: "auth", reasonCode: 0x18, properties: null }],
  ["AUTH with data and no method", 5, { type: "auth", reasonCode: 0, properties: { authenticationData: EMPTY } }],
];

describe("encodePacket refuses", () => {
  for (const [what, level, packet, code = "ERR_INVALID_ARGUMENT"] of [
    ...CONNECT,
    ...CONNACK,
    ...PUBLISH,
    ...ACKS,
    ...REQUESTS,
  ]) {
    test(`${what} at level ${level} with ${code}, and writes nothing`, () => {
      const w = new ByteWriter(text, 8);
      w.u8(0xaa);
      expect(codeFrom(() => encodePacket(w, packet, level))).toBe(code);
      expect([w.at, w.buffer[0], w.buffer[1]]).toEqual([1, 0xaa, 0]);
    });
  }
});
