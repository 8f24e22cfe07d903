/** Arbitrary methods, tables and properties, and bytes in hexadecimal, for tests of codec and engine. */
import fc from "fast-check";
import { webText } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { type FieldTable, type FieldTag, type FieldValue, TypedField } from "./field-value.ts";
import { encodeMethod, methodRow } from "./method-codec.ts";
import type { Method, MethodName, WireType } from "./method-types.ts";
import { METHODS } from "./methods.ts";
import type { BasicProperties } from "./properties.ts";

export const TEXT = webText();

export const METHOD_NAMES: readonly MethodName[] = Object.keys(METHODS) as MethodName[];

/** Bytes in hexadecimal; blanks are left out and text in quotes stands for its ASCII. */
export function hex(notation: string): Uint8Array {
  const parts = notation.match(/'[^']*'|[0-9a-f]{2}/gi) ?? [];
  const out: number[] = [];
  for (const part of parts) {
    if (part.startsWith("'")) for (const letter of part.slice(1, -1)) out.push(letter.charCodeAt(0));
    else out.push(Number.parseInt(part, 16));
  }
  return Uint8Array.from(out);
}

export function frameOf(type: number, channel: number, payload: Uint8Array): Uint8Array {
  const w = new ByteWriter(TEXT, payload.length + 8);
  w.u8(type);
  w.u16(channel);
  w.u32(payload.length);
  w.bytes(payload);
  w.u8(0xce);
  return w.copyFrom(0);
}

export function methodFrame(method: Method, channel = 0): Uint8Array {
  const w = new ByteWriter(TEXT, 64);
  encodeMethod(w, channel, method, 1_000_000);
  return w.copyFrom(0);
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

const shortString = fc.string({ unit: "binary", maxLength: 60 }).filter((s) => !s.includes("\0") && s.isWellFormed());
const longText = fc.string({ unit: "binary", maxLength: 80 }).filter((s) => s.isWellFormed());
const bytes = fc.uint8Array({ maxLength: 40 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** A bigint within the safe integers comes back as a number. */
function natural(value: bigint): number | bigint {
  return value >= -(2n ** 53n) + 1n && value < 2n ** 53n ? Number(value) : value;
}

function typedField(): fc.Arbitrary<TypedField> {
  const of = (tag: FieldTag, value: fc.Arbitrary<TypedField["value"]>): fc.Arbitrary<TypedField> =>
    value.map((each) => new TypedField(tag, each));
  return fc.oneof(
    of("b", fc.integer({ min: -128, max: 127 })),
    of("B", fc.nat(255)),
    of("s", fc.integer({ min: -32_768, max: 32_767 })),
    of("U", fc.integer({ min: -32_768, max: 32_767 })),
    of("u", fc.nat(65_535)),
    of("I", fc.integer()),
    of("i", fc.integer({ min: 0, max: 0xffff_ffff })),
    of("L", int64.map(natural)),
    of("f", fc.float({ noNaN: true })),
    of("d", fc.integer()),
    of("D", fc.record({ scale: fc.nat(255), unscaled: fc.integer({ min: 0, max: 0xffff_ffff }) })),
    of("T", fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }))),
    of("S", fc.constant(Uint8Array.of(0xff, 0, 0xc0))),
  );
}

/** Tables whose values come back equal in the `typed` form. */
export function fieldTable(): fc.Arbitrary<FieldTable> {
  const { table } = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger(),
      int64.map(natural),
      fc.double({ noNaN: true, noInteger: true }),
      longText,
      bytes,
      typedField(),
      fc.array(tie("value"), { maxLength: 3 }),
      tie("table"),
    ),
    table: fc.dictionary(fc.oneof(shortString, fc.constantFrom("__proto__", "constructor")), tie("value"), {
      maxKeys: 4,
      noNullPrototype: false,
    }),
  }));
  return table;
}

const ARGUMENTS: Readonly<Record<WireType, fc.Arbitrary<unknown>>> = {
  bit: fc.boolean(),
  octet: fc.nat(255),
  short: fc.nat(65_535),
  long: fc.integer({ min: 0, max: 0xffff_ffff }),
  longlong: fc.maxSafeNat(),
  shortstr: shortString,
  longstr: longText,
  longbytes: bytes,
  table: fc.dictionary(shortString, fc.oneof(longText, fc.maxSafeInteger(), fc.boolean()), { maxKeys: 3 }),
};

/** Any method with any arguments. */
export function anyMethod(name: MethodName): fc.Arbitrary<Method> {
  const fields = methodRow(name).fields.filter(([field]) => !field.startsWith("reserved"));
  const model = Object.fromEntries(fields.map(([field, wire]) => [field, ARGUMENTS[wire]]));
  return fc.record(model).map((values) => ({ method: name, ...values }) as Method);
}

/** Any properties that come back equal. */
export function anyProperties(): fc.Arbitrary<BasicProperties> {
  return fc.record(
    {
      contentType: shortString,
      contentEncoding: shortString,
      headers: fc.dictionary(shortString, fc.oneof(longText, fc.maxSafeInteger(), fc.constant(null)), { maxKeys: 3 }),
      deliveryMode: fc.nat(255),
      priority: fc.nat(255),
      correlationId: shortString,
      replyTo: shortString,
      expiration: shortString,
      messageId: shortString,
      timestamp: fc.oneof(fc.maxSafeNat(), fc.constant(2n ** 64n - 1n)),
      type: shortString,
      userId: shortString,
      appId: shortString,
      clusterId: shortString,
    },
    { requiredKeys: [] },
  );
}

/** Bytes with a few of them changed, left out or put in. */
export function mutated(original: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(60), to: fc.nat(255), how: fc.constantFrom("set", "drop", "insert") });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const out = Array.from(original);
    for (const { at, to, how } of changes) {
      if (how === "set") out[at % Math.max(1, out.length)] = to;
      else out.splice(at % Math.max(1, out.length), how === "drop" ? 1 : 0, ...(how === "drop" ? [] : [to]));
    }
    return Uint8Array.from(out);
  });
}
