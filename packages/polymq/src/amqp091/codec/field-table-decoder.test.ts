import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { fieldTable, hex, mutated, TEXT } from "./amqp091-arbitraries.test-support.ts";
import { decodeTable, type FieldForm } from "./field-table-decoder.ts";
import { encodeTable } from "./field-table-encoder.ts";
import { FIELD_DEPTH_MAX, type FieldTable, TypedField } from "./field-value.ts";

function encoded(table: FieldTable): Uint8Array {
  const w = new ByteWriter(TEXT, 16);
  encodeTable(w, table);
  return w.copyFrom(0);
}

function decoded(bytes: Uint8Array, form: FieldForm = "plain"): FieldTable {
  const r = new ByteReader(TEXT, bytes);
  const table = decodeTable(r, form);
  expect(r.left).toBe(0);
  return table;
}

/** A value under the key `k`, with its type octet. */
function field(notation: string): Uint8Array {
  const value = hex(notation);
  return Uint8Array.of(0, 0, 0, value.length + 2, 1, 0x6b, ...value);
}

/** Type octet and value, as plain and as typed JavaScript. */
const GOLDEN: [notation: string, plain: unknown, typed?: unknown][] = [
  ["'t' 01", true],
  ["'t' 00", false],
  ["'b' ff", -1, new TypedField("b", -1)],
  ["'B' ff", 255, new TypedField("B", 255)],
  ["'s' fffe", -2, new TypedField("s", -2)],
  ["'U' fffe", -2, new TypedField("U", -2)],
  ["'u' fffe", 65_534, new TypedField("u", 65_534)],
  ["'I' ffffffff", -1, new TypedField("I", -1)],
  ["'i' ffffffff", 4_294_967_295, new TypedField("i", 4_294_967_295)],
  ["'l' ffffffffffffffff", -1],
  ["'l' 001fffffffffffff", 9_007_199_254_740_991],
  ["'l' 0020000000000000", 9_007_199_254_740_992n],
  ["'l' ffe0000000000001", -9_007_199_254_740_991],
  ["'l' ffe0000000000000", -9_007_199_254_740_992n],
  ["'l' 8000000000000000", -9_223_372_036_854_775_808n],
  ["'L' 0000000000000001", 1, new TypedField("L", 1)],
  ["'f' 3fc00000", 1.5, new TypedField("f", 1.5)],
  ["'d' 3ff8000000000000", 1.5],
  ["'d' 4008000000000000", 3, new TypedField("d", 3)],
  ["'d' 8000000000000000", -0],
  ["'D' 02 0000007b", new TypedField("D", { scale: 2, unscaled: 123 })],
  ["'S' 00000003 'a' 00 'b'", "a\0b"],
  ["'S' 00000002 c3 28", Uint8Array.of(0xc3, 0x28), new TypedField("S", Uint8Array.of(0xc3, 0x28))],
  ["'x' 00000002 00ff", Uint8Array.of(0, 255)],
  ["'T' 0000000000000001", new TypedField("T", 1)],
  ["'T' ffffffffffffffff", new TypedField("T", 2n ** 64n - 1n)],
  ["'V'", null],
  ["'A' 00000003 'V' 't' 01", [null, true]],
  ["'F' 00000004 01 'a' 't' 01", { a: true }],
];

