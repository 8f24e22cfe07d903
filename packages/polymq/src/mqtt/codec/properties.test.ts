import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../bytes/writer.ts";
import { codeFrom, readerOf, text } from "./codec.test-support.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import {
  decodeProperties,
  PROPERTIES,
  PROPERTY_COUNT_MAX,
  type PropertyBlocks,
  type PropertyCarrier,
  putProperties,
} from "./properties.ts";

/** MQTT 5.0 §2.2.2.2, table 2-4, typed in from there: identifier, then what may have it. */
const REASON = ["connack", "puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback", "disconnect", "auth"];
const TABLE: readonly (readonly [id: number, carriers: readonly string[]])[] = [
  [0x01, ["publish", "will"]],
  [0x02, ["publish", "will"]],
  [0x03, ["publish", "will"]],
  [0x08, ["publish", "will"]],
  [0x09, ["publish", "will"]],
  [0x0b, ["publish", "subscribe"]],
  [0x11, ["connect", "connack", "disconnect"]],
  [0x12, ["connack"]],
  [0x13, ["connack"]],
  [0x15, ["connect", "connack", "auth"]],
  [0x16, ["connect", "connack", "auth"]],
  [0x17, ["connect"]],
  [0x18, ["will"]],
  [0x19, ["connect"]],
  [0x1a, ["connack"]],
  [0x1c, ["connack", "disconnect"]],
  [0x1f, REASON],
  [0x21, ["connect", "connack"]],
  [0x22, ["connect", "connack"]],
  [0x23, ["publish"]],
  [0x24, ["connack"]],
  [0x25, ["connack"]],
  [0x26, [...REASON, "connect", "publish", "will", "subscribe", "unsubscribe"]],
  [0x27, ["connect", "connack"]],
  [0x28, ["connack"]],
  [0x29, ["connack"]],
  [0x2a, ["connack"]],
];

/** A valid value on the wire for each property. */
const VALUES: Readonly<Record<number, string>> = {
  1: "01",
  2: "00000001",
  3: "('a')",
  8: "('a')",
  9: "('a')",
  11: "01",
  17: "00000001",
  18: "('a')",
  19: "0001",
  21: "('a')",
  22: "('a')",
  23: "01",
  24: "00000001",
  25: "01",
  26: "('a')",
  28: "('a')",
  31: "('a')",
  33: "0001",
  34: "0001",
  35: "0001",
  36: "01",
  37: "01",
  38: "('a') ('b')",
  39: "00000001",
  40: "01",
  41: "01",
  42: "01",
};

const CARRIERS: readonly PropertyCarrier[] = [
  "connect",
  "will",
  "connack",
  "publish",
  "puback",
  "pubrec",
  "pubrel",
  "pubcomp",
  "subscribe",
  "suback",
  "unsubscribe",
  "unsuback",
  "disconnect",
  "auth",
];

function decode(notation: string, carrier: PropertyCarrier): unknown {
  return decodeProperties(readerOf(`[ ${notation} ]`), carrier);
}

function encode<C extends PropertyCarrier>(carrier: C, properties: PropertyBlocks[C] | null): Uint8Array {
  const w = new ByteWriter(text);
  putProperties(w, carrier, properties);
  return w.copyFrom(0);
}

function hex(id: number): string {
  return id.toString(16).padStart(2, "0");
}

