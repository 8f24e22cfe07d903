import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import { anyValue, decode, encode, hex, ofType, text } from "./codec.test-support.ts";
import { AmqpMap, Typed } from "./values.ts";
import { valueBytesMax, writeValue } from "./write-value.ts";

describe("any value", () => {
  test("is decoded from its bytes as it was encoded, with its type (C5)", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(decode(encode(value))).toEqual(value);
      }),
      { numRuns: 3_000 },
    );
  });

  test("is encoded from its decoded form to the same bytes (C8)", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const once = encode(value);
        expect(hex(encode(decode(once)))).toBe(hex(once));
      }),
      { numRuns: 2_000 },
    );
  });

  test("needs no more room than the bound that was found before", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const outbox = new Outbox({ pool: new ChunkPool(), text, armFlush: () => {}, highWaterBytes: 1e9 });
        const bound = valueBytesMax(value);
        outbox.reserve(bound + 1);
        outbox.u8(0x99);
        writeValue(outbox, value);
        expect(outbox.at - 1).toBeLessThanOrEqual(bound);
        expect(hex(outbox.buffer.subarray(1, outbox.at))).toBe(hex(encode(value)));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each(Object.entries(ofType))("of type %s survives the way there and back", (_, values) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(encode(value))).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });
});

describe("integers at their edges (C9)", () => {
  const rows: [Typed["type"], bigint | number][] = [
    ["long", -(1n << 63n)],
    ["long", (1n << 63n) - 1n],
    ["ulong", (1n << 64n) - 1n],
    ["ulong", (1n << 53n) + 1n],
    ["long", -(1n << 53n) - 1n],
    ["long", 2 ** 53 - 1],
    ["long", -129],
    ["long", -128],
    ["long", 127],
    ["long", 128],
    ["uint", 4_294_967_295],
    ["ulong", 256],
    ["timestamp", 253_402_300_799_999],
    ["timestamp", -(1n << 63n)],
  ];
  test.each(rows)("%s %s is exact", (type, value) => {
    expect(decode(encode(new Typed(type, value)))).toEqual(new Typed(type, value));
  });
});

describe("bare JavaScript values", () => {
  test.each([
    [5, "5405"],
    [-129, "71ffffff7f"],
    [2 ** 31, "810000000080000000"],
    [1.5, "823ff8000000000000"],
    [-0, "828000000000000000"],
    [Number.NaN, "827ff8000000000000"],
    [2 ** 60, "8243b0000000000000"],
    [5n, "5505"],
    [(1n << 64n) - 1n, "80ffffffffffffffff"],
    [new Date(1), "830000000000000001"],
    [{ a: 1, b: undefined as never }, "c10603a101615401".replace("c10603", "c10602")],
    [new Map([[1, "x"]]), "c106025401a10178"],
  ])("%s is sent as its one documented type", (value, wanted) => {
    expect(hex(encode(value))).toBe(wanted);
  });
});

describe("a map", () => {
  test("keeps the order of its entries and keys that only differ in type (§1.6.23)", () => {
    const map = new AmqpMap([
      ["1", "text"],
      [1, "int"],
      [new Typed("ulong", 1), "ulong"],
      [new Typed("symbol", "1"), "symbol"],
    ]);
    const back = decode(encode(map)) as AmqpMap;
    expect([...back].map(([, value]) => value)).toEqual(["text", "int", "ulong", "symbol"]);
    expect(back.get(1)).toBe("int");
    expect(back.get("1")).toBe("text");
    expect(back.get(new Typed("symbol", "1"))).toBe("symbol");
  });

  test("finds a symbol key by its text when there is no such string", () => {
    const map = new AmqpMap([[new Typed("symbol", "x-opt"), 1]]);
    expect(map.get("x-opt")).toBe(1);
    expect(map.has("x")).toBe(false);
  });

  test("with the keys of a prototype changes no prototype (C11)", () => {
    const map = decode(
      encode(
        new AmqpMap([
          ["__proto__", 1],
          ["constructor", 2],
        ]),
      ),
    ) as AmqpMap;
    expect(map.get("__proto__")).toBe(1);
    expect(map.get("constructor")).toBe(2);
    expect(Object.getPrototypeOf(map)).toBe(AmqpMap.prototype);
    expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
  });
});
