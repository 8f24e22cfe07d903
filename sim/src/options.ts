import { parseArgs } from "node:util";

/** The command line of the simulator. */
export interface SimOptions {
  /** The first seed. */
  readonly from: number;
  readonly count: number;
  /** Prints what happens. */
  readonly trace: boolean;
  readonly help: boolean;
}

/** What `npm run sim -- --help` says. */
export const USAGE: string = `Usage: npm run sim -- [options]

  --seeds N    how many seeds to run (default 200)
  --from N     the first of them (default 1)
  --seed N     this one seed
  --trace      print what happens; with --seed`;

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** Reads the command line. Throws a UsageError that says what is wrong with it. */
export function parseOptions(args: readonly string[]): SimOptions {
  const values = readArguments(args);
  const one = values.seed === undefined ? null : whole("--seed", values.seed);
  return {
    from: one ?? whole("--from", values.from),
    count: one === null ? whole("--seeds", values.seeds) : 1,
    trace: values.trace,
    help: values.help,
  };
}

function readArguments(args: readonly string[]): {
  seeds: string;
  from: string;
  seed?: string | undefined;
  trace: boolean;
  help: boolean;
} {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string", default: "200" },
        from: { type: "string", default: "1" },
        seed: { type: "string" },
        trace: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new UsageError(`${name} takes a whole number, not ${text}`);
}
