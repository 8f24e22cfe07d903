import { parseArgs } from "node:util";

/** The command line of the benchmarks: `bench <protocol> [suite] [options]`. */
export interface BenchOptions {
  readonly protocol: string;
  /** The suite to run, or null for all of the protocol. */
  readonly suite: string | null;
  /** Rounds: measurements of each contender per row. */
  readonly repeat: number;
  /** About how long a measurement takes; it sets the fixed number of messages. */
  readonly seconds: number;
  /** Null for the suite's own choice. */
  readonly sizes: readonly number[] | null;
  readonly rows: readonly string[] | null;
  readonly only: readonly string[] | null;
  readonly protocolVersion: 4 | 5;
  readonly jsonFile: string | null;
  readonly markdownFile: string | null;
  readonly isCheck: boolean;
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** What `bench --help` says. */
export const USAGE: string = `Usage: npm run bench -w bench -- <protocol> [suite] [options]

  mqtt          clients, then brokers
  mqtt client   our client, MQTT.js and a raw socket against a stub server
  mqtt broker   our broker, aedes and Mosquitto under one raw load generator
  amqp091       our client, amqplib, amqp-client.js, rabbitmq-client and a raw socket against a stub server
  amqp10        our client, rhea, rhea-promise, go-amqp where Go is there, and a raw socket against a stub server
  queues        our durable queues over MQTT and RabbitMQ's over AMQP 0-9-1, confirms and acknowledgements
  unified       our unified client beside the protocols' clients beneath it, against our broker

  --repeat N             rounds, A B C A B C ... (default 5)
  --seconds S            about how long a measurement takes (default 1.5)
  --sizes 16,256         payload sizes in bytes
  --rows ROW,ROW         only these rows
  --only ours,mqttjs     only these contenders
  --protocol-version 5   MQTT 5.0 instead of 3.1.1 (clients only)
  --json FILE            every measurement as JSON
  --markdown FILE        the tables with versions as Markdown
  --check                judge the thresholds of these rows; exit code 1 unless all are reached`;

/** Reads the command line. Throws a UsageError that says what is wrong with it. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = readArguments(args);
  const [protocol, suite, ...rest] = positionals;
  if (protocol === undefined || rest.length > 0)
    throw new UsageError("one protocol and at most one suite are expected");
  const version = values["protocol-version"];
  if (version !== "4" && version !== "5") throw new UsageError("--protocol-version is 4 or 5");
  return {
    protocol,
    suite: suite ?? null,
    repeat: positive("--repeat", values.repeat, "whole"),
    seconds: positive("--seconds", values.seconds, "any"),
    sizes: values.sizes?.split(",").map((size) => positive("--sizes", size, "whole")) ?? null,
    rows: values.rows?.split(",") ?? null,
    only: values.only?.split(",") ?? null,
    protocolVersion: version === "5" ? 5 : 4,
    jsonFile: values.json ?? null,
    markdownFile: values.markdown ?? null,
    isCheck: values.check,
  };
}

/** Those of `all` that the command line picks, in the order of `all`. */
export function pick<Name extends string>(all: readonly Name[], picked: readonly string[] | null): Name[] {
  return all.filter((name) => picked === null || picked.includes(name));
}

const FLAGS = {
  repeat: { type: "string", default: "5" },
  seconds: { type: "string", default: "1.5" },
  sizes: { type: "string" },
  rows: { type: "string" },
  only: { type: "string" },
  "protocol-version": { type: "string", default: "4" },
  json: { type: "string" },
  markdown: { type: "string" },
  check: { type: "boolean", default: false },
} as const;

function readArguments(args: readonly string[]): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(args);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function parseFlags(args: readonly string[]) {
  return parseArgs({ args: [...args], allowPositionals: true, options: FLAGS });
}

function positive(name: string, text: string, kind: "whole" | "any"): number {
  const value = Number(text);
  if (!(value > 0) || (kind === "whole" && !Number.isInteger(value)))
    throw new UsageError(`${name}: ${text} is no good`);
  return value;
}
