import { Command, CommanderError } from "commander";
import { addCommand } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import type { Environment } from "./environment.ts";
import { ExitCode } from "./exit-code.ts";
import { describeFailure, exitCodeOf } from "./failure.ts";
import { withOurNames } from "./options/other-names.ts";

/**
 * Runs the command `polymq`. Resolves with its exit code ({@link ExitCode}); never rejects. Failures are told in one line on standard error.
 * @param args without the names of the runtime and the script
 */
export async function runCli(args: readonly string[], env: Environment): Promise<ExitCode> {
  let code: ExitCode = ExitCode.ok;
  const root = program(env, (ended) => {
    code = ended;
  });
  try {
    await root.parseAsync([...withOurNames(args, COMMANDS)], { from: "user" });
    return code;
  } catch (error) {
    // What there is to say, the parser has said already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    env.err(`polymq: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}

function program(env: Environment, onEnd: (code: ExitCode) => void): Command {
  const output = {
    writeOut: (text: string) => env.out(text),
    writeErr: (text: string) => env.err(text),
    outputError: (text: string) => env.err(`polymq: ${usageLine(text)}\n`),
  };
  const root = new Command("polymq")
    .description("Messaging over MQTT, AMQP 0-9-1 and AMQP 1.0: clients for a shell, and the embedded broker")
    // What stands behind a command is the command's: -V is its protocol version there.
    .enablePositionalOptions()
    .version(env.version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput(output);
  for (const entry of COMMANDS) addCommand(root, entry, env, onEnd);
  return root;
}

/** The parser's words for a wrong command line, as other failures are told. */
function usageLine(text: string): string {
  const said = text
    .replace(/^error: /, "")
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");
  return `ERR_INVALID_ARGUMENT: ${said.replace(/\.$/, "")}; --help says what there is`;
}
