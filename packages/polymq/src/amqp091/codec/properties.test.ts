import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { anyProperties, fieldTable, hex, mutated, TEXT } from "./amqp091-arbitraries.test-support.ts";
import { type BasicProperties, decodeProperties, encodeProperties } from "./properties.ts";
import { PropertiesDecoder } from "./properties-decoder.ts";
import { PropertiesEncoder } from "./properties-encoder.ts";
import { PropertyScanner } from "./property-scan.ts";

const ALL: BasicProperties = {
  contentType: "a",
  contentEncoding: "b",
  headers: { h: true },
  deliveryMode: 2,
  priority: 9,
  correlationId: "c",
  replyTo: "d",
  expiration: "1",
  messageId: "m",
  timestamp: 1,
  type: "t",
  userId: "u",
  appId: "p",
  clusterId: "x",
};

const ALL_BYTES = hex(
  "fffc 01'a' 01'b' 00000004 01'h' 't'01 02 09 01'c' 01'd' 01'1' 01'm' 0000000000000001 01't' 01'u' 01'p' 01'x'",
);

function outcome(bytes: Uint8Array, use: (bytes: Uint8Array) => unknown): string {
  try {
    use(bytes);
    return "fine";
  } catch (error) {
    return isMessagingError(error) ? error.code : String(error);
  }
}

