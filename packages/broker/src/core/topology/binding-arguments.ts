import type { ArgumentValue, BindingArguments, HeaderLookup } from "./topology-port.ts";

/** Levels of lists and records that an argument may have. */
const DEPTH_MAX = 32;

/** A text that two arguments share exactly when they are equal: names in order, types told apart. @throws {RangeError} nested too deep */
export function argumentsText(args: BindingArguments | null): string {
  return args === null ? "" : `${args.match} ${recordText(args.values, 0)}`;
}

/** What {@link argumentsText} wrote. @throws {SyntaxError} for another text */
export function readArguments(text: string): BindingArguments | null {
  if (text === "") return null;
  const space = text.indexOf(" ");
  const match = text.slice(0, space);
  if (match !== "all" && match !== "any" && match !== "all-with-x" && match !== "any-with-x") {
    throw new SyntaxError("a binding that matches in no known way");
  }
  const values = readValue(JSON.parse(text.slice(space + 1)));
  if (!isRecord(values)) throw new SyntaxError("a binding's arguments that are no record");
  return { match, values };
}

/** True when two values are equal, and of one type; all numbers are of one. */
export function valuesEqual(a: ArgumentValue, b: ArgumentValue): boolean {
  if (a === b) return true;
  // 1n and 1 are the same number.
  if (typeof a === "bigint" || typeof b === "bigint") return isNumeric(a) && isNumeric(b) && !(a < b || a > b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  return valueText(a, 0) === valueText(b, 0);
}

/** True when a message with these headers is chosen. Nothing asked for chooses all with `all`, and none with `any`. */
export function headersMatch(args: BindingArguments | null, headers: HeaderLookup | null): boolean {
  if (args === null) return true;
  const isAll = args.match === "all" || args.match === "all-with-x";
  const withX = args.match === "all-with-x" || args.match === "any-with-x";
  for (const [name, wanted] of Object.entries(args.values)) {
    if (!withX && name.startsWith("x-")) continue;
    const value = headers === null ? undefined : headers(name);
    const isMet = value !== undefined && (wanted === null || valuesEqual(value, wanted));
    if (isMet !== isAll) return isMet;
  }
  return isAll;
}

function valueText(value: ArgumentValue, depth: number): string {
  if (depth > DEPTH_MAX) throw new RangeError("nested too deep");
  if (typeof value === "bigint") return `{"n":"${value}"}`;
  if (typeof value === "number" && !Number.isFinite(value)) return `{"f":"${value}"}`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `{"b":${JSON.stringify(Array.from(value))}}`;
  if (isList(value)) return `[${value.map((item) => valueText(item, depth + 1)).join(",")}]`;
  return recordText(value, depth);
}

function recordText(record: Readonly<Record<string, ArgumentValue>>, depth: number): string {
  const names = Object.keys(record).sort();
  const fields = names.map((name) => `[${JSON.stringify(name)},${valueText(record[name] ?? null, depth + 1)}]`);
  return `{"r":[${fields.join(",")}]}`;
}

/** Lists are JSON's; `n` a bigint, `f` a number that JSON has not, `b` bytes, `r` a record. */
function readValue(json: unknown): ArgumentValue {
  if (json === null || typeof json === "boolean" || typeof json === "number" || typeof json === "string") return json;
  if (Array.isArray(json)) return json.map(readValue);
  const tagged = new Map<string, unknown>(Object.entries(json as object));
  if (tagged.has("n")) return BigInt(String(tagged.get("n")));
  if (tagged.has("f")) return Number(tagged.get("f"));
  if (tagged.has("b")) return Uint8Array.from(tagged.get("b") as number[]);
  const fields = tagged.get("r") as [string, unknown][];
  return Object.fromEntries(fields.map(([name, value]) => [name, readValue(value)]));
}

function isList(value: ArgumentValue): value is readonly ArgumentValue[] {
  return Array.isArray(value);
}

function isRecord(value: ArgumentValue): value is Readonly<Record<string, ArgumentValue>> {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isNumeric(value: ArgumentValue): value is bigint | number {
  return typeof value === "bigint" || typeof value === "number";
}
