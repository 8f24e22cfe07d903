import type { AmqpInput, AmqpMap, AmqpValue, Described, MapInput } from "./values.ts";

/** Types that a field of a composite may have, as the tables name them. */
export type FieldType =
  | "boolean"
  | "ubyte"
  | "ushort"
  | "uint"
  | "ulong"
  | "timestamp"
  | "string"
  | "symbol"
  | "binary"
  /** A map with symbol keys; text keys are sent as symbols. */
  | "fields"
  /** A map with any keys. */
  | "map"
  /** Any value. */
  | "value"
  /** A composite of the named kinds, or any other described value. */
  | "error"
  | "deliveryState"
  | "source"
  | "target";

/** One field: its type, and whether it must be there, may be many, or stands for a value when it is absent. */
export interface FieldDefinition {
  readonly type: FieldType;
  readonly mandatory?: true;
  readonly multiple?: true;
  readonly default?: boolean | number | string;
}

/** A composite type (§1.4): descriptor and fields in their order. */
export interface CompositeDefinition {
  /** Numeric descriptor; its upper half (the domain) is 0. */
  readonly code: number;
  /** Symbolic descriptor. */
  readonly symbol: string;
  readonly fields: { readonly [name: string]: FieldDefinition };
}

/** Composites by the name that their values carry as `type`. */
export interface CompositeTable {
  readonly [name: string]: CompositeDefinition;
}

/** What decoding gives for each {@link FieldType}; composites inside are filled in by `C`. */
interface FieldValues<C extends Nested> {
  boolean: boolean;
  ubyte: number;
  ushort: number;
  uint: number;
  ulong: number | bigint;
  timestamp: number | bigint;
  string: string;
  symbol: string;
  binary: Uint8Array;
  fields: AmqpMap;
  map: AmqpMap;
  value: AmqpValue;
  error: C["error"];
  deliveryState: C["deliveryState"] | Described;
  source: C["source"] | Described;
  target: C["target"] | Described;
}

/** What encoding takes for each {@link FieldType}. */
interface FieldInputs<C extends Nested> extends Omit<FieldValues<C>, "fields" | "map" | "value"> {
  fields: MapInput;
  map: MapInput;
  value: AmqpInput;
}

/** The composites that stand in fields of others. */
export interface Nested {
  error: unknown;
  deliveryState: unknown;
  source: unknown;
  target: unknown;
}

type Value<F extends { readonly type: FieldType }, V> = F["type"] extends keyof V
  ? F extends { multiple: true }
    ? readonly V[F["type"]][]
    : V[F["type"]]
  : never;

/** The decoded form of a composite: every field is there; null where it was absent and has no default, an empty list where it may be many. */
export type Decoded<Name, D extends CompositeDefinition, C extends Nested> = { readonly type: Name } & {
  readonly [F in keyof D["fields"]]: D["fields"][F] extends
    | { mandatory: true }
    | { default: unknown }
    | { multiple: true }
    ? Value<D["fields"][F], FieldValues<C>>
    : Value<D["fields"][F], FieldValues<C>> | null;
};

/** What can be encoded: what decoding gives, or less; fields that need not be there may be left out or null. */
export type Encodable<Name, D extends CompositeDefinition, C extends Nested> = { readonly type: Name } & {
  readonly [F in keyof D["fields"] as D["fields"][F] extends { mandatory: true } ? F : never]: Value<
    D["fields"][F],
    FieldInputs<C>
  >;
} & {
  readonly [F in keyof D["fields"] as D["fields"][F] extends { mandatory: true } ? never : F]?:
    | Value<D["fields"][F], FieldInputs<C>>
    | null
    | undefined;
};
