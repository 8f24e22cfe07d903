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

/** Checks the options that a table names, and fills in defaults. @throws {MessagingError} of the source's code */
export function numbersOf<Name extends string>(
  source: OptionSource,
  rules: Readonly<Record<Name, NumberRule>>,
): Readonly<Record<Name, number>> {
  const checked: Partial<Record<Name, number>> = {};
  for (const name of Object.keys(rules) as Name[]) {
    const [least, most, standard] = rules[name];
    const { [name]: value = standard } = source.options as Readonly<Record<Name, number>>;
    if (!(Number.isInteger(value) && value >= least && value <= most)) {
      throw wrongOption(source, name, `a whole number from ${least} to ${most}`);
    }
    checked[name] = value;
  }
  return checked as Record<Name, number>;
}

/** As {@link numbersOf}, for options that are one of some words. */
export function wordsOf<const Rules extends Readonly<Record<string, WordRule>>>(
  source: OptionSource,
  rules: Rules,
): { readonly [Name in keyof Rules]: Rules[Name][number] } {
  const checked: Record<string, string> = {};
  for (const [name, words] of Object.entries(rules)) {
    const { [name]: word = words[0] } = source.options as Readonly<Record<string, string>>;
    if (!words.includes(word)) throw wrongOption(source, name, `one of ${words.join(", ")}`);
    checked[name] = word;
  }
  return checked as { [Name in keyof Rules]: Rules[Name][number] };
}

function wrongOption(source: OptionSource, name: string, what: string): MessagingError {
  const value = (source.options as Readonly<Record<string, unknown>>)[name];
  return new MessagingError(source.code, `${source.prefix ?? ""}${name} must be ${what}, not ${String(value)}`);
}

/** The fields that are there; null when none is. */
export function given<Fields extends object>(
  fields: { readonly [Name in keyof Fields]: Fields[Name] | undefined },
): Fields | null {
  const there = Object.entries(fields).filter(([, value]) => value !== undefined);
  return there.length === 0 ? null : (Object.fromEntries(there) as Fields);
}
