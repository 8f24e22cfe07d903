/** Composites to bytes and back, by the tables (§1.4, §1.1.3): described lists whose fields stand in a fixed order. */
import { malformed } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { FieldDefinition, FieldType } from "./composite-types.ts";
import { Code } from "./format-codes.ts";
import {
  COMPOSITES,
  type Composite,
  type CompositeInput,
  type CompositeName,
  DELIVERY_STATES,
  ERROR,
  SOURCES,
  TARGETS,
} from "./tables.ts";
import type { ValueReader } from "./value-reader.ts";
import { AmqpArray, type AmqpInput, type AmqpMap, type AmqpValue, Described, Typed, type TypeName } from "./values.ts";
import { invalid, writeBinary, writeString, writeSymbol, writeTyped, writeUint } from "./write-scalar.ts";
import { beginCompound, endCompound, writeMap, writeValue } from "./write-value.ts";

/** A row of a table, with every property there: rows of one shape are read in half the time. */
interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly mandatory: boolean;
  readonly multiple: boolean;
  /** Null for none. */
  readonly default: boolean | number | string | null;
}

interface Plan {
  readonly name: CompositeName;
  readonly code: number;
  readonly fields: readonly Field[];
}

const PLANS: readonly Plan[] = Object.entries(COMPOSITES).map(([name, { code, fields }]) => ({
  name: name as CompositeName,
  code,
  fields: Object.entries<FieldDefinition>(fields).map(([field, row]) => ({
    mandatory: false,
    multiple: false,
    default: null,
    ...row,
    name: field,
  })),
}));

/** The composite out of the values of its fields. */
function made({ name, fields }: Plan, values: readonly unknown[]): object {
  if (name === "properties") return properties(values);
  const composite: Record<string, unknown> = { type: name };
  for (let i = 0; i < fields.length; i++) composite[(fields[i] as Field).name] = values[i];
  return composite;
}

/** Written out, for many messages have it: storing a property by a name that changes takes 20 ns. */
function properties(values: readonly unknown[]): object {
  return {
    type: "properties",
    messageId: values[0],
    userId: values[1],
    to: values[2],
    subject: values[3],
    replyTo: values[4],
    correlationId: values[5],
    contentType: values[6],
    contentEncoding: values[7],
    absoluteExpiryTime: values[8],
    creationTime: values[9],
    groupId: values[10],
    groupSequence: values[11],
    replyToGroupId: values[12],
  };
}

const PLAN_OF_CODE: ReadonlyMap<number, Plan> = new Map(PLANS.map((plan) => [plan.code, plan]));
const PLAN_OF_NAME: ReadonlyMap<string, Plan> = new Map(PLANS.map((plan) => [plan.name, plan]));
const CODE_OF_SYMBOL: ReadonlyMap<string, number> = new Map(
  Object.values(COMPOSITES).map((definition) => [definition.symbol, definition.code]),
);

/** Numeric descriptors of what may stand in a field. */
const KINDS: Readonly<Partial<Record<FieldType, readonly number[]>>> = {
  error: codesOf(ERROR),
  deliveryState: codesOf(DELIVERY_STATES),
  source: codesOf(SOURCES),
  target: codesOf(TARGETS),
};

function codesOf(table: Readonly<Record<string, { readonly code: number }>>): number[] {
  return Object.values(table).map((definition) => definition.code);
}

/** Reads a descriptor that stands behind 0x00: a numeric one below 2^32 (any width), the number of a known symbol, or -1 for others. */
export function readDescriptor(r: ValueReader): number {
  const code = r.u8();
  if (code === Code.smallulong) return r.u8();
  return codeOfDescriptor(r.coded(code));
}

function codeOfDescriptor(descriptor: AmqpValue): number {
  if (!(descriptor instanceof Typed)) return -1;
  if (descriptor.type === "symbol") return CODE_OF_SYMBOL.get(String(descriptor.value)) ?? -1;
  return descriptor.type === "ulong" && typeof descriptor.value === "number" ? descriptor.value : -1;
}

