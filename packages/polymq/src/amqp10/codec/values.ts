/**
 * AMQP 1.0 values as JavaScript values (§1.6). What decoding gives keeps the type that was on the wire, so that encoding it again gives
 * the same type:
 *
 *   null, boolean, string, binary (`Uint8Array`), list (`Array`), int (`number`)     as they are
 *   double       a `number`, or a {@link Typed} where that number would be sent as an int
 *   map          {@link AmqpMap}: any keys, in their order
 *   array        {@link AmqpArray}; described values: {@link Described}
 *   all others   {@link Typed}: symbol, uuid, char, timestamp, decimals, float and the other integers
 */
import { MessagingError } from "../../base/errors.ts";

/** JavaScript values of the types that need a {@link Typed}. */
export interface TypedValues {
  ubyte: number;
  ushort: number;
  uint: number;
  /** A `bigint` from 2^53 on. */
  ulong: number | bigint;
  byte: number;
  short: number;
  int: number;
  /** A `bigint` from 2^53 on, and below -2^53. */
  long: number | bigint;
  float: number;
  double: number;
  /** The 4, 8 or 16 bytes of an IEEE 754-2008 decimal, as they are on the wire. */
  decimal32: Uint8Array;
  decimal64: Uint8Array;
  decimal128: Uint8Array;
  /** A Unicode code point. */
  char: number;
  /** Milliseconds since 1970-01-01T00:00Z; also outside the range of `Date`. */
  timestamp: number | bigint;
  /** 16 bytes. */
  uuid: Uint8Array;
  /** ASCII. */
  symbol: string;
}

/** Name of a type that needs a {@link Typed}. */
export type TypedName = keyof TypedValues;

/** A value together with its AMQP type, for types that no JavaScript type stands for. */
export class Typed<N extends TypedName = TypedName> {
  readonly type: N;
  readonly value: TypedValues[N];
  /** The bytes of a NaN that a JavaScript number would not keep, else null. */
  readonly bits: Uint8Array | null;

  constructor(type: N, value: TypedValues[N], bits: Uint8Array | null = null) {
    this.type = type;
    this.value = value;
    this.bits = bits;
  }

  /** The bare value, for texts. */
  toString(): string {
    return this.value instanceof Uint8Array ? hexOf(this.value) : String(this.value);
  }
}

/** A value with a descriptor (§1.1.2), usually a symbol or an ulong. */
export class Described {
  readonly descriptor: AmqpValue;
  readonly value: AmqpValue;

  constructor(descriptor: AmqpValue, value: AmqpValue) {
    this.descriptor = descriptor;
    this.value = value;
  }
}

/** Every type name (§1.6), as arrays name the type of their elements. */
export type TypeName = TypedName | "null" | "boolean" | "binary" | "string" | "list" | "map" | "array";

/** An array: elements of one type (§1.6.24), each perhaps described by the same descriptors, outermost first. */
export class AmqpArray {
  readonly type: TypeName;
  readonly items: readonly AmqpValue[];
  readonly descriptors: readonly AmqpValue[];

  constructor(type: TypeName, items: readonly AmqpValue[], descriptors: readonly AmqpValue[] = []) {
    this.type = type;
    this.items = items;
    this.descriptors = descriptors;
  }
}

/** A map as it was on the wire (§1.6.23): keys of any type, in their order. Nothing of it is a key of a JavaScript object. */
export class AmqpMap {
  /** Keys and values in turn. */
  readonly #items: AmqpValue[] = [];

  constructor(entries: Iterable<readonly [AmqpValue, AmqpValue]> = []) {
    for (const [key, value] of entries) this.append(key, value);
  }

  /** Entries, duplicate keys counted each. */
  get size(): number {
    return this.#items.length / 2;
  }

  /** Adds an entry behind the others without looking for the key. */
  append(key: AmqpValue, value: AmqpValue): void {
    this.#items.push(key, value);
  }

  /** Sets the value of the first entry whose key is of the same type and value, or adds an entry. */
  set(key: AmqpValue, value: AmqpValue): void {
    const at = this.#find(key, "same type");
    if (at === -1) this.append(key, value);
    else this.#items[at + 1] = value;
  }