describe("the table of properties", () => {
  test("has all 27 of MQTT 5.0", () => {
    expect(new Set(PROPERTIES.map((row) => row.id))).toEqual(new Set(TABLE.map(([id]) => id)));
    expect(TABLE).toHaveLength(27);
  });

  test.each(CARRIERS)("lets a %s have exactly the properties of table 2-4", (carrier) => {
    const taken: number[] = [];
    for (let id = 0; id < 128; id++) {
      const code = codeFrom(() => decode(`${hex(id)} ${VALUES[id] ?? "00"}`, carrier));
      if (code === null) taken.push(id);
      else expect(code).toBe("ERR_MALFORMED_PACKET");
    }
    expect(taken).toEqual(TABLE.filter(([, carriers]) => carriers.includes(carrier)).map(([id]) => id));
  });

  test.each(CARRIERS)(
    "lets only user properties repeat in a %s, and subscription identifiers in a PUBLISH",
    (carrier) => {
      for (const [id, carriers] of TABLE) {
        if (!carriers.includes(carrier)) continue;
        const one = `${hex(id)} ${VALUES[id] ?? ""}`;
        const repeats = id === 0x26 || (id === 0x0b && carrier === "publish");
        expect(codeFrom(() => decode(`${one} ${one}`, carrier))).toBe(repeats ? null : "ERR_PROTOCOL_VIOLATION");
      }
    },
  );

  test.each(CARRIERS)("refuses every property of a %s that is cut at any byte", (carrier) => {
    for (const [id, carriers] of TABLE) {
      if (!carriers.includes(carrier)) continue;
      const whole = packetBytes(`${hex(id)} ${VALUES[id] ?? ""}`);
      for (let end = 1; end < whole.length; end++) {
        const cut = [...whole.slice(0, end)].map(hex).join(" ");
        expect(codeFrom(() => decode(cut, carrier))).toBe("ERR_MALFORMED_PACKET");
      }
    }
  });
});

describe("decodeProperties", () => {
  test("is null for an empty block, and leaves the reader behind it", () => {
    const r = readerOf("00 aa");
    expect(decodeProperties(r, "puback")).toBe(null);
    expect(r.at).toBe(1);
  });

  test("leaves the reader behind the block, with the window that it had", () => {
    const r = readerOf("[ 1f ('x') ] aabb");
    expect(decodeProperties(r, "puback")).toEqual({ reasonString: "x" });
    expect([r.at, r.left]).toEqual([5, 2]);
  });

  test("keeps user properties in their order, with equal names", () => {
    expect(decode("26 ('b') ('1') 26 ('a') ('2') 26 ('b') ('3')", "unsubscribe")).toEqual({
      userProperties: [
        ["b", "1"],
        ["a", "2"],
        ["b", "3"],
      ],
    });
  });

  test("takes properties in any order", () => {
    expect(decode("21 0005 11 00000001 15 ('m')", "connect")).toEqual({
      receiveMaximum: 5,
      sessionExpirySeconds: 1,
      authenticationMethod: "m",
    });
  });

  test("reads the whole range of each number", () => {
    expect(decode("11 ffffffff 21 ffff 22 0000 27 ffffffff", "connect")).toEqual({
      sessionExpirySeconds: 4_294_967_295,
      receiveMaximum: 65_535,
      topicAliasMaximum: 0,
      maximumPacketSize: 4_294_967_295,
    });
    expect(decode("0b ffffff7f", "subscribe")).toEqual({ subscriptionIdentifier: 268_435_455 });
  });

  test("refuses strings that are none, in every property that has one [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1]", () => {
    for (const row of PROPERTIES) {
      const carrier = row.carriers[0] as PropertyCarrier;
      if (row.wire !== "string" && row.wire !== "topic" && row.wire !== "pair") continue;
      for (const wrong of ["(ff)", "(00)", "(eda080)"]) {
        const values = row.wire === "pair" ? [`${wrong} ('a')`, `('a') ${wrong}`] : [wrong];
        for (const value of values) {
          expect(codeFrom(() => decode(`${hex(row.id)} ${value}`, carrier))).toBe("ERR_MALFORMED_PACKET");
        }
      }
    }
  });

  test("hands out binary data as a view", () => {
    const r = readerOf("[ 15 ('m') 16 (0102) ]");
    const properties = decodeProperties(r, "auth");
    expect(properties?.authenticationData).toEqual(Uint8Array.of(1, 2));
    expect(properties?.authenticationData?.buffer).toBe(r.buffer.buffer);
  });
});