/** Reads the composite that comes next; `ERR_MALFORMED_PACKET` for another one than `names`, or fields that do not fit its table. */
export function decodeComposite<N extends CompositeName>(r: ValueReader, names: readonly N[]): Composite<N> {
  if (r.u8() !== Code.described) throw malformed("a composite was expected");
  const plan = PLAN_OF_CODE.get(readDescriptor(r));
  if (plan === undefined || !(names as readonly string[]).includes(plan.name)) {
    throw malformed(`${plan?.name ?? "an unknown type"} where ${names.join(", ")} was expected`);
  }
  return readFields(r, plan) as Composite<N>;
}

/** Reads the fields of the composite with this numeric descriptor, which was read before; null when there is none. */
export function decodeFields(r: ValueReader, code: number): Composite | null {
  const plan = PLAN_OF_CODE.get(code);
  return plan === undefined ? null : (readFields(r, plan) as Composite);
}

/** A composite out of a described value that was decoded as such, or null when it is none of the tables'. */
export function compositeName(value: Described): CompositeName | null {
  return PLAN_OF_CODE.get(codeOfDescriptor(value.descriptor))?.name ?? null;
}

function readFields(r: ValueReader, plan: Plan): object {
  const code = r.u8();
  const { fields } = plan;
  const values: unknown[] = [];
  const outer = r.end;
  let count = 0;
  if (code === Code.list8 || code === Code.list32) count = r.enter(code);
  else if (code !== Code.list0) throw malformed(`${plan.name} is no list`);
  if (count > fields.length) throw malformed(`${plan.name} with ${count} fields`);
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as Field;
    const fieldCode = i < count ? r.u8() : Code.null;
    values.push(fieldCode === Code.null ? absent(plan, field) : readField(r, field, fieldCode, plan));
  }
  if (code !== Code.list0) r.leave(outer);
  return made(plan, values);
}

function absent(plan: Plan, field: Field): unknown {
  if (field.mandatory) throw malformed(`${plan.name} without ${field.name}`);
  return field.multiple ? [] : field.default;
}

function readField(r: ValueReader, field: Field, code: number, plan: Plan): unknown {
  const kinds = KINDS[field.type];
  if (kinds !== undefined) return readNested(r, field, code, kinds);
  const value = r.coded(code);
  if (field.multiple && value instanceof AmqpArray && value.descriptors.length === 0) {
    if (value.type !== field.type) throw wrongType(plan, field);
    return value.items.map((item) => (item instanceof Typed ? item.value : item));
  }
  const bare = bareField(field.type, value);
  if (bare === undefined) throw wrongType(plan, field);
  return field.multiple ? [bare] : bare;
}

function wrongType(plan: Plan, field: Field): Error {
  return malformed(`${plan.name}.${field.name} is no ${field.type}`);
}

/** The value of a field without its wrapper, or undefined when it is of another type. */
function bareField(type: FieldType, value: AmqpValue): unknown {
  switch (type) {
    case "value":
      return value;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "string":
      return typeof value === "string" ? value : undefined;
    case "binary":
      return value instanceof Uint8Array ? value : undefined;
    case "map":
    case "fields":
      return isMap(value) ? value : undefined;
    default:
      return value instanceof Typed && value.type === type ? value.value : undefined;
  }
}

function isMap(value: AmqpValue): value is AmqpMap {
  return value !== null && typeof value === "object" && "flat" in value && !Array.isArray(value);
}

/** A field that holds another composite; a described value of another kind is kept as it is, so that it can be refused by name. */
function readNested(r: ValueReader, field: Field, code: number, kinds: readonly number[]): unknown {
  if (code !== Code.described) throw malformed(`a ${field.type} is not described`);
  const at = r.at;
  const descriptor = readDescriptor(r);
  if (kinds.includes(descriptor)) return r.nested(() => decodeFields(r, descriptor));
  if (field.type === "error") throw malformed("an error of another type");
  r.at = at;
  return r.coded(code);
}

/**
 * Writes a composite with its numeric descriptor; fields that are absent, or have their default, at the end are left out.
 * @throws {MessagingError} ERR_INVALID_ARGUMENT for a value that its field cannot hold; the writer is then where it was
 */
