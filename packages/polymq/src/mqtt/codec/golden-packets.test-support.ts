/**
 * Packets beside the bytes that the specification gives them, worked out by hand from its layouts: lengths are written out,
 * and properties stand in ascending order of their identifiers, as the encoder writes them.
 */
import { packetBytes } from "./packet-bytes.test-support.ts";
import type { Packet, ProtocolLevel } from "./packets.ts";

/** One packet both as a value and as bytes. */
export interface GoldenPacket {
  readonly name: string;
  readonly level: ProtocolLevel;
  readonly packet: Packet;
  readonly bytes: Uint8Array;
}

type Row = readonly [name: string, notation: string, packet: Packet];

const u8 = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A CONNECT that says as little as it can. */
const CONNECT = {
  type: "connect",
  cleanStart: true,
  keepAliveSeconds: 60,
  clientId: "a",
  username: null,
  password: null,
  will: null,
  properties: null,
} as const;

const PUBLISH = { type: "publish", qos: 0, retain: false, dup: false, packetId: 0, properties: null } as const;

const LEVEL_4: readonly Row[] = [
  ["a short CONNECT", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", { ...CONNECT, level: 4 }],
  [
    "a CONNECT that asks for a client id",
    "10 0c 0004 'MQTT' 04 02 0000 0000",
    { ...CONNECT, level: 4, clientId: "", keepAliveSeconds: 0 },
  ],
  [
    "a CONNECT with everything",
    `10 1f 0004 'MQTT' 04 f4 000a 0002 'id'
     0003 'w/t' 0002 ff00
     0001 'u' 0003 000102`,
    {
      type: "connect",
      level: 4,
      cleanStart: false,
      keepAliveSeconds: 10,
      clientId: "id",
      username: "u",
      password: u8(0, 1, 2),
      will: { topic: "w/t", payload: u8(0xff, 0), qos: 2, retain: true, properties: null },
      properties: null,
    },
  ],
  [
    "a CONNACK that accepts",
    "20 02 00 00",
    { type: "connack", sessionPresent: false, reasonCode: 0, properties: null },
  ],
  [
    "a CONNACK with a session",
    "20 02 01 00",
    { type: "connack", sessionPresent: true, reasonCode: 0, properties: null },
  ],
  [
    "a CONNACK that refuses",
    "20 02 00 05",
    { type: "connack", sessionPresent: false, reasonCode: 5, properties: null },
  ],
  ["a PUBLISH at QoS 0", "30 05 0003 'a/b'", { ...PUBLISH, topic: "a/b", payload: u8() }],
  [
    "a retained PUBLISH at QoS 1",
    "33 09 0003 'a/b' 000a 'hi'",
    { ...PUBLISH, topic: "a/b", payload: utf8("hi"), qos: 1, retain: true, packetId: 10 },
  ],
  [
    "a PUBLISH at QoS 2, sent again",
    "3c 08 0001 't' ffff 'xyz'",
    { ...PUBLISH, topic: "t", payload: utf8("xyz"), qos: 2, dup: true, packetId: 65_535 },
  ],
  [
    "a PUBLISH to a topic that is not ASCII",
    "30 0f 000b c3a9 2f e282ac 2f f09f8c8d 00ff",
    { ...PUBLISH, topic: "é/€/🌍", payload: u8(0, 0xff) },
  ],
  ["a PUBACK", "40 02 0001", { type: "puback", packetId: 1, reasonCode: 0, properties: null }],
  ["a PUBREC", "50 02 0102", { type: "pubrec", packetId: 258, reasonCode: 0, properties: null }],
  ["a PUBREL", "62 02 ffff", { type: "pubrel", packetId: 65_535, reasonCode: 0, properties: null }],
  ["a PUBCOMP", "70 02 0100", { type: "pubcomp", packetId: 256, reasonCode: 0, properties: null }],
  [
    "a SUBSCRIBE",
    "82 0e 000a 0003 'a/b' 01 0003 'c/#' 02",
    {
      type: "subscribe",
      packetId: 10,
      filters: [
        { filter: "a/b", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { filter: "c/#", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: null,
    },
  ],
  [
    "a SUBACK",
    "90 06 000a 00 01 02 80",
    { type: "suback", packetId: 10, reasonCodes: [0, 1, 2, 0x80], properties: null },
  ],
  [
    "an UNSUBSCRIBE",
    "a2 0c 000a 0003 'a/b' 0003 'c/+'",
    { type: "unsubscribe", packetId: 10, filters: ["a/b", "c/+"], properties: null },
  ],
  ["an UNSUBACK", "b0 02 000a", { type: "unsuback", packetId: 10, reasonCodes: [], properties: null }],
  ["a PINGREQ", "c0 00", { type: "pingreq" }],
  ["a PINGRESP", "d0 00", { type: "pingresp" }],
  ["a DISCONNECT", "e0 00", { type: "disconnect", reasonCode: 0, properties: null }],
];

const CONNECT_5: readonly Row[] = [
  ["a short CONNECT", "10 0e 0004 'MQTT' 05 02 003c 00 0001 'a'", { ...CONNECT, level: 5 }],
  [
    "a CONNECT with a password and no user name",
    "10 11 0004 'MQTT' 05 42 003c 00 0001 'a' 0001 'p'",
    { ...CONNECT, level: 5, password: utf8("p") },
  ],
  [
    "a CONNECT with everything",
    `10 71 0004 'MQTT' 05 ce 012c
     2a 11 0000000a 15 0001 'm' 16 0002 00ff 17 00 19 01 21 0014 22 0005
        26 0001 'k' 0001 'v' 26 0001 'k' 0000 27 00010000
     0002 'id'
     24 01 01 02 00000e10 03 0004 'text' 08 0003 'r/t' 09 0001 07 18 00000005 26 0001 'a' 0001 'b'
     0003 'w/t' 0002 'by'
     0004 'user' 0002 'pw'`,
    {
      type: "connect",
      level: 5,
      cleanStart: true,
      keepAliveSeconds: 300,
      clientId: "id",
      username: "user",
      password: utf8("pw"),
      will: {
        topic: "w/t",
        payload: utf8("by"),
        qos: 1,
        retain: false,
        properties: {
          delaySeconds: 5,
          payloadFormat: 1,
          messageExpirySeconds: 3_600,
          contentType: "text",
          responseTopic: "r/t",
          correlationData: u8(7),
          userProperties: [["a", "b"]],
        },
      },
      properties: {
        sessionExpirySeconds: 10,
        receiveMaximum: 20,
        maximumPacketSize: 65_536,
        topicAliasMaximum: 5,
        requestResponseInformation: true,
        requestProblemInformation: false,
        userProperties: [
          ["k", "v"],
          ["k", ""],
        ],
        authenticationMethod: "m",
        authenticationData: u8(0, 0xff),
      },
    },
  ],
  [
    "a CONNACK that accepts",
    "20 03 00 00 00",
    { type: "connack", sessionPresent: false, reasonCode: 0, properties: null },
  ],
  [
    "a CONNACK that refuses",
    "20 03 00 87 00",
    { type: "connack", sessionPresent: false, reasonCode: 0x87, properties: null },
  ],
  [
    "a CONNACK with everything",
    `20 41 01 00
     3e 11 00000064 12 0002 'id' 13 001e 15 0001 'm' 16 0001 09 1a 0001 'i' 1c 0001 's' 1f 0002 'ok'
        21 000a 22 0008 24 01 25 00 26 0001 'a' 0001 'b' 27 00100000 28 00 29 01 2a 00`,
    {
      type: "connack",
      sessionPresent: true,
      reasonCode: 0,
      properties: {
        sessionExpirySeconds: 100,
        receiveMaximum: 10,
        maximumQoS: 1,
        retainAvailable: false,
        maximumPacketSize: 1_048_576,
        assignedClientId: "id",
        topicAliasMaximum: 8,
        reasonString: "ok",
        userProperties: [["a", "b"]],
        wildcardSubscriptionAvailable: false,
        subscriptionIdentifiersAvailable: true,
        sharedSubscriptionAvailable: false,
        serverKeepAliveSeconds: 30,
        responseInformation: "i",
        serverReference: "s",
        authenticationMethod: "m",
        authenticationData: u8(9),
      },
    },
  ],
];

const PUBLISH_5: readonly Row[] = [
  ["a PUBLISH at QoS 0", "30 06 0003 'a/b' 00", { ...PUBLISH, topic: "a/b", payload: u8() }],
  [
    "a PUBLISH with everything",
    `32 2e 0003 'a/b' 0007
     23 01 01 02 0000003c 03 0001 't' 08 0001 'r' 09 0002 aabb 0b 01 0b 8001 23 0003 26 0001 'a' 0001 'b'
     'pay'`,
    {
      ...PUBLISH,
      topic: "a/b",
      payload: utf8("pay"),
      qos: 1,
      packetId: 7,
      properties: {
        payloadFormat: 1,
        messageExpirySeconds: 60,
        topicAlias: 3,
        responseTopic: "r",
        correlationData: u8(0xaa, 0xbb),
        userProperties: [["a", "b"]],
        subscriptionIdentifiers: [1, 128],
        contentType: "t",
      },
    },
  ],
  [
    "a PUBLISH with an alias in its topic's place",
    "30 07 0000 03 23 0001 'x'",
    { ...PUBLISH, topic: "", payload: utf8("x"), properties: { topicAlias: 1 } },
  ],
  ["a PUBACK", "40 02 0001", { type: "puback", packetId: 1, reasonCode: 0, properties: null }],
  ["a PUBACK with a reason", "40 03 0001 10", { type: "puback", packetId: 1, reasonCode: 0x10, properties: null }],
  [
    "a PUBACK with a reason string",
    "40 0c 0001 87 08 1f 0005 'nope!'",
    { type: "puback", packetId: 1, reasonCode: 0x87, properties: { reasonString: "nope!" } },
  ],
  [
    "a PUBACK of success with a user property",
    "40 0b 0001 00 07 26 0001 'a' 0001 'b'",
    { type: "puback", packetId: 1, reasonCode: 0, properties: { userProperties: [["a", "b"]] } },
  ],
  ["a PUBREC with a reason", "50 03 0002 97", { type: "pubrec", packetId: 2, reasonCode: 0x97, properties: null }],
  ["a PUBREL", "62 02 0003", { type: "pubrel", packetId: 3, reasonCode: 0, properties: null }],
  ["a PUBREL with a reason", "62 03 0003 92", { type: "pubrel", packetId: 3, reasonCode: 0x92, properties: null }],
  [
    "a PUBCOMP with a reason string",
    "70 08 0004 92 04 1f 0001 'x'",
    { type: "pubcomp", packetId: 4, reasonCode: 0x92, properties: { reasonString: "x" } },
  ],
];

const OTHERS_5: readonly Row[] = [
  [
    "a SUBSCRIBE",
    `82 18 0001 02 0b 05
     0003 'a/b' 2e
     000a '$share/g/t' 01`,
    {
      type: "subscribe",
      packetId: 1,
      filters: [
        { filter: "a/b", qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: "$share/g/t", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: { subscriptionIdentifier: 5 },
    },
  ],
  ["a SUBACK", "90 06 0001 00 00 02 87", { type: "suback", packetId: 1, reasonCodes: [0, 2, 0x87], properties: null }],
  [
    "a SUBACK with a reason string",
    "90 08 0001 04 1f 0001 'x' 8f",
    { type: "suback", packetId: 1, reasonCodes: [0x8f], properties: { reasonString: "x" } },
  ],
  [
    "an UNSUBSCRIBE",
    "a2 0f 0001 07 26 0001 'a' 0001 'b' 0003 'a/b'",
    { type: "unsubscribe", packetId: 1, filters: ["a/b"], properties: { userProperties: [["a", "b"]] } },
  ],
  ["an UNSUBACK", "b0 05 0001 00 00 11", { type: "unsuback", packetId: 1, reasonCodes: [0, 0x11], properties: null }],
  ["a PINGREQ", "c0 00", { type: "pingreq" }],
  ["a PINGRESP", "d0 00", { type: "pingresp" }],
  ["a DISCONNECT", "e0 00", { type: "disconnect", reasonCode: 0, properties: null }],
  ["a DISCONNECT with a reason", "e0 01 04", { type: "disconnect", reasonCode: 4, properties: null }],
  [
    "a DISCONNECT with everything",
    "e0 16 9d 14 11 00000000 1c 0001 's' 1f 0001 'm' 26 0001 'a' 0001 'b'",
    {
      type: "disconnect",
      reasonCode: 0x9d,
      properties: {
        sessionExpirySeconds: 0,
        serverReference: "s",
        reasonString: "m",
        userProperties: [["a", "b"]],
      },
    },
  ],
  ["an AUTH of success", "f0 00", { type: "auth", reasonCode: 0, properties: null }],
  [
    "an AUTH with a method",
    "f0 06 18 04 15 0001 'm'",
    { type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } },
  ],
  [
    "an AUTH with everything",
    "f0 15 19 13 15 0001 'm' 16 0001 01 1f 0001 'r' 26 0001 'a' 0001 'b'",
    {
      type: "auth",
      reasonCode: 0x19,
      properties: {
        authenticationMethod: "m",
        authenticationData: u8(1),
        reasonString: "r",
        userProperties: [["a", "b"]],
      },
    },
  ],
];

/** Every packet at both levels. */
export const GOLDEN_PACKETS: readonly GoldenPacket[] = [
  ...LEVEL_4.map((row) => golden(4, row)),
  ...[...CONNECT_5, ...PUBLISH_5, ...OTHERS_5].map((row) => golden(5, row)),
];

function golden(level: ProtocolLevel, [name, notation, packet]: Row): GoldenPacket {
  return { name, level, packet, bytes: packetBytes(notation) };
}
