/** Every legal encoding of a value, the shortest one, and what is refused (C6, C7, C10, C11). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyValue, bytes, codeFrom, decode, encode, hex, readerOf } from "./codec.test-support.ts";
import { VALUE_DEPTH_MAX } from "./value-reader.ts";
import { AmqpArray, AmqpMap, type AmqpValue, Described, plain, symbol, Typed, typed, uuid } from "./values.ts";

describe("every encoding of a value decodes to the same value (C6)", () => {
  const rows: [string, AmqpValue, string[]][] = [
    ["true", true, ["41", "56 01"]],
    ["false", false, ["42", "56 00"]],
    ["uint 0", new Typed("uint", 0), ["43", "52 00", "70 00000000"]],
    ["uint 7", new Typed("uint", 7), ["52 07", "70 00000007"]],
    ["ulong 0", new Typed("ulong", 0), ["44", "53 00", "80 0000000000000000"]],
    ["ulong 7", new Typed("ulong", 7), ["53 07", "80 0000000000000007"]],
    ["int -1", -1, ["54 ff", "71 ffffffff"]],
    ["long -1", new Typed("long", -1), ["55 ff", "81 ffffffffffffffff"]],
    ["an empty list", [], ["45", "c0 01 00", "d0 00000004 00000000"]],
    ["a list", [true], ["c0 02 01 41", "d0 00000005 00000001 41", "d0 00000006 00000001 56 01"]],
    ["a map", new AmqpMap([[true, null]]), ["c1 03 02 41 40", "d1 00000006 00000002 41 40"]],
    ["binary", Uint8Array.of(1, 2), ["a0 02 0102", "b0 00000002 0102"]],
    ["a string", "hé", ["a1 03 68c3a9", "b1 00000003 68c3a9"]],
    ["a symbol", symbol("ab"), ["a3 02 'ab'", "b3 00000002 'ab'"]],
    ["an array", new AmqpArray("uint", [new Typed("uint", 1)]), ["e0 03 01 52 01", "f0 00000009 00000001 70 00000001"]],
    ["an array of nulls", new AmqpArray("null", [null, null]), ["e0 02 02 40", "f0 00000005 00000002 40"]],
    ["an array of true", new AmqpArray("boolean", [true, true]), ["e0 04 02 56 01 01", "e0 02 02 41"]],
    [
      "a described value",
      new Described(new Typed("ulong", 0x24), []),
      ["00 53 24 45", "00 80 0000000000000024 c0 01 00"],
    ],
  ];
  test.each(rows)("%s", (_, value, forms) => {
    for (const form of forms) expect(decode(bytes(form))).toEqual(value);
    expect(hex(encode(value))).toBe(hex(bytes(forms[0] ?? "")));
  });
});

describe("the shortest form (C7)", () => {
  test("is what an independent count of bytes finds", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(encode(value).length).toBe(1 + leastBody(value));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Bytes of a value behind its constructor, counted without the encoder. */
function leastBody(value: AmqpValue): number {
  if (value === null || typeof value === "boolean") return 0;
  if (typeof value === "number") {
    if (!Number.isInteger(value) || Object.is(value, -0)) return 8;
    return value >= -128 && value < 128 ? 1 : 4;
  }
  if (typeof value === "string") return variable(Buffer.byteLength(value));
  if (value instanceof Uint8Array) return variable(value.length);
  if (value instanceof Typed) return leastTyped(value, true);
  if (value instanceof Described) return leastBody(value.descriptor) + leastBody(value.value) + 2;
  if (value instanceof AmqpArray) return leastArray(value);
  const items = value instanceof AmqpMap ? value.flat : value;
  if (items.length === 0 && !(value instanceof AmqpMap)) return 0;
  return compound(
    items.reduce<number>((sum, item) => sum + 1 + leastBody(item), 0),
    items.length,
  );
}

function leastTyped(value: Typed, alone: boolean): number {
  const n = value.value;
  const wide = { ubyte: 1, byte: 1, ushort: 2, short: 2, float: 4, char: 4, decimal32: 4, double: 8, timestamp: 8 };
  const wider = { decimal64: 8, decimal128: 16, uuid: 16 };
  if (value.type === "symbol") return variable(String(n).length);
  if (value.type === "uint") return n === 0 && alone ? 0 : Number(n) < 256 ? 1 : 4;
  if (value.type === "ulong") return n === 0 && alone ? 0 : Number(n) < 256 ? 1 : 8;
  if (value.type === "long") return Number(n) >= -128 && Number(n) < 128 ? 1 : 8;
  return { ...wide, ...wider, int: 4 }[value.type];
}

