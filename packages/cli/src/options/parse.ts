import { InvalidArgumentError, Option } from "commander";

/** An option whose value is read by `parse`; without it the value is text, or true for one that takes none. */
export function option<T>(
  flags: string,
  description: string,
  parse?: (text: string, before: T | undefined) => T,
): Option {
  const made = new Option(flags, description);
  return parse === undefined ? made : made.argParser(parse);
}

/** An option that is one of some words. */
export function wordOption(flags: string, description: string, words: readonly string[]): Option {
  return new Option(flags, description).choices(words);
}

/** An option that an environment variable gives where the command line does not. */
export function envOption(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(variable);
}

/** Reads whole numbers of a range. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`A whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A port number to listen on: 0 to 65,535. */
export const parsePort: (text: string) => number = wholeNumber(0, 65_535);

/** A number of things: 1 and more. */
export const parseCount: (text: string) => number = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** Seconds, fractions included, as milliseconds: up to 10 years. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > 315_360_000)
    throw new InvalidArgumentError("Seconds, such as 5 or 0.25.");
  return Math.round(seconds * 1_000);
}

/** MQTT's quality of service. */
export function parseQos(text: string): 0 | 1 | 2 {
  if (text !== "0" && text !== "1" && text !== "2") throw new InvalidArgumentError("0, 1 or 2.");
  return Number(text) as 0 | 1 | 2;
}

/** One more text. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** One more `name=value`; the value may contain `=`. */
export function collectProperty(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("The form is name=value.");
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
