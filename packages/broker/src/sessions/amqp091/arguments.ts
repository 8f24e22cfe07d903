import { type FieldTable, type FieldValue, ReplyCode, TypedField } from "polymq/amqp091/codec";
import type { ArgumentValue } from "../../core/topology/topology-port.ts";
import { invalidArgument } from "./refusals.ts";
import { ReplyError } from "./reply-error.ts";

/** Reads the arguments of one method; what has another type than it should is refused with 406, as RabbitMQ does. */
export class ArgumentReader {
  readonly #table: FieldTable;
  readonly #what: string;

  /** @param what names what the arguments are for, such as `queue 'q' in vhost '/'` */
  constructor(table: FieldTable, what: string) {
    this.#table = table;
    this.#what = what;
  }

  /** The value as it came, without its type. */
  value(name: string): Exclude<FieldValue, TypedField> | undefined {
    const value = Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
    return value instanceof TypedField ? (value.value as Exclude<FieldValue, TypedField>) : value;
  }

  /** The type octet of a value that keeps its own, such as `T`; "" for all others. */
  tag(name: string): string {
    const value = Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
    return value instanceof TypedField ? value.tag : "";
  }

  /** A whole number from `least` on; undefined when it is missing. */
  whole(name: string, least: 0 | 1, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const number = this.integer(name);
    if (number === undefined) return undefined;
    if (number < 0) throw this.invalid(name, `{value_negative,${number}}`);
    if (number < least) throw this.invalid(name, `{value_zero,${number}}`);
    if (number > most) throw this.invalid(name, `{max_value_exceeded,${number}}`);
    return number;
  }

  /** Any whole number; undefined when it is missing. */
  integer(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number)) return number;
    throw this.invalid(name, `"expected integer, got ${erlangType(value)}"`);
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.invalid(name, unacceptable(value));
  }

  /** The name of an exchange. */
  exchange(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "string") return value;
    const what = `invalid type '${erlangType(value)}' for arg '${name}' in ${this.#what}`;
    throw new ReplyError(ReplyCode.PreconditionFailed, what);
  }

  flag(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.invalid(name, unacceptable(value));
  }

  /** The refusal of an argument that queues of a type do not have. */
  foreign(name: string, type: string): Error {
    const what = `invalid arg '${name}' for ${this.#what} of queue type rabbit_${type}_queue`;
    return new ReplyError(ReplyCode.PreconditionFailed, what);
  }

  /** The refusal that names an argument. */
  invalid(name: string, why: string): Error {
    return invalidArgument(name, this.#what, why);
  }
}

function unacceptable(value: unknown): string {
  return `{unacceptable_type,${erlangType(value)}}`;
}

/** RabbitMQ's name for the type of a field. */
export function erlangType(value: unknown): string {
  switch (typeof value) {
    case "string":
      return "longstr";
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) ? "signedint" : "double";
    case "bigint":
      return "signedint";
    default:
      if (value === null) return "void";
      if (Array.isArray(value)) return "array";
      return value instanceof Uint8Array ? "binary" : "table";
  }
}

/** A field value as the core compares it: without types, moments as whole seconds. */
export function argumentValue(value: FieldValue | undefined): ArgumentValue {
  if (value === undefined) return null;
  if (value instanceof TypedField) {
    if (value.tag === "D") {
      const { scale, unscaled } = value.value as { readonly scale: number; readonly unscaled: number };
      return { scale, unscaled };
    }
    return argumentValue(value.value as FieldValue);
  }
  if (value instanceof Date) return Math.floor(value.getTime() / 1000);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(argumentValue);
  const table = Object.create(null) as Record<string, ArgumentValue>;
  for (const [name, each] of Object.entries(value as FieldTable)) table[name] = argumentValue(each);
  return table;
}
