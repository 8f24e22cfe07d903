/** What stands in field tables: headers, arguments and peer properties (§4.2.5.5). */

/**
 * A value of a field table. Encoded by default as: boolean `t`, safe integer and bigint `l` (int64), other number `d`, string `S`,
 * bytes `x`, null `V`, `Date` `T` (whole seconds, rounded down; decoded it is a {@link TypedField}), array `A`, table `F`.
 * {@link TypedField} picks another tag.
 */
export type FieldValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | TypedField
  | readonly FieldValue[]
  | FieldTable;

/** A field table. A key whose value is undefined is left out. Decoded tables have no prototype, so that every key is its own. */
export interface FieldTable {
  readonly [key: string]: FieldValue | undefined;
}

/** A decimal: `unscaled` divided by ten to the power of `scale` (§4.2.5.5). */
export interface DecimalValue {
  /** 0 to 255 */
  readonly scale: number;
  /** 0 to 2^32 - 1 */
  readonly unscaled: number;
}

/**
 * The type octets of field values: `t` boolean, `b` int8, `B` uint8, `s` int16 (as RabbitMQ; FluxMQ takes it for a short string, so do not send it there), `U` int16,
 * `u` uint16, `I` int32, `i` uint32, `l` and `L` int64, `f` float, `d` double, `D` decimal, `S` long string, `A` array, `T` timestamp,
 * `F` table, `V` void, `x` byte array.
 */
export const FIELD_TAGS = [
  "t",
  "b",
  "B",
  "s",
  "U",
  "u",
  "I",
  "i",
  "l",
  "L",
  "f",
  "d",
  "D",
  "S",
  "A",
  "T",
  "F",
  "V",
  "x",
] as const;

/** One of {@link FIELD_TAGS}. */
export type FieldTag = (typeof FIELD_TAGS)[number];

/** A value with the type octet that it stands, or shall stand, under. */
export class TypedField {
  readonly tag: FieldTag;
  /** As in {@link FieldValue}; a {@link DecimalValue} for `D`; seconds as number, bigint or `Date` for `T`. */
  readonly value: Exclude<FieldValue, TypedField> | DecimalValue;

  constructor(tag: FieldTag, value: Exclude<FieldValue, TypedField> | DecimalValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** How deep tables and arrays may nest, in both directions. */
export const FIELD_DEPTH_MAX = 32;

/** Values that one table may hold with all tables and arrays inside it, in both directions. */
export const FIELD_COUNT_MAX = 65_536;
