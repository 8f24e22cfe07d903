import type { FieldTable } from "./field-value.ts";
import type { METHODS } from "./methods.ts";

type Table = typeof METHODS;

/** A method's name as the specification writes it: `queue.declare-ok`. */
export type MethodName = keyof Table;

/** What an argument's type on the wire is in JavaScript; long long is a delivery tag, 0 to 2^53 - 1. */
export interface WireValues {
  readonly bit: boolean;
  readonly octet: number;
  readonly short: number;
  readonly long: number;
  readonly longlong: number;
  readonly shortstr: string;
  readonly longstr: string;
  readonly longbytes: Uint8Array;
  readonly table: FieldTable;
}

/** A type on the wire (§4.2.5). */
export type WireType = keyof WireValues;

type ArgumentsOf<Fields extends readonly (readonly [string, WireType])[]> = {
  readonly [F in Fields[number] as F[0] extends `reserved${number}` ? never : F[0]]: WireValues[F[1]];
};

/** A method's arguments, without reserved ones. */
export type MethodArguments<Name extends MethodName> = ArgumentsOf<Table[Name]["fields"]>;

/** A method by name: its arguments beside `method`. */
export type MethodOf<Name extends MethodName> = {
  readonly [N in Name]: { readonly method: N } & MethodArguments<N>;
}[Name];

/** Any method; `method` tells which. */
export type Method = MethodOf<MethodName>;

/** What may answer a method. */
export type ReplyTo<Name extends MethodName> = MethodOf<Extract<Table[Name]["replies"][number], MethodName>>;

/** Methods that await an answer. */
export type SyncMethodName = {
  [N in MethodName]: Table[N]["replies"] extends readonly [] ? never : N;
}[MethodName];

/** Methods that a header and bodies follow. */
export type ContentMethodName = {
  [N in MethodName]: Table[N]["content"] extends true ? N : never;
}[MethodName];

/** One row of the table, for code that walks over it. */
export interface MethodRow {
  /** Class and method number. */
  readonly id: readonly [classId: number, methodId: number];
  readonly from: "client" | "server" | "both";
  readonly replies: readonly MethodName[];
  readonly content: boolean;
  readonly fields: readonly (readonly [name: string, wire: WireType])[];
}