function leastArray(array: AmqpArray): number {
  const head = array.descriptors.reduce<number>((sum, each) => sum + 2 + leastBody(each), 0) + 1;
  return compound(head + elementBytes(array), array.items.length);
}

function elementBytes(array: AmqpArray): number {
  const items = array.items;
  if (array.type === "null") return 0;
  if (array.type === "boolean") return items.length;
  const each = items.map((item) => (item instanceof Typed ? leastTyped(item, false) : leastBody(item)));
  if (["list", "map", "array", "string", "binary", "symbol"].includes(array.type)) return variableElements(array, each);
  return items.length * Math.max(0, ...each.map((n) => (array.type === "double" ? 8 : n)));
}

/** Elements of variable length: all behind one-byte lengths, or all behind four-byte ones. */
function variableElements(array: AmqpArray, each: readonly number[]): number {
  const compounds = ["list", "map", "array"].includes(array.type);
  const [short, long] = compounds ? [2, 8] : [1, 4];
  const contents = each.map((n, i) =>
    n === 0 && array.type === "list" ? 0 : n - (isLong(array.items[i], n) ? long : short),
  );
  const wide = each.some((n, i) => isLong(array.items[i], n));
  return contents.reduce((sum, n) => sum + n + (wide ? long : short), 0);
}

function isLong(item: AmqpValue | undefined, body: number): boolean {
  if (typeof item === "string" || item instanceof Uint8Array || item instanceof Typed) return body > 256;
  const code = encode(item ?? null)[0] ?? 0;
  return code === 0xd0 || code === 0xd1 || code === 0xf0;
}

function variable(length: number): number {
  return length < 256 ? 1 + length : 4 + length;
}

function compound(content: number, count: number): number {
  return content + 1 < 256 && count < 256 ? 2 + content : 8 + content;
}

describe("floating point (C10)", () => {
  test.each([
    ["a quiet NaN with a payload", "82 7ff8000000000123"],
    ["a negative NaN", "82 fff8000000000000"],
    ["a signalling NaN", "82 7ff0000000000001"],
    ["a float NaN with a payload", "72 7fc00123"],
    ["a signalling float NaN", "72 7f800001"],
    ["minus zero", "82 8000000000000000"],
    ["a subnormal", "82 0000000000000001"],
    ["a subnormal float", "72 00000001"],
    ["infinity", "82 7ff0000000000000"],
    ["a double that is an integer", "82 4014000000000000"],
    ["an array of NaNs", "e0 12 02 82 7ff8000000000123 7ff8000000000000"],
  ])("%s keeps its bits", (_, form) => {
    expect(hex(encode(decode(bytes(form))))).toBe(hex(bytes(form)));
  });
});

describe("char (C10)", () => {
  test.each([0, 0x10ffff, 0xe000])("%i is a char", (point) => {
    expect(decode(encode(typed("char", point)))).toEqual(new Typed("char", point));
  });
  test.each(["73 0000d800", "73 0000dfff", "73 00110000"])("%s is refused", (form) => {
    expect(codeFrom(() => decode(bytes(form)))).toBe("ERR_MALFORMED_PACKET");
  });
});

