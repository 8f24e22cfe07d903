import { Command, CommanderError, Option } from "commander";
import { isMessagingError } from "polymq/internal";
import { runBroker } from "./broker-command.ts";
import type { Environment } from "./environment.ts";
import { type BrokerFlags, collectPath, collectUser, conflictOf, parseCount, parsePort } from "./flags.ts";

/** Exit codes of the command. */
export const ExitCode = { ok: 0, failed: 1, usage: 2 } as const;

/**
 * Runs the command `polymq`. Resolves with its exit code: 0 when it did what was asked (a broker that was stopped included), 1 when that
 * failed, 2 when the command line is wrong. Failures are told in one line on standard error.
 * @param args without the names of the runtime and the script
 */
export async function runCli(args: readonly string[], env: Environment): Promise<number> {
  try {
    await program(env).parseAsync([...args], { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    // What there is to say, the parser has said already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    env.err(`polymq: ${describe(error)}\n`);
    return ExitCode.failed;
  }
}

function program(env: Environment): Command {
  const output = { writeOut: (text: string) => env.out(text), writeErr: (text: string) => env.err(text) };
  const root = new Command("polymq")
    .description("Messaging over MQTT and AMQP: start the embedded broker")
    .version(env.version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput(output)
    .showHelpAfterError("(polymq --help says what there is)");
  brokerCommand(root, env);
  return root;
}

const BROKER_EXAMPLES = `
Examples:
  polymq broker                                       on 127.0.0.1:1883, in memory
  polymq broker --port 0 --json                       any free port, told in one line of JSON
  polymq broker --host 0.0.0.0 --data ./data --user ann:secret
  polymq broker --config broker.yaml
  polymq broker --port 8883 --tls-cert cert.pem --tls-key key.pem

One port serves MQTT 3.1.1, MQTT 5.0, AMQP 0-9-1 and AMQP 1.0, directly and over WebSocket, with TLS if there is a certificate.
SIGINT or SIGTERM lets clients finish and exits with 0; a second one exits with 1 at once.`;

function brokerCommand(root: Command, env: Environment): void {
  const command = root
    .command("broker")
    .description("start a broker and run it until it is stopped")
    .option("--config <file>", "YAML in FluxMQ's vocabulary; flags win over what it says")
    .option("--host <address>", "address to listen on; 0.0.0.0 is every one (default: 127.0.0.1)")
    .option("--port <number>", "port to listen on, 0 for any free one (default: 1883)", parsePort)
    .option(
      "--amqp-port <number>",
      "a further port for AMQP 0-9-1 alone, such as 5672; --port serves it as well",
      parsePort,
    )
    .option(
      "--amqp10-port <number>",
      "a further port for AMQP 1.0 alone, such as 5672; --port serves it as well",
      parsePort,
    )
    .option("--http-port <number>", "a further port for HTTP alone; --port serves it as well", parsePort)
    .option("--no-http", "serve no HTTP but WebSocket")
    .addOption(
      new Option(
        "--http-token <token>",
        "what callers of HTTP have to show, 16 characters or more (default: a new one at every start)",
      ).env("POLYMQ_HTTP_TOKEN"),
    )
    .option("--http-remote", "answer HTTP callers on other machines, too")
    .option("--data <directory>", "keep sessions and messages here (default: in memory)")
    .addOption(
      new Option(
        "--durability <kind>",
        "what an acknowledgement promises (default: fsync with --data, else memory)",
      ).choices(["fsync", "buffered", "memory"]),
    )
    .option("--json", "print one line of JSON with the addresses once it is ready, and nothing else")
    .option("--quiet", "print nothing but errors")
    .option("--tls-cert <file>", "certificate chain in PEM; serves TLS only")
    .option("--tls-key <file>", "private key in PEM")
    .option("--tls-ca <file>", "let only clients in whose certificate this authority signed")
    .option("--user <name:password>", "let only these users in; repeatable", collectUser)
    .option("--ws-path <path>", "WebSocket path; repeatable (default: /mqtt and /amqp)", collectPath)
    .option("--max-connections <count>", "connections at a time (default: 10000)", parseCount)
    .allowExcessArguments(false)
    .addHelpText("after", BROKER_EXAMPLES);
  command.action(async (flags: BrokerFlags) => {
    const conflict = conflictOf(flags);
    if (conflict !== null) command.error(`error: ${conflict}`);
    await runBroker(flags, env);
  });
}

/** One line: the code first, then what happened, and what the system said when that is not in there yet. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  const cause = codeOf(error.cause);
  const message = isMessagingError(error) ? error.message : error.message.replace(`${code}: `, "");
  const said = cause === "" || message.includes(cause) ? "" : ` (${cause})`;
  const advice = cause === "EADDRINUSE" ? "; --port 0 takes any free port" : "";
  return `${code === "" ? "" : `${code}: `}${message}${said}${advice}`.replaceAll(/\s*\n\s*/g, " ");
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