describe("writing properties", () => {
  test("no properties are one byte, the length 0 [MQTT-2.2.2-1]", () => {
    expect([...encode("connect", null)]).toEqual([0]);
    expect([...encode("connect", {})]).toEqual([0]);
  });

  test("an undefined field is none", () => {
    const properties = { reasonString: undefined } as unknown as PropertyBlocks["puback"];
    expect([...encode("puback", properties)]).toEqual([0]);
  });

  test("a length of two bytes is written when it needs them", () => {
    const bytes = encode("puback", { reasonString: "x".repeat(200) });
    expect([...bytes.slice(0, 5)]).toEqual([0xcb, 0x01, 0x1f, 0x00, 0xc8]);
  });

  test("user properties are written in their order", () => {
    const bytes = encode("unsubscribe", {
      userProperties: [
        ["b", ""],
        ["a", "c"],
      ],
    });
    expect(bytes).toEqual(packetBytes("[ 26 ('b') () 26 ('a') ('c') ]"));
  });

  const refused: readonly (readonly [what: string, carrier: PropertyCarrier, properties: unknown, code?: string])[] = [
    ["a property of another packet", "connect", { topicAlias: 1 }],
    ["a property that does not exist", "puback", { reason: "x" }],
    ["a name that objects have anyway", "puback", JSON.parse('{"__proto__": 1}')],
    ["a number for a string", "puback", { reasonString: 7 }],
    ["a string for a number", "connect", { receiveMaximum: "7" }],
    ["a number for a boolean", "connack", { retainAvailable: 1 }],
    ["an array for binary data", "auth", { authenticationMethod: "m", authenticationData: [1] }],
    ["receive maximum 0", "connect", { receiveMaximum: 0 }],
    ["receive maximum 65,536", "connect", { receiveMaximum: 65_536 }],
    ["a fraction", "connect", { receiveMaximum: 1.5 }],
    ["a negative number", "connect", { sessionExpirySeconds: -1 }],
    ["not a number", "connect", { sessionExpirySeconds: Number.NaN }],
    ["a session expiry of 2^32", "connect", { sessionExpirySeconds: 4_294_967_296 }],
    ["maximum packet size 0", "connect", { maximumPacketSize: 0 }],
    ["maximum QoS 2", "connack", { maximumQoS: 2 }],
    ["payload format 2", "publish", { payloadFormat: 2 }],
    ["topic alias 0 [MQTT-3.3.2-8]", "publish", { topicAlias: 0 }],
    ["subscription identifier 0", "subscribe", { subscriptionIdentifier: 0 }],
    ["subscription identifier 2^28", "subscribe", { subscriptionIdentifier: 268_435_456 }],
    ["one subscription identifier for a list", "publish", { subscriptionIdentifiers: 1 }],
    ["a subscription identifier of 0 in a list", "publish", { subscriptionIdentifiers: [1, 0] }],
    ["user properties as an object", "puback", { userProperties: { a: "b" } }],
    ["a user property without a value", "puback", { userProperties: [["a"]] }],
    ["a user property with a number", "puback", { userProperties: [["a", 1]] }],
    ["U+0000 [MQTT-1.5.4-2]", "puback", { reasonString: "a\0" }],
    ["U+0000 in a user property [MQTT-1.5.7-1]", "puback", { userProperties: [["a\0", "b"]] }],
    ["a lone surrogate [MQTT-1.5.4-1]", "puback", { reasonString: "\uD800" }],
    ["a string of 65,536 bytes", "puback", { reasonString: "x".repeat(65_536) }],
    ["binary data of 65,536 bytes", "publish", { correlationData: new Uint8Array(65_536) }],
    ["a wildcard in a response topic [MQTT-3.3.2-14]", "publish", { responseTopic: "a/#" }, "ERR_INVALID_TOPIC"],
    ["an empty response topic [MQTT-4.7.3-1]", "will", { responseTopic: "" }, "ERR_INVALID_TOPIC"],
  ];

  for (const [what, carrier, properties, code = "ERR_INVALID_ARGUMENT"] of refused) {
    test(`${what} is refused before a byte is written`, () => {
      const wrong = properties as PropertyBlocks[typeof carrier];
      const w = new ByteWriter(text);
      expect(codeFrom(() => putProperties(w, carrier, wrong))).toBe(code);
      expect(w.at).toBe(0);
    });
  }

  test("as many properties are written as are taken, and no more", () => {
    const pairs = (count: number): PropertyBlocks["puback"] => ({
      userProperties: Array.from({ length: count }, () => ["a", "b"] as const),
    });
    expect(codeFrom(() => encode("puback", pairs(PROPERTY_COUNT_MAX)))).toBe(null);
    expect(codeFrom(() => encode("puback", pairs(PROPERTY_COUNT_MAX + 1)))).toBe("ERR_INVALID_ARGUMENT");
  });
});
