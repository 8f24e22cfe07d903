import type { Argument, Command, Option } from "commander";
import type { Environment } from "./environment.ts";
import { EXIT_CODE_HELP, type ExitCode } from "./exit-code.ts";
import { UsageError } from "./failure.ts";
import { debugLines } from "./session/debug-lines.ts";

/** One run of a command. */
export interface CommandCall<Flags> {
  readonly flags: Flags;
  /** In the order of the definition; a missing optional one is not there. */
  readonly args: readonly string[];
  readonly env: Environment;
}

/** A command as the table has it. `Flags` is what its options make. */
export interface CommandDefinition<Flags = never> {
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly Argument[];
  readonly options: readonly Option[];
  /** What the first argument may be, for completion. */
  readonly words?: readonly { readonly name: string; readonly summary: string }[];
  /** Command lines with what they do, without `polymq` in front. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** What else there is to know. */
  readonly notes?: string;
  /** @throws {UsageError} for flags that do not go together */
  readonly run: (call: CommandCall<Flags>) => Promise<ExitCode>;
}

/** Commands under one word. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandEntry[];
}

/** One entry of the table. */
export type CommandEntry = CommandDefinition | CommandGroup;

/** Where a command's exit code goes. */
export type OnEnd = (code: ExitCode) => void;

/** Adds an entry of the table, and all below it, to the parser. */
export function addCommand(parent: Command, entry: CommandEntry, env: Environment, onEnd: OnEnd): void {
  const command = parent.command(entry.name).description(entry.summary).allowExcessArguments(false);
  if ("commands" in entry) {
    for (const each of entry.commands) addCommand(command, each, env, onEnd);
    return;
  }
  for (const argument of entry.arguments ?? []) command.addArgument(argument);
  for (const option of entry.options) command.addOption(option);
  // `-h` is the host, as other messaging tools have it.
  if (entry.options.some(({ short }) => short === "-h")) command.helpOption("--help", "say what there is");
  command.addHelpText("after", afterHelp(pathOf(command), entry));
  command.action(async () => {
    const flags = flagsOf(command);
    const silence = flags["debug"] === true ? debugLines((line) => env.err(`polymq: ${line}\n`)) : () => {};
    try {
      onEnd(await entry.run({ flags: flags as never, args: command.args, env }));
    } catch (error) {
      if (error instanceof UsageError) command.error(`error: ${error.message}`);
      throw error;
    } finally {
      silence();
    }
  });
}

/** What the options make. An address out of the environment gives way to one on the command line. */
function flagsOf(command: Command): Readonly<Record<string, unknown>> {
  const { url, ...others } = command.opts<Record<string, unknown>>();
  const isWeak = command.getOptionValueSource("url") === "env" && ("host" in others || "port" in others);
  return url === undefined || isWeak ? others : { url, ...others };
}

/** The words that call a command, without `polymq`. */
function pathOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : `${pathOf(above)} ${command.name()}`;
}

function afterHelp(path: string, { examples, notes }: CommandDefinition): string {
  const width = Math.max(0, ...examples.map(([line]) => line.length)) + 3;
  const lines = examples.map(([line, does]) => `  polymq ${path} ${does === "" ? line : line.padEnd(width) + does}`);
  return ["", "Examples:", ...lines, ...(notes === undefined ? [] : ["", notes]), "", EXIT_CODE_HELP].join("\n");
}