  /**
   * The value of the first entry with this key, or undefined. A JavaScript string finds a string key, and else a symbol of that text;
   * a number finds an int, and else any other integer type.
   */
  get(key: AmqpValue): AmqpValue | undefined {
    let at = this.#find(key, "same type");
    if (at === -1) at = this.#find(key, "any type");
    return at === -1 ? undefined : this.#items[at + 1];
  }

  /** Whether there is such a key. */
  has(key: AmqpValue): boolean {
    return this.get(key) !== undefined;
  }

  /** Keys and values in turn, in their order; not to be changed. */
  get flat(): readonly AmqpValue[] {
    return this.#items;
  }

  /** Keys and values in their order. */
  *entries(): IterableIterator<[AmqpValue, AmqpValue]> {
    for (let i = 0; i < this.#items.length; i += 2) {
      yield [this.#items[i] as AmqpValue, this.#items[i + 1] as AmqpValue];
    }
  }

  /** As `entries()`. */
  [Symbol.iterator](): IterableIterator<[AmqpValue, AmqpValue]> {
    return this.entries();
  }

  #find(key: AmqpValue, how: "same type" | "any type"): number {
    const items = this.#items;
    for (let i = 0; i < items.length; i += 2) {
      if (how === "same type" ? sameKey(items[i], key) : bare(items[i]) === bare(key)) return i;
    }
    return -1;
  }
}

/** What decoding gives. */
export type AmqpValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | Typed
  | Described
  | AmqpArray
  | AmqpMap
  | readonly AmqpValue[];

/**
 * What encoding takes: all that decoding gives, and a `bigint` (long, or ulong where only that holds it), a `Date` (timestamp), a `Map`,
 * and a plain object (a map with string keys; symbol keys where the specification asks for them). A `number` that is an integer is sent
 * as int, beyond 32 bits as long, and every other as double.
 */
export type AmqpInput =
  | AmqpValue
  | bigint
  | Date
  | readonly AmqpInput[]
  | ReadonlyMap<AmqpInput, AmqpInput>
  | { readonly [key: string]: AmqpInput };

/** A map to be encoded. */
export type MapInput = AmqpMap | ReadonlyMap<AmqpInput, AmqpInput> | { readonly [key: string]: AmqpInput };

/** A typed value to send: `typed("ulong", 5)`. Range and length are checked when it is encoded. */
export function typed<N extends TypedName>(type: N, value: TypedValues[N]): Typed<N> {
  return new Typed(type, value);
}

/** A symbol to send. */
export function symbol(text: string): Typed<"symbol"> {
  return new Typed("symbol", text);
}

/** A uuid to send, from its text form. @throws {MessagingError} ERR_INVALID_ARGUMENT for another form */
export function uuid(text: string): Typed<"uuid"> {
  const match = /^([\da-f]{8})-([\da-f]{4})-([\da-f]{4})-([\da-f]{4})-([\da-f]{12})$/i.exec(text);
  if (match === null) throw new MessagingError("ERR_INVALID_ARGUMENT", "not a uuid");
  const digits = match.slice(1).join("");
  return new Typed(
    "uuid",
    Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)),
  );
}

/** The text form of a uuid's 16 bytes. */
export function uuidText(bytes: Uint8Array): string {
  const hex = hexOf(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * A value without its types, for programs that do not forward it: symbols and uuids become strings, all numbers numbers (a `bigint` where a
 * number does not hold it), timestamps milliseconds, maps a `Map`, described values their value.
 */
export function plain(value: AmqpValue): unknown {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (value instanceof Typed) return plainTyped(value);
  if (value instanceof Described) return plain(value.value);
  if (value instanceof AmqpArray) return value.items.map(plain);
  if (value instanceof AmqpMap) return new Map([...value].map(([key, item]) => [plain(key), plain(item)]));
  return value.map(plain);
}

function plainTyped(value: Typed): unknown {
  return value.type === "uuid" ? uuidText(value.value as Uint8Array) : value.value;
}

/** True for two map keys of the same type and value. */
function sameKey(a: AmqpValue | undefined, b: AmqpValue): boolean {
  if (a === b) return true;
  if (a instanceof Typed) return b instanceof Typed && a.type === b.type && bare(a) === bare(b);
  return a instanceof Uint8Array && b instanceof Uint8Array && hexOf(a) === hexOf(b);
}

function bare(value: AmqpValue | undefined): unknown {
  const inner = value instanceof Typed ? value.value : value;
  return inner instanceof Uint8Array ? hexOf(inner) : inner;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
