/** What the tests of the codec share: values to bytes and back, errors as codes. */
import fc from "fast-check";
import { isMessagingError } from "../../base/errors.ts";
import { type TextCodec, webText } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { SECTION_VALUES_MAX, ValueReader } from "./value-reader.ts";
import { AmqpArray, type AmqpInput, AmqpMap, type AmqpValue, Described, Typed, type TypeName } from "./values.ts";
import { writeValue } from "./write-value.ts";

/** The converter that runs everywhere. */
export const text: TextCodec = webText();

/** Bytes of a notation like `c0 03 01 'ab'`: hexadecimal digits, and text in quotes without spaces. */
export function bytes(notation: string): Uint8Array {
  const out: number[] = [];
  for (const token of notation.trim().split(/\s+/)) {
    if (token.startsWith("'")) out.push(...new TextEncoder().encode(token.slice(1, -1)));
    else for (let i = 0; i < token.length; i += 2) out.push(Number.parseInt(token.slice(i, i + 2), 16));
  }
  return Uint8Array.from(out);
}

/** Bytes as hexadecimal digits. */
export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A reader over the whole of `data`. */
export function readerOf(data: Uint8Array, valuesMax: number = SECTION_VALUES_MAX): ValueReader {
  const reader = new ValueReader(text, valuesMax);
  reader.reset(data, 0, data.length);
  return reader;
}

/** Decodes one value that fills `data`. */
export function decode(data: Uint8Array): AmqpValue {
  const reader = readerOf(data);
  const value = reader.value();
  if (reader.left > 0) throw new Error(`${reader.left} bytes are left over`);
  return value;
}

/** Encodes one value. */
export function encode(value: AmqpInput): Uint8Array {
  const w = new ByteWriter(text, 0);
  writeValue(w, value);
  return w.copyFrom(0);
}

/** What `write` writes. */
export function written(write: (w: ByteWriter) => void): Uint8Array {
  const w = new ByteWriter(text, 0);
  write(w);
  return w.copyFrom(0);
}

/** The code of the `MessagingError` that `run` throws, or null when it throws none; any other error goes through. */
export function codeFrom(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (isMessagingError(error)) return error.code;
    throw error;
  }
}

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const within = (least: bigint, most: bigint): fc.Arbitrary<number | bigint> =>
  fc
    .oneof(
      fc.bigInt({ min: least, max: most }),
      fc.constantFrom(least, most, 0n),
      fc.bigInt({ min: least < 0n ? -300n : 0n, max: 127n }),
    )
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
const number32 = (least: number, most: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: least, max: most }),
    fc.constantFrom(least, most, 0),
    fc.integer({ min: Math.max(least, -130), max: 127 }),
  );
const char = fc.oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }));
const text16 = fc.oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ minLength: 250, maxLength: 260 }));
const ascii = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 12 }),
  fc.string({ unit: "binary-ascii", minLength: 250, maxLength: 260 }),
);
const long = within(-(1n << 63n), (1n << 63n) - 1n);

/** Values of each type, in the form in which decoding gives them. */
export const ofType: Readonly<Record<Exclude<TypeName, "list" | "map" | "array">, fc.Arbitrary<AmqpValue>>> = {
  null: fc.constant(null),
  boolean: fc.boolean(),
  ubyte: number32(0, 0xff).map((value) => new Typed("ubyte", value)),
  ushort: number32(0, 0xffff).map((value) => new Typed("ushort", value)),
  uint: number32(0, 0xffffffff).map((value) => new Typed("uint", value)),
  ulong: within(0n, (1n << 64n) - 1n).map((value) => new Typed("ulong", value)),
  byte: number32(-128, 127).map((value) => new Typed("byte", value)),
  short: number32(-0x8000, 0x7fff).map((value) => new Typed("short", value)),
  int: number32(-0x80000000, 0x7fffffff),
  long: long.map((value) => new Typed("long", value)),
  float: fc.float().map((value) => new Typed("float", value)),
  double: fc
    .double()
    .map((value) => (Number.isInteger(value) && !Object.is(value, -0) ? new Typed("double", value) : value)),
  decimal32: bytesOf(4).map((value) => new Typed("decimal32", value)),
  decimal64: bytesOf(8).map((value) => new Typed("decimal64", value)),
  decimal128: bytesOf(16).map((value) => new Typed("decimal128", value)),
  char: char.map((value) => new Typed("char", value)),
  timestamp: long.map((value) => new Typed("timestamp", value)),
  uuid: bytesOf(16).map((value) => new Typed("uuid", value)),
  binary: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ minLength: 254, maxLength: 257 })),
  string: text16,
  symbol: ascii.map((value) => new Typed("symbol", value)),
};

const scalar: fc.Arbitrary<AmqpValue> = fc.oneof(...Object.values(ofType));

/** Any value, nested up to six deep. */
export const anyValue: fc.Arbitrary<AmqpValue> = fc.letrec<{
  value: AmqpValue;
  array: AmqpArray;
  map: AmqpMap;
  list: AmqpValue[];
}>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar,
    tie("list"),
    tie("map"),
    tie("array"),
    fc.tuple(scalar, tie("value")).map(([descriptor, value]) => new Described(descriptor, value)),
  ),
  list: fc.oneof(
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(ofType.boolean, { minLength: 250, maxLength: 260 }),
  ),
  map: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new AmqpMap(entries)),
  array: fc
    .tuple(fc.array(scalar, { maxLength: 2 }), elements(tie))
    .map(([descriptors, [type, items]]) => new AmqpArray(type, items, descriptors)),
})).value;

function elements(
  tie: (name: "list" | "map" | "array") => fc.Arbitrary<AmqpValue>,
): fc.Arbitrary<[TypeName, AmqpValue[]]> {
  const rows = [
    ...Object.entries(ofType),
    ["list", tie("list")],
    ["map", tie("map")],
    ["array", tie("array")],
  ] as const;
  return fc.oneof(
    ...rows.map(([type, item]) =>
      fc
        .array(item as fc.Arbitrary<AmqpValue>, { maxLength: 4 })
        .map((items): [TypeName, AmqpValue[]] => [type as TypeName, items]),
    ),
  );
}