describe("malformed values are refused (C11)", () => {
  const deep = (levels: number): Uint8Array =>
    Uint8Array.from([...Array.from({ length: levels }, () => [0x00, 0x40]).flat(), 0x40]);
  test.each([
    ["nothing", new Uint8Array(0)],
    ["an unknown constructor", bytes("99")],
    ["a boolean of 2", bytes("56 02")],
    ["a list longer than the input", bytes("c0 05 01 40")],
    ["a list shorter than its values", bytes("c0 02 02 40 40")],
    ["a list longer than its values", bytes("c0 04 01 40 40 40")],
    ["a count of 2^32-1 in five bytes", bytes("d0 00000005 ffffffff 40")],
    ["a size below its count field", bytes("d0 00000003 000000")],
    ["a map with an odd count", bytes("c1 02 01 40")],
    ["an array of 2^32-1 nulls", bytes("f0 00000005 ffffffff 40")],
    ["an array of 2^32-1 empty lists", bytes("f0 00000005 ffffffff 45")],
    ["an array of 2^31 uints without data", bytes("f0 00000005 80000000 43")],
    ["an array of many ints without data", bytes("f0 00000005 7fffffff 71")],
    ["an array without a constructor", bytes("e0 01 00")],
    ["an array of unknown type", bytes("e0 02 00 99")],
    ["binary longer than the input", bytes("b0 7fffffff 00")],
    ["ill-formed UTF-8", bytes("a1 02 c328")],
    ["a surrogate in UTF-8", bytes("a1 03 eda080")],
    ["a symbol that is not ASCII", bytes("a3 02 c3a9")],
    ["descriptors of descriptors without end", deep(1_000)],
    ["descriptors as descriptors", new Uint8Array(1_000_000)],
    ["lists nested without end", Uint8Array.from(nestedLists(2_000))],
  ])("%s", (_, form) => {
    expect(codeFrom(() => decode(form))).toBe("ERR_MALFORMED_PACKET");
  });

  test("nesting is allowed up to its limit and refused beyond, in both directions", () => {
    let value: AmqpValue = null;
    for (let i = 0; i < VALUE_DEPTH_MAX; i++) value = [value];
    expect(decode(encode(value))).toEqual(value);
    const tooDeep: AmqpValue = [value];
    expect(codeFrom(() => encode(tooDeep))).toBe("ERR_INVALID_ARGUMENT");
  });

  test("values beyond their number are refused, zero-width ones in an array too", () => {
    expect(readerOf(bytes("c0 04 03 40 40 40"), 4).value()).toEqual([null, null, null]);
    expect(codeFrom(() => readerOf(bytes("c0 04 03 40 40 40"), 3).value())).toBe("ERR_MALFORMED_PACKET");
    expect(codeFrom(() => readerOf(bytes("f0 00000005 00000010 40"), 8).value())).toBe("ERR_MALFORMED_PACKET");
  });

  test("every value cut short is refused", () => {
    fc.assert(
      fc.property(anyValue, fc.double({ min: 0, max: 0.999, noNaN: true }), (value, part) => {
        const whole = encode(value);
        expect(codeFrom(() => decode(whole.subarray(0, Math.floor(whole.length * part))))).toBe("ERR_MALFORMED_PACKET");
      }),
    );
  });

  test("bytes at random give a value or ERR_MALFORMED_PACKET, and skipping one moves as reading does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        const reader = readerOf(input);
        const code = codeFrom(() => reader.value());
        expect([null, "ERR_MALFORMED_PACKET"]).toContain(code);
        if (code !== null) return;
        const skipper = readerOf(input);
        skipper.skip();
        expect(skipper.at).toBe(reader.at);
      }),
      { numRuns: 5_000 },
    );
  });
});

function nestedLists(levels: number): number[] {
  let inner = [0x40];
  for (let i = 0; i < levels; i++) {
    const size = inner.length + 4;
    inner = [0xd0, size >>> 24, size >>> 16, size >>> 8, size, 0, 0, 0, 1, ...inner].map((byte) => byte & 0xff);
  }
  return inner;
}

describe("arguments that no type holds are refused and leave the writer where it was", () => {
  test.each([
    ["a lone surrogate", "\ud800"],
    ["a symbol beyond ASCII", symbol("é")],
    ["an ubyte of 256", typed("ubyte", 256)],
    ["a byte of -129", typed("byte", -129)],
    ["an uint of -1", typed("uint", -1)],
    ["an int of 2^31", typed("int", 2 ** 31)],
    ["an ulong of 2^64", typed("ulong", 1n << 64n)],
    ["an unsafe number as long", typed("long", 2 ** 53)],
    ["a fraction as int", typed("int", 1.5)],
    ["a bigint beyond 64 bits", 1n << 64n],
    ["a char that is a surrogate", typed("char", 0xd800)],
    ["a uuid of 15 bytes", typed("uuid", new Uint8Array(15))],
    ["an invalid date", new Date(Number.NaN)],
    ["a function", (() => {}) as never],
    ["a mixed array", new AmqpArray("int", ["x"])],
    ["an array of another type", new AmqpArray("uint", [typed("ulong", 1)])],
  ])("%s", (_, value) => {
    expect(codeFrom(() => encode(["before", value]))).toBe("ERR_INVALID_ARGUMENT");
  });

  test("a circular list", () => {
    const list: unknown[] = [];
    list.push(list);
    expect(codeFrom(() => encode(list as never))).toBe("ERR_INVALID_ARGUMENT");
  });
});

describe("plain values and uuids", () => {
  test("types are taken off for programs that do not forward", () => {
    const id = uuid("00112233-4455-6677-8899-aabbccddeeff");
    expect(plain(id)).toBe("00112233-4455-6677-8899-aabbccddeeff");
    expect(plain([symbol("s"), typed("timestamp", 1), new Described(null, 1), new AmqpArray("int", [1])])).toEqual([
      "s",
      1,
      1,
      [1],
    ]);
    expect(plain(new AmqpMap([[symbol("k"), typed("ulong", 1n << 60n)]]))).toEqual(new Map([["k", 1n << 60n]]));
  });

  test("a uuid of another form is refused", () => {
    expect(codeFrom(() => uuid("00112233"))).toBe("ERR_INVALID_ARGUMENT");
  });
});
