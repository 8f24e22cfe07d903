import { type ErrorCode, MessagingError } from "./errors.ts";

/** Options to check, and what an error about them says. */
export interface OptionSource {
  readonly code: ErrorCode;
  readonly options: object;
  /** What stands before a name, such as `will.`. */
  readonly prefix?: string;
}

/** The least and the largest whole number that an option may be, and what it is unless given. */
export type NumberRule = readonly [least: number, most: number, standard: number];

/** The words that an option may be; the first one is what it is unless given. */
export type WordRule = readonly [standard: string, ...others: string[]];

/** What an option is that has no default, as `typeof` names it. */
export type TypeRule = "boolean" | "function" | "object" | "string";

/** What an option may be. */
export type OptionRule = NumberRule | WordRule | TypeRule;

/** Options as {@link checkedOptions} gives them back: those of a {@link TypeRule} are null where they are not given. */
export type Checked<Options, Rules extends Readonly<Record<string, OptionRule>>> = {
  readonly [Name in keyof Rules]: Rules[Name] extends NumberRule
    ? number
    : Rules[Name] extends WordRule
      ? Rules[Name][number]
      : Name extends keyof Options
        ? NonNullable<Options[Name]> | null
        : unknown;
};

/** Checks the options that a table names, and fills in defaults. @throws {MessagingError} of the source's code, which names option and value */
export function checkedOptions<Options extends object, const Rules extends Readonly<Record<string, OptionRule>>>(
  source: OptionSource & { readonly options: Options },
  rules: Rules,
): Checked<Options, Rules> {
  const checked: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(rules)) {
    const { [name]: value = defaultOf(rule) } = source.options as Readonly<Record<string, unknown>>;
    const wanted = wantedInstead(value, rule);
    if (wanted !== null) {
      throw new MessagingError(source.code, `${source.prefix ?? ""}${name} must be ${wanted}, not ${String(value)}`);
    }
    checked[name] = value;
  }
  return checked as Checked<Options, Rules>;
}

function defaultOf(rule: OptionRule): number | string | null {
  if (typeof rule === "string") return null;
  return typeof rule[0] === "number" ? (rule[2] as number) : rule[0];
}

/** What a value would have to be, or null when it is that. */
function wantedInstead(value: unknown, rule: OptionRule): string | null {
  if (typeof rule === "string") {
    return value === null || typeof value === rule ? null : `of type ${rule}`;
  }
  const [least, most] = rule;
  if (typeof least === "number") {
    const fits = Number.isInteger(value) && least <= (value as number) && (value as number) <= (most as number);
    return fits ? null : `a whole number from ${least} to ${most}`;
  }
  return (rule as readonly unknown[]).includes(value) ? null : `one of ${rule.join(", ")}`;
}

/** The fields that are there; null when none is. */
export function given<Fields extends object>(
  fields: { readonly [Name in keyof Fields]: Fields[Name] | undefined },
): Fields | null {
  const there = Object.entries(fields).filter(([, value]) => value !== undefined);
  return there.length === 0 ? null : (Object.fromEntries(there) as Fields);
}