export function writeComposite(w: ByteWriter, value: CompositeInput): void {
  const plan = PLAN_OF_NAME.get(value.type);
  if (plan === undefined) throw invalid(`no composite ${String(value.type)}`);
  const start = w.at;
  try {
    writePlanned(w, plan, value as unknown as Readonly<Record<string, unknown>>);
  } catch (error) {
    w.at = start;
    throw error;
  }
}

/** Writes the fields of the named composite, given without their `type`; see {@link writeComposite}. */
export function writeNamed<N extends CompositeName>(
  w: ByteWriter,
  name: N,
  fields: Omit<CompositeInput<N>, "type">,
): void {
  const plan = PLAN_OF_NAME.get(name);
  if (plan === undefined) throw invalid(`no composite ${name}`);
  writePlanned(w, plan, fields as Readonly<Record<string, unknown>>);
}

function writePlanned(w: ByteWriter, plan: Plan, value: Readonly<Record<string, unknown>>): void {
  const fields = plan.fields;
  let count = fields.length;
  while (count > 0 && isAbsent(fields[count - 1] as Field, value[(fields[count - 1] as Field).name])) count--;
  w.reserve(COMPOSITE_HEAD);
  w.u8(Code.described);
  w.u8(Code.smallulong);
  w.u8(plan.code);
  if (count === 0) return w.u8(Code.list0);
  const start = beginCompound(w);
  for (let i = 0; i < count; i++) {
    const field = fields[i] as Field;
    const item = value[field.name];
    if (isAbsent(field, item)) {
      w.reserve(1);
      w.u8(Code.null);
    } else writeField(w, field, item);
  }
  endCompound(w, start, count, Code.list8);
}

/** Descriptor and list0. */
const COMPOSITE_HEAD = 4;

function isAbsent(field: Field, value: unknown): boolean {
  if (value === undefined || value === null) {
    if (field.mandatory) throw invalid("a mandatory field is missing");
    return true;
  }
  if (field.mandatory) return false;
  if (field.multiple) return Array.isArray(value) && value.length === 0;
  return value === field.default;
}

function writeField(w: ByteWriter, field: Field, value: unknown): void {
  if (field.multiple) return writeMultiple(w, field.type as TypeName, value);
  switch (field.type) {
    case "value":
      return writeValue(w, value as AmqpInput);
    case "boolean":
      if (typeof value !== "boolean") throw invalid("a boolean was expected");
      return writeValue(w, value);
    case "uint":
      if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff) {
        return writeUint(w, value as number);
      }
      return writeTyped(w, "uint", value, null);
    case "string":
      if (typeof value !== "string") throw invalid("a string was expected");
      return writeString(w, value);
    case "symbol":
      return writeSymbol(w, value as string);
    case "binary":
      if (!(value instanceof Uint8Array)) throw invalid("binary data was expected");
      return writeBinary(w, value);
    case "fields":
      return writeMap(w, value as AmqpInput, "symbols");
    case "map":
      return writeMap(w, value as AmqpInput, "as they are");
    case "error":
    case "deliveryState":
    case "source":
    case "target":
      return writeNested(w, value as CompositeInput | Described, KINDS[field.type] ?? []);
    default:
      return writeTyped(w, field.type, value, null);
  }
}

function writeNested(w: ByteWriter, value: CompositeInput | Described, kinds: readonly number[]): void {
  if (value instanceof Described) return writeValue(w, value);
  const plan = PLAN_OF_NAME.get(value.type);
  if (plan === undefined || !kinds.includes(plan.code)) throw invalid(`${String(value.type)} cannot stand here`);
  writePlanned(w, plan, value as unknown as Readonly<Record<string, unknown>>);
}

/** A field with several values: one alone stands as it is, others as an array (§1.4). */
function writeMultiple(w: ByteWriter, type: TypeName, value: unknown): void {
  if (!Array.isArray(value)) throw invalid("a list was expected");
  if (value.length === 1) {
    return type === "symbol" ? writeSymbol(w, value[0] as string) : writeTyped(w, type, value[0], null);
  }
  writeValue(w, new AmqpArray(type, value as AmqpValue[]));
}