describe("properties", () => {
  test("all fourteen are written and read in the order of their flags (§4.2.6.1)", () => {
    expect(encodeProperties(TEXT, ALL)).toEqual(ALL_BYTES);
    expect(decodeProperties(new ByteReader(TEXT, ALL_BYTES))).toEqual(ALL);
  });

  test.each<[string, BasicProperties | null, string]>([
    ["none", null, "0000"],
    ["only undefined ones", { contentType: undefined }, "0000"],
    ["content type", { contentType: "" }, "8000 00"],
    ["delivery mode", { deliveryMode: 1 }, "1000 01"],
    ["the last one", { clusterId: "z" }, "0004 01 'z'"],
    ["a timestamp above 2^53", { timestamp: 2n ** 64n - 1n }, "0040 ffffffffffffffff"],
  ])("%s", (_, properties, notation) => {
    expect(encodeProperties(TEXT, properties)).toEqual(hex(notation));
  });

  test("any come back equal", () => {
    fc.assert(
      fc.property(anyProperties(), (properties) => {
        expect(decodeProperties(new ByteReader(TEXT, encodeProperties(TEXT, properties)))).toEqual(properties);
      }),
    );
  });

  test.each<[string, unknown]>([
    ["a priority of 256", { priority: 256 }],
    ["a delivery mode that is no number", { deliveryMode: "2" }],
    ["a timestamp that is a date", { timestamp: new Date() }],
    ["half a second", { timestamp: 0.5 }],
    ["an id above 255 bytes", { messageId: "m".repeat(256) }],
    ["headers that are a list", { headers: [] }],
  ])("%s is refused", (_, properties) => {
    expect(() => encodeProperties(TEXT, properties as BasicProperties)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });

  test.each([
    ["00", "flags cut short"],
    ["0001", "a flag that says more flags follow"],
    ["0002 01 'a'", "a flag of no property"],
    ["8000", "a value that is missing"],
    ["8000 02 'a'", "a short string cut short"],
    ["8000 01 ff", "ill-formed text"],
    ["8000 01 00", "text with U+0000"],
    ["0040 00000000", "a timestamp cut short"],
    ["2000 ffffffff", "headers of 2^32 - 1 bytes"],
    ["0000 00", "a byte too many"],
  ])("%s is a syntax error (502): %s", (notation) => {
    expect(outcome(hex(notation), (bytes) => decodeProperties(new ByteReader(TEXT, bytes)))).toBe(
      "ERR_MALFORMED_PACKET",
    );
    expect(outcome(hex(notation), (bytes) => new PropertyScanner().scan(bytes, 0, bytes.length))).toBe(
      "ERR_MALFORMED_PACKET",
    );
  });
});

describe("the property scanner", () => {
  test("finds delivery mode and priority", () => {
    const scanner = new PropertyScanner();
    scanner.scan(ALL_BYTES, 0, ALL_BYTES.length);
    expect([scanner.deliveryMode, scanner.priority]).toEqual([2, 9]);
    scanner.scan(hex("0000"), 0, 2);
    expect([scanner.deliveryMode, scanner.priority]).toEqual([-1, -1]);
  });

  test("tells of a block seen before what it told then, whatever came between", () => {
    const scanner = new PropertyScanner();
    const long = encodeProperties(TEXT, { deliveryMode: 1, headers: { long: "x".repeat(1_000) } });
    scanner.scan(ALL_BYTES, 0, ALL_BYTES.length);
    scanner.scan(long, 0, long.length);
    expect(scanner.deliveryMode).toBe(1);
    scanner.scan(ALL_BYTES, 0, ALL_BYTES.length);
    expect([scanner.deliveryMode, scanner.priority]).toEqual([2, 9]);
  });

  test("takes and refuses what the decoder takes and refuses", () => {
    const block = fc.tuple(anyProperties(), fieldTable()).chain(([properties, headers]) => {
      const bytes = encodeProperties(TEXT, { ...properties, headers });
      return fc.oneof(fc.constant(bytes), mutated(bytes));
    });
    const scanner = new PropertyScanner();
    fc.assert(
      fc.property(block, (bytes) => {
        const decoded = outcome(bytes, () => decodeProperties(new ByteReader(TEXT, bytes)));
        expect(outcome(bytes, () => scanner.scan(bytes, 0, bytes.length))).toBe(decoded);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the properties encoder", () => {
  test("gives the same block for equal properties in another object", () => {
    const encoder = new PropertiesEncoder(TEXT);
    const block = encoder.encode({ ...ALL });
    expect(encoder.encode({ ...ALL, headers: { h: true } })).toBe(block);
    expect(block).toEqual(ALL_BYTES);
  });

  test("sees that an object was changed after a call", () => {
    const encoder = new PropertiesEncoder(TEXT);
    const properties = { messageId: "1", headers: { n: 1 } };
    encoder.encode(properties);
    properties.headers.n = 2;
    expect(encoder.encode(properties)).toEqual(encodeProperties(TEXT, properties));
    properties.messageId = "2";
    expect(encoder.encode(properties)).toEqual(encodeProperties(TEXT, properties));
  });

  test("sees that a list inside the headers was changed", () => {
    const encoder = new PropertiesEncoder(TEXT);
    const properties = { headers: { list: [1] } };
    encoder.encode(properties);
    properties.headers.list.push(2);
    expect(encoder.encode(properties)).toEqual(encodeProperties(TEXT, properties));
  });

  test("any sequence of properties is encoded as without a cache", () => {
    const some = fc.array(
      fc.constantFrom<BasicProperties | null>(
        null,
        {},
        ALL,
        { ...ALL, headers: {} },
        { type: "x" },
        { headers: { h: 0 } },
        { headers: { h: -0 } },
      ),
    );
    fc.assert(
      fc.property(some, (sequence) => {
        const encoder = new PropertiesEncoder(TEXT);
        for (const each of sequence) expect(encoder.encode(each)).toEqual(encodeProperties(TEXT, each));
      }),
    );
  });
});

describe("the properties decoder", () => {
  test("gives the same frozen object for the same bytes", () => {
    const decoder = new PropertiesDecoder(TEXT);
    const first = decoder.decode(ALL_BYTES, 0, ALL_BYTES.length);
    expect(first).toEqual(ALL);
    expect(decoder.decode(ALL_BYTES.slice(), 0, ALL_BYTES.length)).toBe(first);
    expect([Object.isFrozen(first), Object.isFrozen(first.headers)]).toEqual([true, true]);
  });

  test("gives every message its own list inside headers", () => {
    const decoder = new PropertiesDecoder(TEXT);
    const bytes = encodeProperties(TEXT, { headers: { list: [1] } });
    const first = decoder.decode(bytes, 0, bytes.length);
    expect(decoder.decode(bytes, 0, bytes.length)).not.toBe(first);
  });
});
