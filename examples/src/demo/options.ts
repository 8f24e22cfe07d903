import { parseArgs } from "node:util";
import { FLIGHTS } from "./data-set.ts";

/** What the demo was asked to do. */
export interface DemoOptions {
  readonly records: number;
  /** Time over which the records are published; 0 is as fast as it goes. */
  readonly seconds: number;
  /** How often links are cut. */
  readonly cuts: number;
  readonly sabotage: boolean;
}

export const USAGE = `npm run demo -- [options]
  --records N   records to replay, at most 200000 (default: all; with --fast 20000)
  --seconds S   time over which they are published, 0 for as fast as it goes (default 40; with --fast 5)
  --cuts N      how often links are cut (default 16; with --fast 6)
  --fast        the short form, for CI
  --sabotage    one worker acknowledges a message without counting it: the demo has to fail
`;

/** Reads the command line. @throws {TypeError} for what it does not know */
export function demoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      records: { type: "string" },
      seconds: { type: "string" },
      cuts: { type: "string" },
      fast: { type: "boolean", default: false },
      sabotage: { type: "boolean", default: false },
    },
  });
  const { fast, sabotage } = values;
  return {
    records: whole("records", values.records, fast ? 20_000 : FLIGHTS, 1, FLIGHTS),
    seconds: whole("seconds", values.seconds, fast ? 5 : 40, 0, 3_600),
    cuts: whole("cuts", values.cuts, fast ? 6 : 16, 0, 1_000),
    sabotage,
  };
}

function whole(
  name: string,
  text: string | undefined,
  standard: number,
  ...range: [least: number, most: number]
): number {
  const value = text === undefined ? standard : Number(text);
  const [least, most] = range;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`--${name} must be a whole number from ${least} to ${most}`);
}
