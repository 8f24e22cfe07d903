import { type BrokerFlags, collectPath, collectUser, conflictOf } from "../broker/broker-flags.ts";
import { runBroker } from "../broker/run-broker.ts";
import type { CommandDefinition } from "../command.ts";
import { ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { envOption, option, parsePort, wholeNumber, wordOption } from "../options/parse.ts";

/** `polymq broker`: a broker that runs until it is stopped. */
export const BROKER_COMMAND: CommandDefinition<BrokerFlags> = {
  name: "broker",
  summary: "start a broker and run it until it is stopped",
  options: [
    option("--config <file>", "YAML in FluxMQ's vocabulary; flags win over what it says"),
    option("--host <address>", "address to listen on; 0.0.0.0 is every one (default: 127.0.0.1)"),
    option("--port <number>", "port to listen on, 0 for any free one (default: 1883)", parsePort),
    option(
      "--amqp-port <number>",
      "a further port for AMQP 0-9-1 alone, such as 5672; --port serves it as well",
      parsePort,
    ),
    option(
      "--amqp10-port <number>",
      "a further port for AMQP 1.0 alone, such as 5672; --port serves it as well",
      parsePort,
    ),
    option("--http-port <number>", "a further port for HTTP alone; --port serves it as well", parsePort),
    option("--no-http", "serve no HTTP but WebSocket"),
    envOption(
      "--http-token <token>",
      "what callers of HTTP have to show, 16 characters or more (default: a new one at every start)",
      "POLYMQ_HTTP_TOKEN",
    ),
    option("--http-remote", "answer HTTP callers on other machines, too"),
    option("--data <directory>", "keep sessions and messages here (default: in memory)"),
    wordOption("--durability <kind>", "what an acknowledgement promises (default: fsync with --data, else memory)", [
      "fsync",
      "buffered",
      "memory",
    ]),
    option("--json", "print one line of JSON with the addresses once it is ready, and nothing else"),
    option("--quiet", "print nothing but errors"),
    option("--tls-cert <file>", "certificate chain in PEM; serves TLS only"),
    option("--tls-key <file>", "private key in PEM"),
    option("--tls-ca <file>", "let only clients in whose certificate this authority signed"),
    option("--user <name:password>", "let only these users in; repeatable", collectUser),
    option("--ws-path <path>", "WebSocket path; repeatable (default: /mqtt and /amqp)", collectPath),
    option("--max-connections <count>", "connections at a time (default: 10000)", wholeNumber(1, 1_048_576)),
  ],
  examples: [
    ["", "on 127.0.0.1:1883, in memory"],
    ["--port 0 --json", "any free port, told in one line of JSON"],
    ["--host 0.0.0.0 --data ./data --user ann:secret", ""],
    ["--config broker.yaml", ""],
    ["--port 8883 --tls-cert cert.pem --tls-key key.pem", ""],
  ],
  notes: `One port serves MQTT 3.1.1, MQTT 5.0, AMQP 0-9-1 and AMQP 1.0, directly and over WebSocket, with TLS if there is a certificate.
SIGINT or SIGTERM lets clients finish and exits with 0; a second one exits with 1 at once.`,
  run: async ({ flags, env }) => {
    const conflict = conflictOf(flags);
    if (conflict !== null) throw new UsageError(conflict);
    await runBroker(flags, env);
    return ExitCode.ok;
  },
};