describe("a field table", () => {
  test.each(GOLDEN)("%s is read as a plain value (§4.2.5.5)", (notation, plain) => {
    expect(decoded(field(notation))).toEqual({ k: plain });
  });

  test.each(GOLDEN)("%s read as typed is encoded as it came", (notation, plain, typed = plain) => {
    const table = decoded(field(notation), "typed");
    expect(table).toEqual({ k: typed });
    expect(encoded(table)).toEqual(field(notation));
  });

  test("any table comes back equal, and encodes to the same bytes", () => {
    fc.assert(
      fc.property(fieldTable(), (table) => {
        const bytes = encoded(table);
        const back = decoded(bytes, "typed");
        expect(Object.entries(back)).toEqual(Object.entries(table));
        expect(encoded(back)).toEqual(bytes);
      }),
    );
  });

  test("integers are encoded as int64 and text as long strings", () => {
    expect(encoded({ k: 1 })).toEqual(field("'l' 0000000000000001"));
    expect(encoded({ k: "é" })).toEqual(field("'S' 00000002 c3 a9"));
    expect(encoded({ k: 0.5 })).toEqual(field("'d' 3fe0000000000000"));
    expect(encoded({ k: new Date(1999) })).toEqual(field("'T' 0000000000000001"));
    expect(encoded({ k: 1e300 })[6]).toBe("d".charCodeAt(0));
  });

  test("a key whose value is undefined is left out", () => {
    expect(encoded({ a: undefined })).toEqual(hex("00000000"));
  });

  test("a key called __proto__ is a key like any other", () => {
    const table = decoded(hex("00000017 09 '__proto__' 'F' 00000008 05 'admin' 't' 01"));
    expect(Object.keys(table)).toEqual(["__proto__"]);
    expect((table as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(Object.getPrototypeOf(table)).toBeNull();
  });

  test("a key that stands twice keeps its last value", () => {
    expect(decoded(hex("00000008 01 'a' 't' 00 01 'a' 't' 01"))).toEqual({ a: true });
  });

  test("bytes read out of a table are copies", () => {
    const source = field("'x' 00000001 07");
    const table = decoded(source);
    source.fill(0);
    expect(table).toEqual({ k: Uint8Array.of(7) });
  });
});

describe("a malformed field table", () => {
  test.each([
    ["a length beyond the frame", "00000005 01 'a' 't' 01"],
    ["a length of 2^32 - 1", "ffffffff 01 'a' 't' 01"],
    ["a long string of 2^32 - 1 bytes", "00000009 01 'a' 'S' ffffffff 00 00"],
    ["an array that is longer than its table", "00000007 01 'a' 'A' 00000001 't'"],
    ["a key that goes beyond its table", "00000003 05 'a' 't' 01 00 00 00"],
    ["a key without a value", "00000002 01 'a'"],
    ["an unknown type octet", "00000004 01 'a' 'z' 01"],
    ["a value that is cut short", "00000006 01 'a' 'l' 00 00 00"],
    ["a key of ill-formed UTF-8", "00000004 01 ff 't' 01"],
    ["a key with U+0000", "00000004 01 00 't' 01"],
  ])("%s is a syntax error (502)", (_, notation) => {
    expect(() => decodeTable(new ByteReader(TEXT, hex(notation)))).toThrow(
      expect.objectContaining({ code: "ERR_MALFORMED_PACKET" }),
    );
  });

  test("tables nested deeper than the limit are a syntax error, before the stack is at risk", () => {
    const nested = (depth: number): Uint8Array => {
      let inner: Uint8Array = new Uint8Array(0);
      for (let i = 1; i < depth; i++) {
        const w = new ByteWriter(TEXT, inner.length + 8);
        w.bytes(hex("01 'a' 'F'"));
        w.u32(inner.length);
        w.bytes(inner);
        inner = w.copyFrom(0);
      }
      const w = new ByteWriter(TEXT, inner.length + 4);
      w.u32(inner.length);
      w.bytes(inner);
      return w.copyFrom(0);
    };
    expect(() => decodeTable(new ByteReader(TEXT, nested(FIELD_DEPTH_MAX)))).not.toThrow();
    expect(() => decodeTable(new ByteReader(TEXT, nested(FIELD_DEPTH_MAX + 1)))).toThrow("nest deeper");
    expect(() => decodeTable(new ByteReader(TEXT, nested(10_000)))).toThrow("nest deeper");
  });

  test("more values than the limit are a syntax error", () => {
    const w = new ByteWriter(TEXT, 80_000);
    w.u32(70_007);
    w.bytes(hex("01 'a' 'A'"));
    w.u32(70_000);
    w.bytes(new Uint8Array(70_000).fill(0x56));
    expect(() => decodeTable(new ByteReader(TEXT, w.copyFrom(0)))).toThrow("more than 65536 values");
  });

  test("any bytes end in a table or in one typed error", () => {
    fc.assert(
      fc.property(
        fieldTable().chain((table) => mutated(encoded(table))),
        (bytes) => {
          try {
            decodeTable(new ByteReader(TEXT, bytes));
          } catch (error) {
            expect(isMessagingError(error) && error.code).toBe("ERR_MALFORMED_PACKET");
          }
        },
      ),
    );
  });
});

describe("a table that cannot be encoded", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  test.each<[string, unknown]>([
    ["a function", { k: () => 1 }],
    ["a Map", { k: new Map() }],
    ["a bigint beyond 64 bits", { k: 2n ** 63n }],
    ["a key above 255 bytes", { ["é".repeat(128)]: 1 }],
    ["a key with U+0000", { "a\0": 1 }],
    ["a lone surrogate", { k: "\ud800" }],
    ["a table inside itself", cyclic],
    ["an invalid date", { k: new Date(Number.NaN) }],
    ["a date before 1970", { k: new Date(-1000) }],
    ["an int8 of 128", { k: new TypedField("b", 128) }],
    ["a uint16 of -1", { k: new TypedField("u", -1) }],
    ["text as a boolean", { k: new TypedField("t", "true") }],
    ["a type octet that is none", { k: new TypedField("Z" as "t", true) }],
    ["an undefined item of an array", { k: [undefined] }],
    ["no object", "text"],
    ["null", null],
  ])("%s is refused and leaves the writer as it was", (_, table) => {
    const w = new ByteWriter(TEXT, 16);
    w.u8(1);
    expect(() => encodeTable(w, table as FieldTable)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect(w.at).toBe(1);
  });
});
