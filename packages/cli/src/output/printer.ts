import type { Option } from "commander";
import { UsageError } from "../failure.ts";
import { option } from "../options/parse.ts";
import { messageJson, type PrintedMessage } from "./message-json.ts";
import { type Arrival, compileTemplate } from "./template.ts";

export { TEMPLATE_HELP } from "./template.ts";

/** Flags about how messages are printed. */
export interface OutputFlags {
  readonly json?: boolean;
  readonly format?: (arrival: Arrival) => Uint8Array;
  readonly verbose?: boolean;
  /** False: `--no-eol`. */
  readonly eol?: boolean;
}

/** The options behind {@link OutputFlags}. */
export function outputOptions(): readonly Option[] {
  return [option("--json", "print one line of JSON for each message"), ...textOptions()];
}

/** As {@link outputOptions}, for commands that have a `--json` of their own. */
export function textOptions(): readonly Option[] {
  return [
    option("-v, --verbose", "print the topic before the payload"),
    option("-F, --format <template>", "print each message by a template, such as '%t %p'", compileTemplate),
    option("-N, --no-eol", "print no line end after a message"),
  ];
}

/** What is printed of a message. @throws {UsageError} for flags that exclude each other */
export function printerOf(flags: OutputFlags, epochMs: () => number): (message: PrintedMessage) => string | Uint8Array {
  const { json, format, verbose, eol } = flags;
  if ([json === true, format !== undefined, verbose === true].filter(Boolean).length > 1) {
    throw new UsageError("--json, --format and --verbose exclude each other");
  }
  const end = eol === false ? "" : "\n";
  if (json === true) return (message) => `${JSON.stringify(messageJson(message))}${end}`;
  const body = format ?? (verbose === true ? VERBOSE : PLAIN);
  const lineEnd = Buffer.from(end);
  return (message) => Buffer.concat([body({ message, epochMs: epochMs() }), lineEnd]);
}

const PLAIN = compileTemplate("%p");
const VERBOSE = compileTemplate("%t %p");
