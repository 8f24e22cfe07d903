import {
  AmqpArray,
  AmqpMap,
  type AmqpValue,
  Described,
  plain,
  Typed,
  type TypedName,
  uuidText,
} from "polymq/amqp10/codec";
import { type CommonEntry, type CommonMap, type CommonValue, type NumberKind, textOf } from "./common-properties.ts";
import { readDecimal, writeDecimal } from "./ieee-decimal.ts";

/*
 * Values of AMQP 1.0 (§1.6) as headers of any protocol, and back. What has no counterpart becomes text: symbols, chars, uuids, and decimals beyond what
 * AMQP 0-9-1 has; descriptors are left out.
 */

const KINDS: Readonly<Partial<Record<TypedName, NumberKind>>> = {
  byte: "int8",
  ubyte: "uint8",
  short: "int16",
  ushort: "uint16",
  int: "int32",
  uint: "uint32",
  long: "int64",
  ulong: "uint64",
  float: "float",
  double: "double",
};

const TYPES: Readonly<Record<NumberKind, TypedName>> = {
  int8: "byte",
  uint8: "ubyte",
  int16: "short",
  uint16: "ushort",
  int32: "int",
  uint32: "uint",
  int64: "long",
  uint64: "ulong",
  float: "float",
  double: "double",
};

/** A value as no protocol in particular has it. */
export function commonOf(value: AmqpValue): CommonValue {
  // Zero with a sign is a double that came as such.
  if (typeof value === "number") {
    return { kind: Number.isInteger(value) && !Object.is(value, -0) ? "int32" : "double", number: value };
  }
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (value instanceof Typed) return commonOfTyped(value);
  if (value instanceof Described) return commonOf(value.value);
  if (value instanceof AmqpMap) return { entries: [...value].map(([key, each]) => [keyText(key), commonOf(each)]) };
  return value instanceof AmqpArray ? value.items.map(commonOf) : value.map(commonOf);
}

function commonOfTyped({ type, value }: Typed): CommonValue {
  const kind = KINDS[type];
  if (kind !== undefined) return { kind, number: value as number | bigint };
  switch (type) {
    case "timestamp":
      return typeof value === "bigint" ? { kind: "int64", number: value } : { epochMs: value as number };
    case "char":
      return String.fromCodePoint(value as number);
    case "uuid":
      return uuidText(value as Uint8Array);
    case "decimal32":
    case "decimal64":
    case "decimal128":
      return readDecimal(value as Uint8Array);
    default:
      return String(value);
  }
}

/** The key of a map as text. */
export function keyText(key: AmqpValue): string {
  return String(plain(key));
}

/** A value as AMQP 1.0 has it. */
export function amqp10Of(value: CommonValue): AmqpValue {
  if (typeof value === "number") return isLong(value) ? new Typed("long", value) : double(value);
  if (typeof value === "bigint") return new Typed("long", value);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (isList(value)) return value.map(amqp10Of);
  if ("number" in value) return numberOf(value.kind, value.number);
  if ("epochMs" in value) {
    return Number.isSafeInteger(value.epochMs) ? new Typed("timestamp", value.epochMs) : textOf(value);
  }
  if ("scale" in value) return new Typed("decimal64", writeDecimal(value));
  return new AmqpMap(value.entries.map(([name, each]: CommonEntry) => [name, amqp10Of(each)] as const));
}

function numberOf(kind: NumberKind, number: number | bigint): AmqpValue {
  if (kind === "double") return double(Number(number));
  return kind === "int32" ? Number(number) : new Typed(TYPES[kind], number);
}

function isLong(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** In the form that the codec gives: a number that would be sent as an integer has its type with it. */
function double(value: number): AmqpValue {
  return Number.isInteger(value) ? new Typed("double", value) : value;
}

/** Whether application properties may hold it (§3.2.5): no map, list or array. */
export function isSimple(value: CommonValue): boolean {
  return !isList(value) && !isMap(value);
}

function isList(value: CommonValue): value is readonly CommonValue[] {
  return Array.isArray(value);
}

function isMap(value: CommonValue): value is CommonMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !(value instanceof Uint8Array) &&
    "entries" in value &&
    !isList(value)
  );
}
